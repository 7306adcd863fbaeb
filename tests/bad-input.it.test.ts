// Bad input through the running system: records, rules and receivers that break the rules. Each has its outcome, and the
// next good one is served.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createApiClient } from '@tocsin/local/demo/api.ts';
import { scrape } from '@tocsin/local/demo/scrape.ts';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { type RegistryServer, startRegistry } from '@tocsin/testing/registry-server.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readings } from './faults/books.ts';
import { hecToken, httpConnection, sinkDocuments } from './faults/documents.ts';
import { finding } from './faults/load.ts';
import { firstKey, type Process, type System, startSystem } from './faults/system.ts';
import { readTopic, type Stored, until, untilIdle } from './faults/topic.ts';

let system: System;
let webhook: WebhookReceiver;
let mail: SmtpReceiver;
let hec: HecReceiver;
let registry: RegistryServer;
let evaluator: Process;
let sinks: Process;
let api: Process;
let contacts = 0;
const internal = createServer((socket) => {
  contacts += 1;
  socket.destroy();
});

const retry = { max_attempts: 3, initial_ms: 10, max_ms: 20, factor: 1 };
const hook = (id: string, connection: string) => ({
  kind: 'action',
  id,
  type: 'webhook',
  connection,
  params: { path: `/${id}` },
  retry,
});
const rule = (id: string, when: object, action: string, more: object = {}) => ({
  kind: 'rule',
  id,
  when,
  then: [{ action }],
  ...more,
});

beforeAll(async () => {
  internal.listen(0, '127.0.0.1');
  await once(internal, 'listening');
  registry = await startRegistry();
  webhook = await startWebhookReceiver();
  mail = await startSmtpReceiver();
  hec = await startHecReceiver({ token: hecToken, maxEventBytes: 5_000 });
  system = await startSystem({ env: { HEC_TOKEN: hecToken, SCHEMA_REGISTRY_URL: registry.url } });
  system.configure([
    httpConnection('hook', webhook.port),
    httpConnection('slow', webhook.port, { timeout_ms: 300 }),
    httpConnection('failing', webhook.port),
    httpConnection('moved', webhook.port),
    {
      kind: 'connection',
      id: 'mail',
      type: 'smtp',
      security: 'none',
      from: 'tocsin@example.com',
      host: '127.0.0.1',
      allow_cidrs: ['127.0.0.0/8'],
      port: mail.port,
    },
    hook('seen', 'hook'),
    hook('critical', 'hook'),
    hook('hang', 'slow'),
    hook('error', 'failing'),
    hook('redirect', 'moved'),
    {
      kind: 'action',
      id: 'letter',
      type: 'email',
      connection: 'mail',
      params: { to: ['{{data.owner}}'], subject: '{{id}}', body: '-' },
      retry,
    },
    rule('seen', { events: ['finding.*', 'weather.*'] }, 'seen'),
    rule('critical', { min_severity: 'critical', events: ['finding.*', 'weather.*'] }, 'critical'),
    ...['hang', 'error', 'redirect', 'letter'].map((id) => rule(id, { events: [`test.${id}`] }, id)),
    // Wrong, and left out: a field that no rule has, a type that no field has, a condition that no language has.
    rule('unknown-field', { events: ['finding.*'] }, 'seen', { colour: 'red' }),
    rule('wrong-type', { events: ['finding.*'] }, 'seen', { priority: 'high' }),
    rule('wrong-condition', { 'data.cvss': { about: 9 } }, 'seen'),
    ...sinkDocuments(hec.port),
  ]);
  api = await system.service('config-api', { CONFIG_DIR: '' });
  [evaluator, sinks] = await Promise.all([
    system.service('evaluator'),
    system.service('sinks'),
    system.service('actions'),
  ]);
});

afterAll(async () => {
  await system?.stop();
  await Promise.all([webhook.close(), mail.close(), hec.close(), registry.stop()]);
  internal.close();
});

