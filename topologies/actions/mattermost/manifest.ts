// What the Mattermost action is: one post per command, over an incoming webhook or with a bot token.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { linkParam, maxRowsParam } from '../../domain/action/notice-params.ts';

export const manifest: ActionManifest = {
  id: 'mattermost',
  title: 'Mattermost message',
  summary: 'Posts a message to a Mattermost channel, over an incoming webhook or with a bot token.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      channel: {
        type: 'string',
        minLength: 1,
        maxLength: 255,
        description:
          'With a bot token the id of the channel; over a webhook the name of another channel, or @name for a direct message. A template.',
      },
      text: {
        type: 'string',
        minLength: 1,
        maxLength: 16_384,
        description:
          'Message in Markdown; a template whose tokens are escaped. Default: title, severity, asset and link of the finding, or the rows.',
      },
      attachments: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        description: 'Message attachments; texts and addresses in them are templates.',
        items: { type: 'object' },
      },
      root_id: {
        type: 'string',
        minLength: 1,
        maxLength: 255,
        description: 'Id of the post to answer in its thread; a template. Bot token only.',
      },
      username: {
        type: 'string',
        minLength: 1,
        maxLength: 64,
        description: 'Name shown as the author; not a template. Webhook only, where the server allows it.',
      },
      icon_url: {
        type: 'string',
        maxLength: 1024,
        pattern: '^https?://[^\\s{}]+$',
        description:
          'Picture shown for the author; not a template. Webhook only, where the server allows it.',
      },
      icon_emoji: {
        type: 'string',
        pattern: "^:?[a-z0-9_+'-]{1,64}:?$",
        description: 'Emoji shown as the picture of the author. Webhook only, where the server allows it.',
      },
      priority: {
        type: 'object',
        additionalProperties: false,
        required: ['level'],
        description: 'Label above the post; not in threads.',
        properties: {
          level: { enum: ['standard', 'important', 'urgent'], description: 'standard shows no label.' },
          requested_ack: { type: 'boolean', description: 'Asks readers to acknowledge the post.' },
          persistent: {
            type: 'boolean',
            description: 'Notifies mentioned people until they answer; needs level urgent and a mention.',
          },
        },
      },
      props: {
        type: 'object',
        maxProperties: 50,
        description: 'Further properties of the post, for plugins; texts in them are templates.',
      },
      link: linkParam,
      max_rows: maxRowsParam,
    },
  },
  examples: [
    { title: 'The finding, over a webhook', params: {} },
    {
      title: 'A text of one’s own to another channel, with a label',
      params: {
        channel: 'security-alerts',
        text: '@channel **{{data.severity}}**: {{data.title}} on {{data.asset.name}}',
        username: 'tocsin',
        icon_emoji: ':rotating_light:',
        priority: { level: 'urgent', requested_ack: true },
      },
    },
    {
      title: 'An attachment, with a bot token',
      params: {
        channel: '4xp9fdt77pncbef59f4k1qe83o',
        text: 'New finding',
        attachments: [
          {
            fallback: '{{data.title}}',
            color: '#d24b4e',
            title: '{{data.title}}',
            title_link: 'https://app.example.com/findings/{{data.finding_id}}',
            fields: [{ short: true, title: 'Asset', value: '{{data.asset.name}}' }],
          },
        ],
      },
    },
  ],
  outputs: {
    status_code: 'Status of the answer.',
    post_id: 'Id of the post; with a bot token only.',
  },
  failures: ['bad_response', 'invalid_body', 'too_large'],
  needs: ['http'],
  connection: 'http',
  whoami: { path: '/api/v4/users/me' },
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  lane: { ratePerSecond: 1 },
  ledger: 'fast',
};
