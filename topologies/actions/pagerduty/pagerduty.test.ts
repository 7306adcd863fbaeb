// What PagerDuty gets, and what its answers mean. Expected values: developer.pagerduty.com/docs/events-api-v2 (trigger-events, overview).
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { pagerduty } from './execute.ts';
import { levels } from './severity.ts';

const routingKey = 'e93facc04764012d7bfb002500d5d1a6';
const connection = httpConnection(
  { id: 'pager', host: 'events.pagerduty.com', secrets: { routing_key: { env: 'PAGERDUTY_KEY' } } },
  { routing_key: routingKey },
);
const success = {
  status: 202,
  body: '{"status":"success","message":"Event processed","dedup_key":"srv01/HTTP"}',
};
const send = (
  params: Record<string, unknown>,
  command = eventCommand(),
  answer: { status: number; body?: string; headers?: Record<string, string> } = success,
) => sendCommand(pagerduty, { ...command, type: 'pagerduty', params }, connection, { answers: [answer] });
const data = (fields: Record<string, unknown>) => eventCommand({ event: { event: 'x', data: fields } });
const check = (params: Record<string, unknown>): string[] =>
  checkParams(pagerduty, params).map(({ path, message }) => `${path} ${message}`);

contract(pagerduty, {
  folder: new URL('./', import.meta.url),
  params: { summary: 'Host {{host}}' },
  missing: { summary: 'Host {{nowhere.to_be_found}}' },
  connection,
  secrets: ['routing_key'],
  accepted: success.body,
});

