// What the Jira action is: an issue that is made, changed, moved or commented.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { fieldParams, sharedParams, text } from '../../domain/action/ticket/params.ts';

export const manifest: ActionManifest = {
  id: 'jira',
  title: 'Jira',
  summary: 'Makes, updates, moves or comments an issue in Jira Cloud or Jira Data Center.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...sharedParams,
      api: {
        enum: ['cloud', 'data-center'],
        description:
          'cloud: REST v3, texts become Atlassian Document Format. data-center: REST v2, texts become wiki markup. Default: cloud for hosts below atlassian.net, data-center for all others.',
      },
      project: text('Key or id of the project; a template. Required for create.', 256),
      issue_type: { ...text('Name or id of the issue type; a template.', 256), default: 'Task' },
      ...fieldParams,
      labels: {
        type: 'array',
        maxItems: 50,
        items: text('Label; a template.', 1024),
        description:
          'Labels to add; white space becomes a hyphen. An update keeps the labels that are there.',
      },
      priority: text('Name or id of the priority, as Jira has it; a template.', 256),
      assignee: text('Account id (Cloud) or user name (Data Center); a template.', 256),
      transition: text(
        'Name or id of a transition, or name of the status to reach; a template. For transition and update.',
        256,
      ),
    },
  },
  examples: [
    {
      title: 'An issue about a finding',
      params: { project: 'SEC', issue_type: 'Bug', labels: ['tocsin', '{{data.severity}}'] },
    },
    {
      title: 'One open issue per asset and title; what comes again is a comment',
      params: {
        project: 'SEC',
        summary: '{{data.title}} on {{data.asset.name}}',
        priority: 'High',
        fields: { customfield_10042: '{{data.cvss}}', components: [{ name: 'Web' }] },
        dedupe: { key: '{{data.asset.id}}/{{data.title}}' },
      },
    },
    {
      title: 'Escalate the issue of an earlier step',
      params: {
        operation: 'update',
        ref: '{{steps.ticket.outputs.key}}',
        priority: 'Highest',
        comment: 'The finding persists after the rescan.',
      },
    },
    {
      title: 'Close it',
      params: { operation: 'transition', ref: '{{steps.ticket.outputs.key}}', transition: 'Done' },
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
  whoami: { path: '/rest/api/2/myself' },
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
