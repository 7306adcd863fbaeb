// What the tag action is: tags that are added to an asset, or taken from it.
import { askParams, assetParam } from '../../domain/action/ask/params.ts';
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { topics } from '../../topics.ts';

const tags = (what: string) => ({
  type: 'array',
  minItems: 1,
  maxItems: 50,
  items: { type: 'string', minLength: 1, maxLength: 2048 },
  description: `Tags to ${what}; templates, and one token may name a list. Letters, digits and _ . : / = @ + -, at most 64 characters.`,
});

export const manifest: ActionManifest = {
  id: 'tag',
  title: 'Tag',
  summary: 'Asks the asset inventory to add tags to an asset or to remove them; other tags stay.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['asset'],
    properties: {
      asset: assetParam,
      add: tags('add'),
      remove: tags('remove, in any case of letters; what is also added is not removed'),
      method: {
        enum: ['PATCH', 'POST', 'PUT'],
        default: 'PATCH',
        description: 'For http: method of the call.',
      },
      ...askParams('asset-updates.v1', '/api/assets/{{request.asset}}', 'add_tags and remove_tags'),
    },
  },
  examples: [
    {
      title: 'Mark an asset by the severity of its finding, and take the other marks off',
      params: {
        asset: '{{data.asset.id}}',
        add: ['severity:{{data.severity}}'],
        remove: ['severity:critical', 'severity:high', 'severity:medium', 'severity:low', 'severity:info'],
      },
    },
    {
      title: 'Take a mark off when the finding is resolved',
      params: { asset: '{{data.asset.id}}', remove: ['under-attack'] },
    },
    {
      title: 'Over the API of an inventory',
      params: {
        via: 'http',
        asset: '{{host}}',
        add: ['compromised'],
        method: 'POST',
        path: '/v1/hosts/{{request.asset}}/labels',
        body: { add: '{{request.add_tags}}' },
      },
    },
  ],
  outputs: {
    correlation_id: 'Id of the request.',
    assets: 'The assets.',
    changes: 'How many assets are to change.',
    add_tags: 'Tags that are added.',
    remove_tags: 'Tags that are taken away.',
    status_code: 'Status of the answer.',
  },
  failures: ['invalid_body'],
  needs: ['records', 'http'],
  asks: [topics.assetUpdates],
  connection: 'http',
  runOnce: 'all',
  defaultMode: 'each',
  // Adding what is there and removing what is not change nothing.
  idempotency: 'key',
  ledger: 'fast',
};