/** Everything on one partition, so that what comes later has to pass what came before. */
async function write(...values: (Buffer | string | null)[]): Promise<void> {
  const producer = system.client.producer();
  for (const value of values)
    await producer.send([{ topic: topics.findings.name, key: 'one-asset', value, partition: 0 }]);
  await producer.close();
}

async function settled(): Promise<void> {
  await untilIdle(system.client, [readings.evaluator, readings.webhook, readings.email, readings.sink]);
}

async function letters(service: string): Promise<Stored[]> {
  const all = await readTopic(system.client, topics.deadLetters.name);
  return all.filter(({ headers }) => headers['x-dlq-service']?.startsWith(service));
}

const arrivedAt = (path: string): string[] =>
  webhook.requests
    .filter((request) => request.path === path)
    .map(({ body }) => (JSON.parse(body.toString('utf8')) as { id: string }).id);

const good = (id: string): string => JSON.stringify(finding(id, 4));

describe('records', () => {
  const framed = (id: number, body: string): Buffer => {
    const head = Buffer.alloc(5);
    head.writeInt32BE(id, 1);
    return Buffer.concat([head, Buffer.from(body, 'latin1')]);
  };
  const huge = JSON.stringify({ id: 'huge', event: 'finding.new', data: { blob: 'x'.repeat(2_000_000) } });

  test.each<[name: string, value: Buffer | string, reason: string]>([
    ['truncated JSON', good('truncated').slice(0, 80), 'json_syntax'],
    [
      'invalid UTF-8',
      Buffer.concat([
        Buffer.from('{"id":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('","event":"finding.new"}'),
      ]),
      'utf8',
    ],
    ['Avro with a schema id nobody registered', framed(2_147_483_647, 'x'), 'schema_unknown'],
    ['2 MB', huge, 'too_large'],
    [
      'nested 10,000 deep',
      `{"id":"deep","event":"finding.new","data":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      'depth',
    ],
    ['no object', '[1,2,3]', 'not_object'],
    ['an envelope without event', '{"id":"no-event","data":{}}', 'invalid_envelope'],
  ])(
    '%s: a dead letter with the original bytes, and the next record is served',
    async (name, value, reason) => {
      const bytes = Buffer.from(value as string);
      const next = `after-${name}`;
      const before = (await letters('evaluator')).length;
      await write(bytes, good(next));
      await settled();
      const [letter, ...more] = (await letters('evaluator')).slice(before);
      expect(more).toEqual([]);
      expect(letter?.headers).toMatchObject({ 'x-dlq-class': 'input', 'x-dlq-reason': reason });
      expect(letter?.key).toBe('one-asset');
      if (bytes.length < 900_000) expect(letter?.value?.equals(bytes)).toBe(true);
      else {
        expect(JSON.parse(letter?.headers['x-dlq-pointer'] ?? '')).toEqual({
          sha256: createHash('sha256').update(bytes).digest('hex'),
          size: bytes.length,
          kept: 65_536,
        });
        expect(letter?.value?.equals(bytes.subarray(0, 65_536))).toBe(true);
      }
      expect(arrivedAt('/seen')).toContain(next);
      expect(hec.events.map(({ event }) => (event as { id: string }).id)).toContain(next);
    },
  );

  test('Avro whose body does not fit its schema is dead-lettered; one that fits is evaluated', async () => {
    const schema = JSON.stringify({
      type: 'record',
      name: 'Event',
      fields: ['id', 'event'].map((name) => ({ name, type: 'string' })),
    });
    const response = await fetch(`${registry.url}/subjects/findings.v1-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema }),
    });
    const { id } = (await response.json()) as { id: number };
    // Avro 1.11 binary encoding: a string is its length as a zigzag long, then its bytes.
    const text = (value: string): string => String.fromCharCode(value.length * 2) + value;
    const broken = framed(id, `${text('avro-broken')}\x7f`);
    const before = (await letters('evaluator')).length;
    await write(broken, framed(id, text('avro-good') + text('finding.new')));
    await settled();
    const found = (await letters('evaluator')).slice(before);
    expect(found.map(({ headers }) => headers['x-dlq-reason'])).toEqual(['avro_decode']);
    expect(found[0]?.value?.equals(broken)).toBe(true);
    expect(arrivedAt('/seen')).toContain('avro-good');
  });

  test('__proto__ and constructor keys: accepted without them, no rule sees through', async () => {
    const before = (await letters('evaluator')).length;
    await write(
      '{"id":"proto","event":"finding.new","data":{"severity":"info","__proto__":{"severity":"critical"}}}',
      '{"id":"proto-2","event":"finding.new","__proto__":{"data":{"severity":"critical"}},"constructor":{"prototype":{"data":{"severity":"critical"}}}}',
    );
    await settled();
    expect((await letters('evaluator')).slice(before)).toEqual([]);
    expect(arrivedAt('/seen')).toEqual(expect.arrayContaining(['proto', 'proto-2']));
    expect(arrivedAt('/critical')).not.toContain('proto');
    expect(arrivedAt('/critical')).not.toContain('proto-2');
  });

  test('a null value is counted, and is no error; an unknown event type is one like others', async () => {
    const before = (await letters('evaluator')).length;
    await write(null, '{"id":"rain","event":"weather.report","data":{"severity":"critical"}}');
    await settled();
    expect((await letters('evaluator')).slice(before)).toEqual([]);
    const records = await scrape(evaluator.url, 'tocsin_records_total');
    expect(records.find(({ labels }) => labels['outcome'] === 'tombstone')?.value).toBe(1);
    expect(arrivedAt('/critical')).toContain('rain');
  });
});

