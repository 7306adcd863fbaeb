// What the incident action is: one incident in the database of Tocsin, for people to work on.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { additionalFieldsParam, localParams } from '../../domain/action/record/fields.ts';
import { definitionsParam } from '../../domain/incident/fields.ts';
import { workflowParam } from '../../domain/incident/workflow.ts';

const bound = (description: string) => ({ type: 'string', minLength: 1, maxLength: 256, description });

export const manifest: ActionManifest = {
  id: 'incident',
  title: 'Incident',
  summary: 'Makes an incident with a workflow, fields, a history and the rows that led to it.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      title: {
        type: 'string',
        maxLength: 1024,
        description: 'Title; a template, one line, at most 255 characters. Without it the name of the rule.',
      },
      severity: {
        type: 'string',
        maxLength: 256,
        default: '{{severity}}',
        description: 'Severity; a template. A word that means none of severities becomes default_severity.',
      },
      severities: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        uniqueItems: true,
        items: { type: 'string', minLength: 1, maxLength: 64 },
        default: ['Critical', 'High', 'Medium', 'Low', 'Informational'],
        description: 'Names of the severities, the highest first.',
      },
      default_severity: {
        type: 'string',
        minLength: 1,
        maxLength: 64,
        default: 'Medium',
        description: 'One of severities.',
      },
      workflow: workflowParam,
      assignee: {
        type: 'string',
        maxLength: 256,
        description: 'Who works on it; a template. Without it nobody.',
      },
      description: {
        type: 'string',
        maxLength: 32768,
        description: 'GitHub Flavored Markdown; a template whose tokens are escaped for Markdown.',
      },
      drilldown: {
        description: 'Where to look further: a search with its time range, or a link.',
        oneOf: [
          {
            type: 'object',
            additionalProperties: false,
            required: ['type', 'text'],
            properties: {
              type: { const: 'search' },
              text: {
                type: 'string',
                minLength: 1,
                maxLength: 8192,
                description: 'Query; a template whose tokens become quoted values.',
              },
              earliest: bound(
                'Start: RFC 3339, now, or now-15m (s, m, h, d, w); a template. Without it that of the search job.',
              ),
              latest: bound('End, as earliest.'),
            },
          },
          {
            type: 'object',
            additionalProperties: false,
            required: ['type', 'url'],
            properties: {
              type: { const: 'link' },
              url: {
                type: 'string',
                minLength: 1,
                maxLength: 2048,
                pattern: '^https?://[^{}\\s/?#]+([/?#]|$)',
                description:
                  'http or https; a template whose tokens are percent-encoded. The host has no tokens.',
              },
            },
          },
        ],
      },
      index_suffix: {
        type: 'string',
        pattern: '^[a-z0-9_][a-z0-9_-]{0,63}$',
        description: 'The incident belongs to the index incidents-<suffix>. No template.',
      },
      field_definitions: definitionsParam,
      incident_fields: {
        type: 'object',
        maxProperties: 50,
        description: 'Values of the fields of field_definitions; templates.',
        additionalProperties: { type: 'string', maxLength: 4096 },
      },
      additional_fields: additionalFieldsParam,
      inventory: {
        type: 'object',
        additionalProperties: false,
        required: ['object_type', 'match'],
        description: 'The object of an inventory that the incident is about.',
        properties: {
          object_type: {
            type: 'string',
            minLength: 1,
            maxLength: 64,
            description: 'Type of the object there.',
          },
          match: {
            type: 'object',
            minProperties: 1,
            maxProperties: 10,
            propertyNames: { minLength: 1, maxLength: 128 },
            additionalProperties: { type: 'string', minLength: 1, maxLength: 1024 },
            description: 'Fields of the object and the values by which it is found; templates.',
          },
          copy: {
            type: 'array',
            maxItems: 50,
            uniqueItems: true,
            items: { type: 'string', minLength: 1, maxLength: 128 },
            description: 'Fields of the event or row that are kept with the link.',
          },
        },
      },
      local_params: localParams,
    },
  },
  examples: [
    {
      title: 'One incident for each critical finding',
      params: {
        title: '{{data.title}} on {{data.asset.name}}',
        description: '{{data.description}}\n\n**What to do:** {{data.remediation}}',
        inventory: {
          object_type: 'asset',
          match: { id: '{{data.asset.id}}' },
          copy: ['asset.name', 'asset.type'],
        },
      },
    },
    {
      title: 'One incident for all results of a search job',
      params: {
        title: '{{search.name}}: {{row_count}} hosts',
        severity: 'High',
        drilldown: { type: 'search', text: 'index=auth user={{user}}', earliest: 'now-24h' },
        index_suffix: 'auth',
        additional_fields: { host: 'none', team: '{{team}}' },
      },
    },
    {
      title: 'Fields of one’s own, and a workflow of one’s own',
      params: {
        field_definitions: { owner: { type: 'text', required: true }, score: { type: 'number' } },
        incident_fields: { owner: '{{data.asset.owner}}', score: '{{data.cvss}}' },
        workflow: {
          name: 'short',
          initial: 'Open',
          statuses: { Open: ['Done'], Done: ['Open'] },
          closed: ['Done'],
        },
      },
    },
  ],
  outputs: {
    incident_id: 'Id of the incident.',
    title: 'Its title.',
    severity: 'Its severity.',
    status: 'Its first status.',
  },
  needs: ['incidents'],
  connection: null,
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  incident: 'makes',
  ledger: 'durable',
};
