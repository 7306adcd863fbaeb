// What the GitLab action is: an issue of a project that is made, changed, closed, reopened or commented.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { fieldParams, sharedParams, text } from '../../domain/action/ticket/params.ts';

export const manifest: ActionManifest = {
  id: 'gitlab',
  title: 'GitLab issue',
  summary: 'Makes, updates, closes, reopens or comments an issue of a GitLab project.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['project'],
    properties: {
      ...sharedParams,
      project: text('Id or path (group/project) of the project; a template.', 512),
      ...fieldParams,
      labels: {
        type: 'array',
        maxItems: 50,
        items: text('Label; a template.', 1024),
        description:
          'Labels to add; GitLab makes those that it does not know. An update keeps the labels that are there.',
      },
      severity: text(
        'Becomes the scoped label severity::<value>; a template, for example {{data.severity}}.',
        256,
      ),
      confidential: {
        type: 'boolean',
        description: 'Only members of the project see the issue. Default of GitLab: false.',
      },
      issue_type: {
        enum: ['issue', 'incident', 'task'],
        default: 'issue',
        description: 'Kind of issue to make.',
      },
      assignee_ids: {
        type: 'array',
        maxItems: 20,
        items: { type: 'integer', minimum: 1 },
        description: 'Ids of the users who are to do it.',
      },
      transition: text('close or reopen; a template. For transition and update.', 256),
      internal: {
        type: 'boolean',
        default: false,
        description: 'Comments are seen by members of the project only.',
      },
    },
  },
  examples: [
    {
      title: 'A confidential issue about a finding',
      params: {
        project: 'security/findings',
        confidential: true,
        severity: '{{data.severity}}',
        labels: ['tocsin'],
      },
    },
    {
      title: 'One open issue per asset and title',
      params: { project: '42', dedupe: { key: '{{data.asset.id}}/{{data.title}}' } },
    },
    {
      title: 'Close it',
      params: {
        project: '42',
        operation: 'transition',
        ref: '{{steps.ticket.outputs.key}}',
        transition: 'close',
        comment: 'Gone since the rescan.',
      },
    },
  ],
  outputs: {
    operation: 'What was done.',
    created: 'True when a ticket was made, false when one was there or was changed.',
    key: 'Key of the ticket, for later steps.',
    id: 'Id of the ticket.',
    url: 'Page of the ticket for people.',
  },
  failures: ['bad_response', 'missing_ref', 'not_found', 'wrong_state'],
  needs: ['http', 'clock'],
  connection: 'http',
  whoami: { path: '/api/v4/user' },
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
