// What the risk action is: points for one object, for as long as their type says.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { additionalFieldsParam } from '../../domain/action/record/fields.ts';
import { indexPattern } from '../../domain/risk/index-name.ts';
import { objectTypePattern } from '../../domain/risk/score.ts';
import { scoreParam, scoringParams } from '../../domain/risk/scoring-type.ts';

export const manifest: ActionManifest = {
  id: 'risk',
  title: 'Risk score',
  summary: 'Gives an object a risk score that counts until it expires.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['score', 'object', 'index'],
    properties: {
      score: scoreParam('Points'),
      object: {
        type: 'object',
        additionalProperties: false,
        required: ['type', 'id'],
        description: 'What the score is for.',
        properties: {
          type: { type: 'string', pattern: objectTypePattern, description: 'Such as user, host or event.' },
          id: {
            type: 'string',
            minLength: 1,
            maxLength: 1024,
            description: 'Its id; a template whose tokens must all have a value.',
          },
        },
      },
      ...scoringParams,
      index: {
        type: 'string',
        pattern: indexPattern,
        description:
          'Index that the record belongs to; {yyyy}, {MM} and {dd} are the date of the score, UTC. No template.',
      },
      result_fields: {
        ...additionalFieldsParam,
        description: `${additionalFieldsParam['description']} They are kept with the score.`,
      },
    },
  },
  examples: [
    {
      title: 'Points for the user of each result, for a week',
      params: {
        score: 20,
        object: { type: 'user', id: '{{user}}' },
        scoring_type: 'logins',
        scoring_types: { logins: { lifespan: 'P7D' } },
        index: 'risk-{yyyy}.{MM}',
        result_fields: { 'source.ip': 'none', job: '{{search.name}}' },
      },
    },
    {
      title: 'The CVSS score of a finding, for its asset',
      params: { score: '{{data.cvss}}', object: { type: 'asset', id: '{{data.asset.id}}' }, index: 'risk' },
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
