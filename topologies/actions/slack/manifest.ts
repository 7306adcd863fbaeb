// What the Slack action is: one message per command, over an incoming webhook or with a bot token.
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { linkParam, maxRowsParam } from '../../domain/action/notice-params.ts';

export const manifest: ActionManifest = {
  id: 'slack',
  title: 'Slack message',
  summary: 'Posts a message to a Slack channel, over an incoming webhook or with a bot token.',
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
          'Channel id or #name for a bot token; a template. A webhook is bound to its channel and takes none.',
      },
      text: {
        type: 'string',
        minLength: 1,
        maxLength: 16_384,
        description:
          'Message in mrkdwn; a template whose tokens are escaped. With blocks it is the text of notifications. Default: title, severity, asset and link of the finding, or the rows.',
      },
      blocks: {
        type: 'array',
        minItems: 1,
        maxItems: 50,
        description:
          'Block Kit blocks; texts and addresses in them are templates. Checked against the limits of Slack.',
        items: { type: 'object' },
      },
      thread_ts: {
        type: 'string',
        minLength: 1,
        maxLength: 255,
        description:
          'Timestamp of the message to answer in its thread; a template. A new message when it renders empty.',
      },
      reply_broadcast: {
        type: 'boolean',
        default: false,
        description: 'Shows an answer in a thread in the channel too. Bot token only.',
      },
      username: {
        type: 'string',
        minLength: 1,
        maxLength: 80,
        description:
          'Name shown as the author; not a template. Bot token with the scope chat:write.customize only.',
      },
      icon_emoji: {
        type: 'string',
        pattern: "^:[a-z0-9_+'-]{1,100}:$",
        description:
          'Emoji shown as the picture of the author. Bot token with the scope chat:write.customize only.',
      },
      unfurl: {
        type: 'boolean',
        default: false,
        description: 'Lets Slack add previews of linked pages and media.',
      },
      check_history: {
        type: 'boolean',
        default: true,
        description:
          'Before a message that may have been posted is posted again, looks for it in the channel. Needs a bot token with a history scope and the id of the channel.',
      },
      link: linkParam,
      max_rows: maxRowsParam,
    },
  },
  examples: [
    { title: 'The finding, over a webhook', params: {} },
    {
      title: 'A text of one’s own to a channel, with a bot token',
      params: {
        channel: '#security-alerts',
        text: '<!here> *{{data.severity}}*: {{data.title}} on `{{data.asset.name}}`',
      },
    },
    {
      title: 'Blocks',
      params: {
        channel: 'C0123456789',
        blocks: [
          { type: 'header', text: { type: 'plain_text', text: '{{data.title}}' } },
          {
            type: 'section',
            fields: [
              { type: 'mrkdwn', text: '*Severity*\n{{data.severity}}' },
              { type: 'mrkdwn', text: '*Asset*\n{{data.asset.name}}' },
            ],
          },
        ],
      },
    },
    {
      title: 'All rows of a search, at most twenty',
      params: { max_rows: 20, link: 'https://siem.example.com/jobs/{{search.job_id}}' },
    },
  ],
  outputs: {
    status_code: 'Status of the answer.',
    ts: 'Timestamp of the message, for answers in its thread; with a bot token only.',
    channel: 'Id of its channel; with a bot token only.',
  },
  failures: ['bad_response', 'invalid_body', 'too_large'],
  needs: ['http'],
  connection: 'http',
  whoami: { path: '/api/auth.test', member: 'ok' },
  runOnce: 'all',
  defaultMode: 'each',
  idempotency: 'key',
  // chat.postMessage and webhooks take about one message per second and channel (docs.slack.dev/apis/web-api/rate-limits).
  lane: { ratePerSecond: 1 },
  ledger: 'fast',
};
