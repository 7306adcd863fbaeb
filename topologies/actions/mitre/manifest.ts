// What the mitre action is: a record that an input was a trigger of ATT&CK techniques.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { additionalFieldsParam } from '../../domain/action/record/fields.ts';
import { layerPattern } from '../../domain/mitre/record.ts';
import { indexPattern } from '../../domain/risk/index-name.ts';

export const manifest: ActionManifest = {
  id: 'mitre',
  title: 'MITRE ATT&CK techniques',
  summary: 'Records that an event or result was a trigger of techniques and sub-techniques of MITRE ATT&CK.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['layer', 'techniques'],
    properties: {
      name: {
        type: 'string',
        maxLength: 256,
        description: 'Name of the record; a template. Without it that of the action.',
      },
      rule: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        description: 'Rule that the record is for, as text. Without it the own rule.',
      },
      layer: {
        type: 'string',
        pattern: layerPattern,
        description: 'Layer: one information system. No template.',
      },
      techniques: {
        type: 'array',
        minItems: 1,
        maxItems: 50,
        items: { type: 'string', minLength: 1, maxLength: 256 },
        description: 'Ids such as T1059 or T1059.001; templates, which may give several with commas.',
      },
      severity: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        default: '{{severity}}',
        description:
          'low, medium or high; a template. critical counts as high, info as low, anything else as medium.',
      },
      index: {
        type: 'string',
        pattern: indexPattern,
        default: '.smos_mitre-{yyyy}.{MM}',
        description:
          'Index that the record belongs to; {yyyy}, {MM} and {dd} are the date of the record, UTC. No template.',
      },
      additional_fields: additionalFieldsParam,
      incident_id: {
        type: 'string',
        minLength: 1,
        maxLength: 256,
        description:
          'In a playbook: the incident that the record belongs to; a template. In a rule it is that of an incident action before this one.',
      },
    },
  },
  examples: [
    { title: 'One technique', params: { layer: 'crm', techniques: ['T1110.003'], severity: 'medium' } },
    {
      title: 'Techniques that the rule of the SIEM names, with a field of the result',
      params: {
        layer: 'active-directory',
        techniques: ['{{threat.technique.id}}', 'T1078'],
        additional_fields: { 'host.name': 'none' },
      },
    },
    {
      title: 'In a playbook, for the incident of an earlier step',
      params: { layer: 'crm', techniques: ['T1190'], incident_id: '{{steps.incident.outputs.incident_id}}' },
    },
  ],
  outputs: {
    layer: 'The layer.',
    techniques: 'Ids that were recorded.',
    incident_id: 'Incident that the records belong to, or null.',
  },
  needs: ['mitre'],
  connection: null,
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  incident: 'follows',
  ledger: 'durable',
};