describe('rules', () => {
  test.each<[name: string, change: object, field: string]>([
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['a wrong type', { priority: 'high' }, 'priority'],
    ['an unknown operator', { when: { 'data.cvss': { about: 9 } } }, 'about'],
    ['a wrong operand', { when: { min_severity: 7 } }, 'min_severity'],
  ])('%s is refused by the API, which names the field', async (_name, change, field) => {
    const client = createApiClient(api.url, firstKey(system));
    const { kind: _, ...body } = { ...rule('refused', { events: ['finding.*'] }, 'seen'), ...change };
    const failure = await client.post('/api/rules', body).then(
      () => 'accepted',
      (error: Error) => error.message,
    );
    expect(failure).toMatch(/answered (400|422)/);
    const { error } = JSON.parse(failure.slice(failure.indexOf('{'))) as {
      error: { issues: { path: string; message: string }[] };
    };
    expect(error.issues.map(({ path, message }) => `${path} ${message}`).join('\n')).toContain(field);
  });

  test('in files they are left out, each with its reason, and the others work', async () => {
    await until(
      'problems are counted',
      async () => (await scrape(evaluator.url, 'tocsin_config_problems'))[0]?.value !== 0,
    );
    const log = readFileSync(evaluator.logFile, 'utf8');
    for (const [id, field] of [
      ['unknown-field', 'colour'],
      ['wrong-type', 'priority'],
      ['wrong-condition', 'about'],
    ] as const) {
      const line = log.split('\n').find((text) => text.includes('left out') && text.includes(id));
      expect(line, id).toContain(field);
    }
    const fired = (await scrape(evaluator.url, 'tocsin_rule_matches_total')).map(
      ({ labels }) => labels['rule'],
    );
    expect(fired).toContain('seen');
    expect(fired).not.toContain('unknown-field');
  });
});

