// What the ServiceNow action is: a record of a task table that is made, changed, moved or commented.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { fieldParams, sharedParams, text } from '../../domain/action/ticket/params.ts';

export const manifest: ActionManifest = {
  id: 'servicenow',
  title: 'ServiceNow',
  summary: 'Makes, updates, moves or comments an incident, or a record of another task table, in ServiceNow.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...sharedParams,
      table: {
        type: 'string',
        pattern: '^[a-z][a-z0-9_]{0,79}$',
        default: 'incident',
        description: 'Table, one that extends task: incident, sn_si_incident, problem, ...; not a template.',
      },
      ...fieldParams,
      urgency: text('Urgency: 1, 2 or 3; a template.', 256),
      impact: text('Impact: 1, 2 or 3; a template. ServiceNow derives the priority from both.', 256),
      assignee: text('assigned_to: sys_id of a user; a template.', 256),
      assignment_group: text('sys_id of the group; a template.', 256),
      transition: text(
        'Value of the field state to set, for example 6; a template. For transition and update.',
        256,
      ),
      comment_field: {
        enum: ['work_notes', 'comments'],
        default: 'work_notes',
        description: 'Where comments go: work_notes for the team, comments also for the caller.',
      },
      input_display_value: {
        type: 'boolean',
        default: false,
        description: 'Values are display values (names of users, groups and choices) instead of stored ones.',
      },
    },
  },
  examples: [
    {
      title: 'An incident about a finding',
      params: { urgency: '1', impact: '2', assignment_group: '287ebd7da9fe198100f92cc8d1d2154e' },
    },
    {
      title: 'Names instead of ids, and one open incident per asset and title',
      params: {
        summary: '{{data.title}} on {{data.asset.name}}',
        urgency: '1 - High',
        assignment_group: 'Network',
        input_display_value: true,
        fields: { category: 'network', u_cvss: '{{data.cvss}}' },
        dedupe: { key: '{{data.asset.id}}/{{data.title}}' },
      },
    },
    {
      title: 'Resolve it',
      params: {
        operation: 'update',
        ref: '{{steps.ticket.outputs.key}}',
        transition: '6',
        fields: { close_code: 'Solution provided', close_notes: 'Gone since the rescan.' },
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
  whoami: { path: '/api/now/table/incident?sysparm_limit=1&sysparm_fields=sys_id' },
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
