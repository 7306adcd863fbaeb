import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { contract } from '../contract.ts';
import { slack } from './execute.ts';
import { bot, check, data, okPost, send, sendAsBot, webhook, webhookPath } from './fixtures/send.ts';

const folder = new URL('./', import.meta.url);
describe('over a webhook', () =>
  contract(slack, {
    folder,
    params: { text: 'Host {{host}}' },
    missing: { text: 'Host {{nowhere.to_be_found}}' },
    connection: webhook,
    secrets: ['secret_path'],
    accepted: 'ok',
  }));
describe('with a bot token', () =>
  contract(slack, {
    folder,
    params: { channel: '#security-alerts', text: 'Host {{host}}' },
    missing: { channel: '#security-alerts', text: 'Host {{nowhere.to_be_found}}' },
    connection: bot,
    secrets: ['token'],
    accepted: okPost.body,
  }));

describe('slack: request', () => {
  it('posts to the address of the webhook, with the message of the documentation', async () => {
    // docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: POST {"text": "Hello, world."}
    const { request, body } = await send({ text: 'Hello, world.' });
    expect(request).toMatchObject({ method: 'POST', url: `https://hooks.slack.com${webhookPath}` });
    expect(request?.headers).toContainEqual(['content-type', 'application/json; charset=utf-8']);
    expect(body).toEqual({
      text: 'Hello, world.',
      unfurl_links: false,
      unfurl_media: false,
      metadata: {
        event_type: 'tocsin_command',
        event_payload: { command_id: '0123456789abcdef0123456789abcdef' },
      },
    });
  });

  it('calls chat.postMessage with a token, channel and thread', async () => {
    // docs.slack.dev/reference/methods/chat.postMessage: arguments
    const params = {
      text: 'Hello world',
      thread_ts: '1234567890.123456',
      reply_broadcast: true,
      username: 'My Bot',
      icon_emoji: ':chart_with_upwards_trend:',
      unfurl: true,
    };
    const { request, body, outcome } = await sendAsBot(params);
    expect(request?.url).toBe('https://slack.com/api/chat.postMessage');
    expect(request?.headers).toContainEqual(['authorization', 'Bearer xoxb-not-a-real-token']);
    expect(body).toMatchObject({
      channel: 'C123456789',
      text: 'Hello world',
      thread_ts: '1234567890.123456',
      reply_broadcast: true,
      username: 'My Bot',
      icon_emoji: ':chart_with_upwards_trend:',
      unfurl_links: true,
      unfurl_media: true,
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: '1503435956.000247',
      output: { status_code: 200, ts: '1503435956.000247', channel: 'C123456789' },
    });
  });

  it('takes the whole address of a webhook, but only on the host of the connection', async () => {
    const at = async (path: string, over: object = {}) => {
      const connection = {
        config: { ...webhook.config, ...over },
        secrets: { secret_path: { reveal: () => path } as never },
      };
      return send({ text: 'x' }, eventCommand(), { context: { connection } });
    };
    expect((await at(`https://hooks.slack.com${webhookPath}`)).request?.url).toBe(
      `https://hooks.slack.com${webhookPath}`,
    );
    expect((await at(webhookPath.slice(1))).request?.url).toBe(`https://hooks.slack.com${webhookPath}`);
    expect((await at('hooks/abc', { base_path: '/chat/' })).request?.url).toBe(
      'https://hooks.slack.com/chat/hooks/abc',
    );
    expect((await at('https://hooks.slack.com/chat/hooks/a?b=c', { base_path: '/chat' })).request?.url).toBe(
      'https://hooks.slack.com/chat/hooks/a?b=c',
    );
    for (const path of [
      'https://evil.example/services/T/B/X',
      'http://hooks.slack.com/services/T/B/X',
      'https://hooks.slack.com:8443/services/T/B/X',
      'https://u:p@hooks.slack.com/services/T/B/X',
      'https://hooks.slack.com/',
      '/a b',
      '/a\\b',
      '/',
      '//',
    ]) {
      const { outcome, requests } = await at(path);
      expect(outcome, path).toMatchObject({ status: 'failed', code: 'secret', retry: 'pause' });
      expect(JSON.stringify(outcome)).not.toContain('/services/');
      expect(requests).toEqual([]);
    }
    expect((await at('https://hooks.slack.com/other/x', { base_path: '/chat' })).outcome).toMatchObject({
      code: 'secret',
    });
  });

  it('fits parameters to the kind of connection', async () => {
    const fails = async (sent: Promise<{ outcome: unknown }>, path: string) =>
      expect((await sent).outcome).toMatchObject({
        code: 'invalid_params',
        detail: expect.stringContaining(path),
      });
    await fails(send({ channel: '#x' }), '/channel');
    await fails(send({ username: 'x' }), '/username');
    await fails(send({ icon_emoji: ':x:' }), '/icon_emoji');
    await fails(sendAsBot({ channel: undefined }), '/channel');
    const none = { config: { ...bot.config, auth: { type: 'none' as const } }, secrets: {} };
    await fails(send({}, eventCommand(), { context: { connection: none as never } }), 'secret_path');
  });

  it('renders the channel, and nothing else passes for one', async () => {
    const to = (team: string) => sendAsBot({ channel: '#sec-{{data.team}}' }, data({ team }));
    expect((await to('blue')).body.channel).toBe('#sec-blue');
    for (const team of ['a b', 'x,y', '<!here>', 'Ä', 'a\n#general'])
      expect((await to(team)).outcome, team).toMatchObject({
        status: 'failed',
        code: 'template',
        retry: 'never',
      });
    expect(check({ channel: 'not a channel' })).toEqual(['/channel']);
    expect(check({ channel: '#überwachung' })).toEqual([]);
  });

  it('answers in a thread only when the timestamp is one', async () => {
    const { body, outcome } = await sendAsBot({
      thread_ts: '{{steps.announce.output.ts}}',
      reply_broadcast: true,
    });
    expect(body).not.toHaveProperty('thread_ts');
    expect(body).not.toHaveProperty('reply_broadcast');
    expect(outcome).toMatchObject({
      warnings: expect.arrayContaining([expect.stringContaining('thread_ts')]),
    });
  });
});