describe('receivers', () => {
  const send = (type: string, data: object = {}) =>
    write(JSON.stringify({ id: type, event: `test.${type}`, data }), good(`beside-${type}`));
  const letterOf = async (action: string, reason: string): Promise<void> => {
    const found = (await letters('actions')).filter(({ value }) =>
      String(value).includes(`"test.${action}"`),
    );
    expect(found.map(({ headers }) => headers['x-dlq-reason'])).toEqual([reason]);
    expect(arrivedAt('/seen')).toContain(`beside-${action}`);
  };

  test('a target that hangs: given up after its attempts, others are not held', async () => {
    webhook.answerWith(({ path }) => (path === '/hang' ? 'hang' : { status: 204 }));
    await send('hang');
    await settled();
    expect(arrivedAt('/hang')).toEqual(['hang', 'hang', 'hang']);
    expect(new Set(webhook.requests.filter(({ path }) => path === '/hang').map(({ id }) => id)).size).toBe(1);
    await letterOf('hang', 'timeout');
  });

  test('a target that answers 500: given up after its attempts', async () => {
    webhook.answerWith(({ path }) => (path === '/error' ? { status: 500 } : { status: 204 }));
    await send('error');
    await settled();
    expect(arrivedAt('/error')).toEqual(['error', 'error', 'error']);
    await letterOf('error', 'http_5xx');
  });

  test('a target that redirects to an internal address: not followed, not repeated', async () => {
    const { port } = internal.address() as { port: number };
    webhook.answerWith(({ path }) =>
      path === '/redirect' ? { redirect: `http://127.0.0.1:${port}/` } : { status: 204 },
    );
    await send('redirect');
    await settled();
    expect(arrivedAt('/redirect')).toEqual(['redirect']);
    await letterOf('redirect', 'http_3xx');
    expect(contacts).toBe(0);
  });

  test('a mail address with line breaks never reaches the mail server', async () => {
    await send('letter', { owner: 'b@example.com\r\nBcc: evil@example.com' });
    await settled();
    expect(mail.recipients).toEqual([]);
    expect(mail.connections().total).toBe(0);
    await letterOf('letter', 'invalid_recipient');
  });
});

describe('HEC', () => {
  const batch = (name: string): string[] => Array.from({ length: 20 }, (_, number) => `${name}-${number}`);
  const indexed = (ids: readonly string[]): string[] =>
    hec.events.map(({ event }) => (event as { id: string }).id).filter((id) => ids.includes(id));
  const paused = async (): Promise<number | undefined> =>
    (await scrape(sinks.url, 'tocsin_sink_paused'))[0]?.value;

  test('400 with invalid-event-number: that event is dead-lettered, its neighbours arrive once', async () => {
    const ids = batch('isolated');
    const big = { ...finding('isolated-7', 4), padding: 'x'.repeat(6_000) };
    const before = (await letters('sinks')).length;
    await write(...ids.map((id, number) => (number === 7 ? JSON.stringify(big) : good(id))));
    await settled();
    expect(hec.requests.map(({ status }) => status)).toContain(400);
    expect(indexed(ids).sort()).toEqual(ids.filter((id) => id !== 'isolated-7').sort());
    const found = (await letters('sinks')).slice(before);
    expect(found.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id)).toEqual([
      'isolated-7',
    ]);
  });

  test.each([
    ['401', { hec: { status: 401, code: 3, text: 'Invalid authorization' } }, true],
    ['503', { hec: { status: 503, code: 9, text: 'Server is busy' } }, false],
    ['an HTML page with 200', 'html' as const, false],
  ])('%s for a while: nothing is dropped, everything arrives afterwards', async (name, fault, pauses) => {
    const ids = batch(name);
    const before = (await letters('sinks')).length;
    const requests = hec.requests.length;
    hec.failWith(fault);
    await write(...ids.map(good));
    await until('the sink met the fault twice', () => hec.requests.length >= requests + (pauses ? 1 : 2));
    if (pauses) await until('the sink is paused', async () => (await paused()) === 1);
    expect(indexed(ids)).toEqual([]);
    hec.failWith(null);
    await settled();
    expect(indexed(ids).sort()).toEqual([...ids].sort());
    expect((await letters('sinks')).slice(before)).toEqual([]);
    expect(await paused()).toBe(0);
  });
});