describe('pagerduty: event', () => {
  it('is the finding, when nothing else is said', async () => {
    const { request, body, outcome } = await send({ link: 'https://app.example.com/f/{{data.finding_id}}' });
    expect(request).toMatchObject({ method: 'POST', url: 'https://events.pagerduty.com/v2/enqueue' });
    expect(body).toEqual({
      routing_key: routingKey,
      event_action: 'trigger',
      dedup_key: '0123456789abcdef0123456789abcdef',
      payload: {
        summary: '[CRITICAL] SQL Injection in /api/login',
        source: 'api.example.com',
        severity: 'critical',
        timestamp: '2026-04-28T12:00:00.000Z',
        class: 'finding.new',
        custom_details: {
          finding_id: 'f-91827',
          title: 'SQL Injection in /api/login',
          severity: 'critical',
          cvss: 9.8,
          asset: { id: 'a-1001', name: 'api.example.com', type: 'domain' },
          scan_id: 'sc-44021',
          description: 'User input is passed directly to SQL query without parameterization.',
          remediation: 'Use parameterized queries or an ORM.',
          command_id: '0123456789abcdef0123456789abcdef',
        },
      },
      client: 'Tocsin',
      links: [{ href: 'https://app.example.com/f/f-91827', text: 'Open' }],
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: 'srv01/HTTP',
      output: { status_code: 202, dedup_key: 'srv01/HTTP' },
    });
  });

  it('has every field of the vendor’s page, from templates', async () => {
    const { body } = await send({
      dedup_key: '{{data.asset.id}}/{{data.finding_id}}',
      summary: '{{data.title}} on {{data.asset.name}}',
      source: '{{data.asset.id}}',
      severity: 'HIGH',
      component: 'login',
      group: 'prod',
      class: 'sqli',
      custom_details: { score: '{{data.cvss}}', note: 'CVSS {{data.cvss}}' },
      images: [
        {
          src: 'https://x.example/{{data.finding_id}}.png',
          href: 'https://x.example/',
          alt: '{{data.title}}',
        },
      ],
      client: 'SOC',
      client_url: 'https://soc.example.com/',
    });
    expect(body).toMatchObject({
      dedup_key: 'a-1001/f-91827',
      payload: {
        summary: 'SQL Injection in /api/login on api.example.com',
        source: 'a-1001',
        severity: 'error',
        component: 'login',
        group: 'prod',
        class: 'sqli',
        custom_details: { score: 9.8, note: 'CVSS 9.8' },
      },
      images: [
        {
          src: 'https://x.example/f-91827.png',
          href: 'https://x.example/',
          alt: 'SQL Injection in /api/login',
        },
      ],
      client: 'SOC',
      client_url: 'https://soc.example.com/',
    });
  });

  it.each(['acknowledge', 'resolve'])('%s is the key and nothing else', async (event_action) => {
    const { body } = await send({ event_action, dedup_key: '{{data.finding_id}}' });
    expect(body).toEqual({ routing_key: routingKey, event_action, dedup_key: 'f-91827' });
  });

  it('does not join alerts by a key without a value, nor cut one', async () => {
    for (const event_action of ['trigger', 'resolve']) {
      const lost = await send({ event_action, dedup_key: 'finding/{{data.none}}' });
      expect(lost.outcome).toMatchObject({
        code: 'template',
        detail: 'dedup_key: {{data.none}} has no value',
      });
      expect(lost.requests).toHaveLength(0);
    }
    expect((await send({ dedup_key: ' ' })).outcome).toMatchObject({
      detail: 'dedup_key: renders to nothing',
    });
    const long = (length: number) => send({ dedup_key: '{{data.k}}' }, data({ k: 'k'.repeat(length) }));
    expect((await long(256)).outcome).toMatchObject({ status: 'failed', code: 'invalid_body' });
    expect((await long(255)).body.dedup_key).toHaveLength(255);
  });

  it.each([
    ['critical', 'critical'],
    ['High', 'error'],
    ['important', 'error'],
    ['medium', 'warning'],
    ['low', 'info'],
    ['informational', 'info'],
    ['info', 'info'],
    ['warning', 'warning'],
    ['error', 'error'],
  ])('severity %s is %s', async (word, level) => {
    const { body, outcome } = await send({}, data({ severity: word }));
    expect(body.payload.severity).toBe(level);
    expect(outcome).not.toHaveProperty('warnings');
    expect(levels).toContain(level);
  });

  it('takes other words and levels, and says when it does not know one', async () => {
    const params = { severities: { sev1: 'critical', high: 'warning' }, default_severity: 'info' };
    const of = async (severity?: string) => (await send(params, data({ severity }))).body.payload.severity;
    expect([await of('SEV1'), await of('high'), await of('low'), await of()]).toEqual([
      'critical',
      'warning',
      'info',
      'info',
    ]);
    const { body, outcome } = await send({}, data({ severity: 'constructor' }));
    expect(body.payload.severity).toBe('error');
    expect(outcome).toMatchObject({ warnings: ['severity: "constructor" is no severity; sent as error'] });
  });

  it('keeps to the limits of PagerDuty', async () => {
    const { body } = await send({ summary: '{{data.t}}' }, data({ t: 'x'.repeat(3000) }));
    expect(body.payload.summary.length).toBeLessThanOrEqual(1024);
    const large = await send({}, data({ title: 'T', blob: 'x'.repeat(300_000) }));
    expect(large.body.payload.custom_details).not.toHaveProperty('blob');
    expect(large.outcome).toMatchObject({ warnings: [expect.stringContaining('custom_details')] });
    const custom = { custom_details: { a: '{{data.blob}}', b: '{{data.blob}}' } };
    const refused = await send(custom, data({ blob: 'x'.repeat(300_000) }));
    expect(refused.outcome).toMatchObject({ status: 'failed', code: 'too_large', retry: 'never' });
    expect(refused.requests).toHaveLength(0);
  });

  it('shows the first rows of a set and how many more there are', async () => {
    const rows = [{ host: 'a' }, { host: 'b' }, { host: 'c' }];
    const { body } = await send({ max_rows: 2 }, rowsCommand(rows));
    expect(body.payload).toMatchObject({
      summary: expect.stringMatching(/: 3 results$/),
      source: 'tocsin',
      severity: 'error',
      custom_details: { total: 3, rows: [{ host: 'a' }, { host: 'b' }], more: 1 },
    });
    const wide = await send(
      { max_rows: 100 },
      rowsCommand(Array.from({ length: 8 }, () => ({ t: 'x'.repeat(100_000) }))),
    );
    expect(wide.body.payload.custom_details).toMatchObject({ total: 8, more: 6 });
    const [row] = rows as [{ host: string }];
    const one = await send({}, rowsCommand([row], { mode: 'each', row_index: 0 }));
    expect(one.body.payload).toMatchObject({ source: 'a', custom_details: { host: 'a' } });
  });

  it('names no time that it does not know', async () => {
    for (const timestamp of ['yesterday', 17, undefined]) {
      const { body } = await send({}, eventCommand({ event: { event: 'x', timestamp, data: {} } }));
      expect(body.payload).not.toHaveProperty('timestamp');
    }
  });

  it.each(Object.entries(hostileTexts))('a value stays one: %s', async (_, text) => {
    const { body } = await send(
      { summary: 'S {{data.t}}', custom_details: { t: '{{data.t}}' } },
      data({ t: text }),
    );
    expect(body.routing_key).toBe(routingKey);
    expect(body.event_action).toBe('trigger');
    expect(body.payload.custom_details.t).toBe(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(body.payload.summary).not.toMatch(/[\u0000-\u001f\u007f\u202a-\u202e]/);
  });
});

describe('pagerduty: parameters', () => {
  it.each([
    [{ event_action: 'resolve' }, '/dedup_key is required for resolve'],
    [{ event_action: 'acknowledge', dedup_key: 'k', summary: 'x' }, '/summary cannot be set for acknowledge'],
    [{ event_action: 'close' }, '/event_action must be one of trigger, acknowledge, resolve'],
    [{ images: [{ src: 'http://x.example/a.png' }] }, '/images/0/src must be an https address'],
    [{ severities: { High: 'error' } }, '/severities/High must be a word in lower case'],
  ])('refuses %j', (params, issue) => {
    expect(check(params)).toEqual([issue]);
  });

  it('names the template that cannot be read', () => {
    for (const params of [
      { dedup_key: '{{#a}}' },
      { summary: '{{#a}}' },
      { custom_details: { a: '{{#a}}' } },
    ])
      expect(check(params).join()).toContain(`/${Object.keys(params)[0]}`);
  });

  it('does not send an image that a value made bad', async () => {
    const { outcome, requests } = await send(
      { images: [{ src: '{{data.u}}' }] },
      data({ u: 'javascript:alert(1)' }),
    );
    expect(outcome).toMatchObject({
      code: 'invalid_body',
      detail: '/images/0/src: must be an https address',
    });
    expect(requests).toHaveLength(0);
  });

  it('needs https and the integration key', async () => {
    const { config } = connection;
    const at = (over: object) =>
      pagerduty.checkConnection?.({}, { ...config, ...over } as never).map(({ message }) => message);
    expect(at({})).toEqual([]);
    expect(at({ protocol: 'http', allow_insecure: true })).toEqual(['needs a connection over https']);
    expect(at({ secrets: {} })).toEqual(['needs a connection with secrets.routing_key, the integration key']);
    expect(at({ type: 'smtp' })).toEqual(['needs an HTTP connection']);
    const command = { ...eventCommand(), type: 'pagerduty', params: {} };
    const empty = httpConnection(config as never, { routing_key: ' ' });
    expect((await sendCommand(pagerduty, command, empty)).outcome).toMatchObject({
      code: 'secret',
      retry: 'pause',
    });
  });
});

describe('pagerduty: answers', () => {
  const invalid = (...errors: string[]) =>
    JSON.stringify({ status: 'invalid event', message: 'Event object is invalid', errors });
  it.each([
    [202, success.body, 'done'],
    [202, '{"status":"invalid event"}', 'bad_response never'],
    [202, '', 'bad_response never'],
    [200, '<html>Sign in</html>', 'bad_response never'],
    [400, invalid("'payload.summary' is missing or blank"), 'http_4xx never'],
    [400, invalid("Length of 'routing_key' is incorrect (should be 32 characters)"), 'http_401_403 pause'],
    [400, 'Bad Request', 'http_4xx never'],
    [429, '', 'http_429 backoff'],
    [500, '', 'http_5xx backoff'],
    [503, '', 'http_5xx backoff'],
  ])('%i %j', async (status, body, expected) => {
    const { outcome } = await send({}, eventCommand(), { status, body });
    expect(outcome.status === 'done' ? 'done' : `${outcome.code} ${outcome.retry}`).toBe(expected);
  });

  it('says what PagerDuty said, without the key', async () => {
    const said = invalid("'payload.source' is missing or blank", `${routingKey} is unknown`);
    expect((await send({}, eventCommand(), { status: 400, body: said })).outcome).toMatchObject({
      detail:
        "POST https://events.pagerduty.com answered 400: 'payload.source' is missing or blank; [secret] is unknown",
    });
    const message = '{"status":"Unrecognized object","message":"Event object format is unrecognized"}';
    expect((await send({}, eventCommand(), { status: 400, body: message })).outcome).toMatchObject({
      detail: expect.stringMatching(/: Event object format is unrecognized$/),
    });
  });

  it('is the same alert when it is sent again', async () => {
    const again = { ...eventCommand(), type: 'pagerduty', params: {} };
    const [first, second] = [
      await send({}),
      await sendCommand(pagerduty, again, connection, {
        answers: [success],
        context: { attempt: 2, now: Date.UTC(2026, 3, 28, 13), possibleDuplicate: true },
      }),
    ];
    expect(second.body).toEqual(first.body);
  });
});