describe('slack: text', () => {
  it('is the finding, when nothing else is said', async () => {
    const { body } = await send({ link: 'https://app.example.com/f/{{data.finding_id}}?a=1&b=2' });
    expect(body.text).toBe(
      [
        '*[CRITICAL] SQL Injection in /api/login*',
        'Severity: critical',
        'Asset: api.example.com',
        'CVSS: 9.8',
        'Event: finding.new',
        'Rule: Critical findings',
        '<https://app.example.com/f/f-91827?a=1&amp;b=2|Open>',
      ].join('\n'),
    );
  });

  it('is a table of at most max_rows rows, and says how many more', async () => {
    const rows = Array.from({ length: 25 }, (_, index) => ({ host: `h${index}`, note: '```<!here>' }));
    const { body } = await send({ max_rows: 2 }, rowsCommand(rows));
    expect(body.text).toBe(
      [
        '*Failed logins*',
        '25 results',
        '```',
        'host  note',
        '----  ----------',
        'h0    ˋˋˋ&lt;\u200b!here&gt;',
        'h1    ˋˋˋ&lt;\u200b!here&gt;',
        '```',
        'and 23 more',
      ].join('\n'),
    );
  });

  it('is the fields of a row for first and each', async () => {
    const row = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, index]));
    const { body } = await send({}, rowsCommand([row], { mode: 'first' }));
    expect(body.text.split('\n')).toEqual([
      '*Failed logins*',
      ...Array.from({ length: 10 }, (_, index) => `f${index}: ${index}`),
      '…: and 2 more fields',
    ]);
  });

  it('calls people where the author says so, and nowhere else', async () => {
    const { body } = await send(
      { text: '<!here> <@U012AB3CD> {{data.t}}' },
      data({ t: hostileTexts.slackCalls }),
    );
    expect(body.text).toBe(
      '<!here> <@U012AB3CD> &lt;!channel&gt; &lt;!here|x&gt; &lt;@\u200bU012AB3CD&gt; &lt;#C012AB3CD&gt; &lt;https://evil.example|login&gt;',
    );
    const at = await send(
      { text: '@soc {{data.t}} {{data.mail}}' },
      data({ t: hostileTexts.atCalls, mail: 'root@example.com' }),
    );
    expect(at.body.text).toBe(
      '@soc @\u200bhere @\u200bchannel @\u200ball @\u200beveryone (@\u200bbob) root@example.com',
    );
    for (const t of ['!channel', '@U012AB3CD', '#C012AB3CD', 'javascript:alert(1)']) {
      const inLink = await send({ text: '<{{data.none}}{{data.t}}|open>' }, data({ t }));
      expect(inLink.body.text).toMatch(/^<\u200b/);
    }
    expect(
      (await send({ text: '<{{data.t}}|open>' }, data({ t: 'https://x.example/?a=1&b=|y' }))).body.text,
    ).toBe('<https://x.example/?a=1&amp;b=%7Cy|open>');
    for (const text of [
      '<!{{x}}>',
      '<@{{x}}>',
      '<#{{x}}|y>',
      '<!subteam^{{x}}>',
      '{{#a}}<!{{/a}}{{x}}>',
      '{{{x}}}',
      '{{&x}}',
    ])
      expect(check({ text }), text).toEqual(['/text']);
    expect(check({ text: '<!date^{{at}}^{date}|today> <https://x/{{id}}|{{t}}>' })).toEqual([]);
  });

  it('drops controls and direction marks, keeps code spans closed, and reads no value as a template', async () => {
    const text = async (t: string) =>
      (await send({ text: '`{{data.t}}`' }, data({ t, secret: 's3' }))).body.text;
    expect(await text(hostileTexts.controls)).toBe('`ab[2Jcd\ne`');
    expect(await text(hostileTexts.bidi)).toBe('`invoicefdp.exex`');
    expect((await text(hostileTexts.markup)).split('`')).toHaveLength(3);
    expect(await text(hostileTexts.template)).toBe('`{{data.secret}} {{{x}}} {{#y}}`');
  });

  it('is cut at 40,000 characters, not inside an entity', async () => {
    const { body, outcome } = await send({ text: '{{data.t}}' }, data({ t: '<'.repeat(30_000) }));
    expect(body.text.length).toBeLessThanOrEqual(40_000);
    expect(body.text).toMatch(/^(&lt;)+…$/);
    expect(outcome).toMatchObject({ warnings: ['text: cut at 40000 characters'] });
  });

  it('falls back to the default when a text renders to nothing', async () => {
    const { body, outcome } = await send({ text: '{{data.none}}' });
    expect(body.text).toContain('SQL Injection');
    expect(outcome).toMatchObject({ warnings: ['text: {{data.none}} has no value and was left empty'] });
  });

  it('leaves out a link that is none', async () => {
    const { body, outcome } = await send({ link: 'javascript:{{data.title}}' });
    expect(body.text).not.toContain('|Open>');
    expect(outcome).toMatchObject({ warnings: [expect.stringContaining('link')] });
  });
});

describe('slack: preview', () => {
  it('shows address and message, without the secret path or the token', () => {
    const command = { ...eventCommand(), params: { text: 'x {{data.severity}}' } };
    const shown = slack.preview?.(command, { connection: webhook, now: contractNow });
    expect(shown).toMatchObject({
      status: 'done',
      output: { method: 'POST', url: 'https://hooks.slack.com/[secret]', body: { text: 'x critical' } },
    });
    expect(JSON.stringify(shown)).not.toContain('/services/');
    const byBot = slack.preview?.(
      { ...command, params: { channel: '#a', text: 'x' } },
      { connection: bot, now: contractNow },
    );
    expect(byBot).toMatchObject({ output: { url: 'https://slack.com/api/chat.postMessage' } });
    expect(JSON.stringify(byBot)).not.toContain('xoxb');
    const wrong = { ...command, params: { channel: '{{data.title}}' } };
    expect(slack.preview?.(wrong, { connection: bot, now: contractNow })).toMatchObject({ code: 'template' });
  });

  it('sends one message per second unless the connection says otherwise', () => {
    expect(slack.manifest.lane).toEqual({ ratePerSecond: 1 });
    expect(checkParams(slack, { icon_emoji: 'x' })).toHaveLength(1);
  });
});
