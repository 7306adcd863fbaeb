// What the MITRE ATT&CK risk action is: points for the user or the system of a result, weighted by how sure they are.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { additionalFieldsParam } from '../../domain/action/record/fields.ts';
import { indexPattern } from '../../domain/risk/index-name.ts';
import { scoreParam, scoringParams } from '../../domain/risk/scoring-type.ts';

const entity = (description: string) => ({ type: 'string', minLength: 1, maxLength: 1024, description });

export const manifest: ActionManifest = {
  id: 'mitre-risk',
  title: 'MITRE ATT&CK risk score',
  summary: 'Gives the user, the system or both of a result a risk score, weighted by its fidelity.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['category', 'score'],
    properties: {
      name: {
        type: 'string',
        maxLength: 256,
        description: 'Name of the score; a template. Without it that of the action.',
      },
      category: {
        description: 'By what entity the score is kept: system, user, or both, with one score each.',
        oneOf: [
          { enum: ['system', 'user'] },
          { type: 'array', minItems: 1, maxItems: 2, uniqueItems: true, items: { enum: ['system', 'user'] } },
        ],
      },
      score: scoreParam('Points for one operation'),
      fidelity: {
        default: 1,
        description: 'Weight of the score, from 0 to 1; a number, or a template that gives one.',
        oneOf: [
          { type: 'number', minimum: 0, maximum: 1 },
          { type: 'string', minLength: 1, maxLength: 256 },
        ],
      },
      entity_fields: {
        type: 'object',
        additionalProperties: false,
        description: 'Where the ids of the entities are; templates whose tokens must all have a value.',
        properties: {
          user: entity('Without it the first value of user.name and user.'),
          system: entity('Without it the first value of host.name, host and asset.name.'),
        },
      },
      ...scoringParams,
      index: {
        type: 'string',
        pattern: indexPattern,
        default: '.smos_risk-{yyyy}.{MM}',
        description:
          'Index that the records belong to; {yyyy}, {MM} and {dd} are the date of the score, UTC. No template.',
      },
      additional_fields: additionalFieldsParam,
    },
  },
  examples: [
    {
      title: 'Both, for the first result',
      params: { category: ['system', 'user'], score: 40, fidelity: 0.5 },
    },
    {
      title: 'A user who stands elsewhere, with the techniques kept',
      params: {
        category: 'user',
        score: '{{risk_score}}',
        entity_fields: { user: '{{domain}}\\{{account}}' },
        additional_fields: { technique: 'none' },
      },
    },
  ],
  outputs: {
    scores: 'The scores that were recorded.',
    count: 'How many.',
  },
  needs: ['risks'],
  connection: null,
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
