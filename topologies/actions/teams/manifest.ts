// What the Teams action is: one Adaptive Card per command, to the webhook of a Power Automate workflow.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { linkParam, maxRowsParam } from '../../domain/action/notice-params.ts';

export const manifest: ActionManifest = {
  id: 'teams',
  title: 'Microsoft Teams message',
  summary:
    'Posts an Adaptive Card to a Teams channel or chat, over the webhook of a Power Automate workflow.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      title: {
        type: 'string',
        minLength: 1,
        maxLength: 2048,
        description:
          'First line of the card; a template in Markdown. Default: severity and title of the finding, or the name of the search.',
      },
      text: {
        type: 'string',
        minLength: 1,
        maxLength: 16_384,
        description: 'Text of the card; a template in the Markdown of Adaptive Cards. Default: none.',
      },
      facts: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        description:
          'Names and values below the text; templates. Default: the facts of the finding, or the rows.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['title', 'value'],
          properties: {
            title: {
              type: 'string',
              minLength: 1,
              maxLength: 255,
              description: 'Name of the fact; a template.',
            },
            value: {
              type: 'string',
              minLength: 1,
              maxLength: 2048,
              description: 'Value of the fact; a template.',
            },
          },
        },
      },
      card: {
        type: 'object',
        description:
          'A whole Adaptive Card (1.0 to 1.5) instead of title, text and facts; texts and addresses in it are templates. Checked against the published schema.',
      },
      link: linkParam,
      max_rows: maxRowsParam,
    },
  },
  examples: [
    { title: 'The finding', params: {} },
    {
      title: 'A card of title, text and facts',
      params: {
        title: '{{data.severity}}: {{data.title}}',
        text: '{{data.description}}',
        facts: [{ title: 'Asset', value: '{{data.asset.name}}' }],
        link: 'https://app.example.com/findings/{{data.finding_id}}',
      },
    },
    {
      title: 'A card of one’s own that mentions a person',
      params: {
        card: {
          type: 'AdaptiveCard',
          version: '1.4',
          body: [{ type: 'TextBlock', text: '<at>SOC lead</at> {{data.title}}', wrap: true }],
          msteams: {
            entities: [
              {
                type: 'mention',
                text: '<at>SOC lead</at>',
                mentioned: { id: 'soc.lead@example.com', name: 'SOC lead' },
              },
            ],
          },
        },
      },
    },
  ],
  outputs: {
    status_code: 'Status of the answer.',
  },
  failures: ['bad_response', 'invalid_body', 'too_large'],
  needs: ['http'],
  connection: 'http',
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  // Teams takes four requests per second of a webhook; workflows post more slowly than that.
  lane: { ratePerSecond: 1 },
  ledger: 'fast',
};
