// Webhooks on a real broker, through the guarded client, to receivers that verify or misbehave: whatever they do, every event is taken
// or in the dead letters, nothing is committed before, and a pause is told.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import { verifyInPython } from '@tocsin/testing/python-webhooks.ts';
import { onRequestHead, type RawScript, startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { kafkaBrokers, uniqueName } from '@tocsin/testing/servers.ts';
import { type ConfigTable, emptyConfig } from '@tocsin/topologies/domain/config/config-table.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { LogClient, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { createFleet } from '@tocsin/topologies/run/sink-fleet.ts';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const cleanups: (() => Promise<void> | void)[] = [];
let client: LogClient;

beforeAll(async () => {
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'webhook-test',
  });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function topicOf(values: readonly string[]): Promise<string> {
  const name = uniqueName('hooks');
  const admin = client.admin();
  await admin.ensureTopics([{ name, partitions: 2, replicationFactor: 1, config: {} }]);
  await admin.close();
  await publish(name, values);
  return name;
}

async function publish(topic: string, values: readonly string[]): Promise<void> {
  const producer = client.producer();
  await producer.send(values.map((value, k) => ({ topic, key: `a-${k % 5}`, value })));
  await producer.close();
}

const finding = (n: number, severity = 'high'): string =>
  JSON.stringify({
    event: 'finding.new',
    timestamp: '2026-04-28T12:00:00Z',
    data: { n, severity, title: 'é "x"' },
  });
const range = (to: number): number[] => Array.from({ length: to }, (_, k) => k);

async function receiver(): Promise<WebhookReceiver> {
  const started = await startWebhookReceiver({ secret });
  cleanups.push(() => started.close().catch(() => undefined));
  return started;
}

function start(topic: string, port: number, over: Partial<SinkConfig> = {}, timeoutMs = 5_000) {
  const id = over.id ?? uniqueName('wh');
  const connection: Connection = {
    kind: 'connection',
    id,
    type: 'http',
    protocol: 'http',
    allow_insecure: true,
    host: '127.0.0.1',
    port,
    allow_cidrs: ['127.0.0.0/8'],
    timeout_ms: timeoutMs,
    secrets: { hmac: { env: 'HMAC' } },
  };
  const document: SinkConfig = {
    kind: 'sink',
    id,
    type: 'webhook',
    connection: id,
    params: { path: '/api/events' },
    ...over,
  };
  const table = (revision: number): ConfigTable => ({
    ...emptyConfig,
    connections: new Map([[id, { document: connection, revision }]]),
    sinks: new Map([[id, { document, revision }]]),
  });
  const http = createHttpClient({ egress: createEgressPolicy({ mode: 'open' }) });
  const metrics = fakeMetrics();
  const letters: OutRecord[] = [];
  const told: Record<string, unknown>[] = [];
  const fleet = createFleet({
    client,
    ports: { http },
    hostName: 'test',
    metrics,
    logger: fakeLogger(),
    secrets: { resolve: async () => new SecretValue(secret) },
    letters: { send: async (records) => void letters.push(...records) },
    news: {
      send: async (records) =>
        void told.push(
          ...records.map((record) => ({ topic: record.topic, ...JSON.parse(String(record.value)) })),
        ),
    },
    decode: createSinkDecode(null),
    clock: systemClock,
    random: Math.random,
    topicName: () => topic,
    retryMs: 500,
  });
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await fleet.stop();
    await http.close();
  };
  cleanups.push(stop);
  const waiting = async (): Promise<number> => {
    const admin = client.admin();
    const lag = await admin.lag(`tocsin.sink.${id}`, [topic]);
    await admin.close();
    return lag.reduce((sum, { records }) => sum + records, 0);
  };
  const alerts = (): unknown[] =>
    told.filter(({ event }) => event === 'system.alert').map(({ data }) => (data as { code: string }).code);
  return { id, fleet, table, letters, told, alerts, stop, waiting, metrics };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const numbers = (target: WebhookReceiver): number[] =>
  target.requests.map(({ body }) => (JSON.parse(String(body)) as { data: { n: number } }).data.n);
const distinct = (found: readonly number[]): number[] => [...new Set(found)].sort((a, b) => a - b);

it('every event arrives signed, with an id of its own that comes again after a restart; two libraries verify it', async () => {
  const target = await receiver();
  const topic = await topicOf(range(200).map((n) => finding(n)));
  const first = start(topic, target.port);
  await first.fleet.apply(first.table(1));
  await until('all sent', async () => (await first.waiting()) === 0);
  await first.stop();
  expect(distinct(numbers(target))).toEqual(range(200));
  expect(target.requests.every(({ verified }) => verified)).toBe(true);
  const ids = new Map(target.requests.map(({ id, body }) => [String(body), id]));
  expect(new Set(ids.values()).size).toBe(200);

  const sample = target.requests.slice(0, 5).map(({ body, headers }) => ({ body: String(body), headers }));
  const changed = { ...sample[0]!, body: `${sample[0]!.body} ` };
  expect(await verifyInPython(secret, [...sample, changed])).toEqual([
    ...sample.map(({ body }) => JSON.parse(body)),
    'No matching signature found',
  ]);

  const second = start(topic, target.port);
  await second.fleet.apply(second.table(1));
  await until('all sent again', async () => (await second.waiting()) === 0);
  for (const { id, body } of target.requests.slice(200)) expect(ids.get(String(body))).toBe(id);
  expect(first.told.filter(({ kind }) => kind === 'attempt').length).toBeGreaterThan(0);
}, 90_000);

it('filters as in the guide; what does not pass is done', async () => {
  const target = await receiver();
  const topic = await topicOf([
    finding(1, 'critical'),
    finding(2, 'high'),
    finding(3, 'medium'),
    JSON.stringify({ event: 'scan.completed', data: { n: 4 } }),
  ]);
  const sink = start(topic, target.port, { filters: { events: ['finding.new'], min_severity: 'high' } });
  await sink.fleet.apply(sink.table(1));
  await until('done', async () => (await sink.waiting()) === 0);
  // B53: the example is named "Critical Only" and asks for high.
  expect(distinct(numbers(target))).toEqual([1, 2]);
});

it('a new sink with `since` begins there, and goes on from its offset afterwards', async () => {
  const target = await receiver();
  const topic = await topicOf([finding(1)]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const since = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await publish(topic, [finding(2)]);
  const id = uniqueName('wh');
  const first = start(topic, target.port, { id, since });
  await first.fleet.apply(first.table(1));
  await until('the newer', () => numbers(target).length > 0);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await first.stop();
  expect(numbers(target)).toEqual([2]);
  await publish(topic, [finding(3), finding(4)]);
  const second = start(topic, target.port, { id, since: new Date(Date.now() + 60_000).toISOString() });
  await second.fleet.apply(second.table(1));
  await until('what came meanwhile', () => numbers(target).includes(3) && numbers(target).includes(4));
}, 90_000);

describe('a receiver that fails', () => {
  it('H24: 410 pauses until it is saved again, is told, and nothing is lost', async () => {
    const target = await receiver();
    target.answerWith({ status: 410 });
    const topic = await topicOf(range(20).map((n) => finding(n)));
    const sink = start(topic, target.port, { batch: { in_flight: 1 } });
    await sink.fleet.apply(sink.table(1));
    await until('the alert', () => sink.alerts().length > 0);
    target.answerWith({ status: 204 });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(target.requests).toHaveLength(1);
    expect(await sink.waiting()).toBe(20);
    expect(sink.alerts()).toEqual(['sink_paused']);
    expect(sink.told).toContainEqual(
      expect.objectContaining({ kind: 'state', paused: true, code: 'http_410' }),
    );
    await sink.fleet.apply(sink.table(2));
    await until('all sent', async () => (await sink.waiting()) === 0);
    expect(distinct(numbers(target))).toEqual(range(20));
    expect(sink.letters).toEqual([]);
  }, 90_000);

  it('H25: nothing but 500 pauses it after the time that was set; it goes on by itself, and nothing is lost', async () => {
    const target = await receiver();
    target.answerWith({ status: 500 });
    const topic = await topicOf(range(20).map((n) => finding(n)));
    const sink = start(topic, target.port, { params: { pause_after_ms: 1_000, pause_after_failures: 3 } });
    await sink.fleet.apply(sink.table(1));
    await until('the alert', () => sink.alerts().length > 0);
    expect(sink.told).toContainEqual(expect.objectContaining({ kind: 'state', code: 'failing' }));
    expect(await sink.waiting()).toBe(20);
    target.answerWith({ status: 204 });
    await until('all sent', async () => (await sink.waiting()) === 0);
    expect(distinct(numbers(target))).toEqual(range(20));
    expect(sink.letters).toEqual([]);
  }, 90_000);

  it('H17: 422 for one event is one dead letter with its bytes, the others arrive', async () => {
    const target = await receiver();
    target.answerWith((request) => ({ status: String(request.body).includes('"n":7,') ? 422 : 204 }));
    const values = range(20).map((n) => finding(n));
    const sink = start(await topicOf(values), target.port);
    await sink.fleet.apply(sink.table(1));
    await until('done', async () => (await sink.waiting()) === 0);
    expect(sink.letters.map(({ value }) => String(value))).toEqual([values[7]]);
    expect(sink.told).toContainEqual(expect.objectContaining({ status: 'refused', status_code: 422 }));
  });

  it('a signature that the receiver refuses (401) pauses; rows stay until it takes them', async () => {
    const target = await receiver();
    target.answerWith({ status: 401 });
    const sink = start(await topicOf(range(5).map((n) => finding(n))), target.port);
    await sink.fleet.apply(sink.table(1));
    await until('the alert', () => sink.alerts().length > 0);
    expect(await sink.waiting()).toBe(5);
    target.answerWith({ status: 200 });
    await until('all sent', async () => (await sink.waiting()) === 0);
    expect(sink.letters).toEqual([]);
  }, 90_000);

  const head = 'HTTP/1.1 200 OK\r\n';
  const drip =
    (text: string, everyMs: number): RawScript =>
    (socket) =>
      onRequestHead(socket, () => {
        let at = 0;
        const timer = setInterval(() => socket.write(text[at++ % text.length]!), everyMs);
        socket.once('close', () => clearInterval(timer));
      });
  const answering =
    (text: string): RawScript =>
    (socket) =>
      onRequestHead(socket, () => socket.write(text));

  it.each<[string, RawScript, string]>([
    ['H01: accepts and never answers', () => undefined, 'timeout'],
    ['H02: headers one by one', drip(`${head}X-A: b\r\n`, 200), 'timeout'],
    ['H12: headers without end', answering(`${head}${'X-A: b\r\n'.repeat(20_000)}\r\n`), 'protocol'],
    ['H13: no status line', answering('HTTP/1.1 99999 WAT\r\n\r\n'), 'protocol'],
    ['H13: two lengths', answering(`${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`), 'protocol'],
    ['H15: breaks off', (socket) => onRequestHead(socket, () => socket.resetAndDestroy()), 'reset'],
  ])('%s: tried again, nothing lost, nothing committed', async (_, script, code) => {
    const target = await startRawReceiver(script);
    cleanups.push(() => target.close());
    const sink = start(await topicOf([finding(1), finding(2)]), target.port, {}, 1_000);
    await sink.fleet.apply(sink.table(1));
    await until('two attempts', () => sink.told.filter(({ status }) => status === 'retrying').length >= 2);
    expect(sink.told.find(({ status }) => status === 'retrying')).toMatchObject({ code });
    expect(await sink.waiting()).toBe(2);
    expect(sink.letters).toEqual([]);
  });

  it.each<[string, RawScript]>([
    ['H03: a body that drips for ever', drip(`${head}Content-Length: 100000\r\n\r\nx`, 5)],
    ['H04: a body without end', answering(`${head}Content-Length: 9000000\r\n\r\n${'x'.repeat(200_000)}`)],
    ['H10: a compressed body', answering(`${head}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrubb`)],
    ['H28: cookies', answering(`${head}Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n`)],
  ])('%s: the status counts', async (_, script) => {
    const target = await startRawReceiver(script);
    cleanups.push(() => target.close());
    const sink = start(await topicOf([finding(1)]), target.port, {}, 2_000);
    await sink.fleet.apply(sink.table(1));
    await until('delivered', async () => (await sink.waiting()) === 0);
    expect(sink.told).toContainEqual(expect.objectContaining({ status: 'delivered', status_code: 200 }));
    expect(sink.letters).toEqual([]);
  });
});
