// The event stream from Kafka to a client that reads it with a parser of somebody else's.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { brokerSubject } from '@tocsin/adapters/log/conformance/broker-subject.ts';
import { kafkaBrokers, newDatabase, uniqueName } from '@tocsin/testing/servers.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import { type LogClient, LogError } from '@tocsin/topologies/ports/log.ts';
import { createStreamHub, type StreamLimits } from '@tocsin/topologies/run/event-stream/stream-hub.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, silentLogger } from './test-api.ts';

const findings = { ...topics.findings, name: uniqueName('stream-findings') };
const events = { ...topics.events, name: uniqueName('stream-events') };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

let client: LogClient;
let producer: ReturnType<LogClient['producer']>;
beforeAll(async () => {
  client = await openLogClient(parseLogSettings({ KAFKA_BROKERS: kafkaBrokers() }, 'stream-test'));
  producer = client.producer();
  const admin = client.admin();
  await admin.ensureTopics([
    { name: findings.name, partitions: 4, replicationFactor: 1, config: {} },
    { name: events.name, partitions: 2, replicationFactor: 1, config: {} },
  ]);
  await admin.close();
});
afterAll(() => producer.close());

const finding = (n: number, more: object = {}): string =>
  JSON.stringify({
    event: 'finding.new',
    data: {
      finding_id: `f-${n}`,
      severity: n % 2 === 0 ? 'high' : 'low',
      asset: { id: `a-${n % 10}`, tags: n % 5 === 0 ? ['Production'] : [] },
      ...more,
    },
  });
const publish = (numbers: readonly number[], more: object = {}): Promise<void> =>
  producer.send(numbers.map((n) => ({ topic: findings.name, key: `a-${n % 10}`, value: finding(n, more) })));
const numbersOf = (messages: readonly EventSourceMessage[]): number[] =>
  messages
    .filter(({ event }) => event === 'finding.new')
    .map(({ data }) => Number(JSON.parse(data).data.finding_id.slice(2)));

/** The API with a stream over the topics of this file, listening. */
async function open(limits: Partial<StreamLimits> = {}) {
  const metrics = fakeMetrics();
  const admin = client.admin();
  const hub = createStreamHub({
    log: client,
    admin,
    topics: [findings, events],
    clock: systemClock,
    metrics,
    logger: silentLogger,
    limits,
  });
  const api = await openTestApi(await newDatabase(), { events: hub });
  await api.http.listen({ host: '127.0.0.1', port: 0 });
  const { port } = api.http.server.address() as { port: number };
  return {
    ...api,
    metrics,
    port,
    base: `http://127.0.0.1:${port}/api/events/stream`,
    async close() {
      await api.close();
      await admin.close();
    },
  };
}

/** A client that reads until it is told to leave or the stream ends. */
async function listen(
  base: string,
  key: string,
  { query = '', headers = {} as Record<string, string> } = {},
) {
  const leaving = new AbortController();
  const response = await fetch(`${base}${query}`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: leaving.signal,
  });
  const messages: EventSourceMessage[] = [];
  const errors: unknown[] = [];
  let lastId = '';
  let retry = 0;
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onId: (id) => {
      lastId = id;
    },
    onRetry: (ms) => {
      retry = ms;
    },
    onError: (error) => errors.push(error),
  });
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }));
  })().catch(() => undefined);
  return {
    response,
    messages,
    errors,
    ended,
    get lastId() {
      return lastId;
    },
    get retry() {
      return retry;
    },
    async leave() {
      leaving.abort();
      await ended;
    },
  };
}

async function until(what: string, holds: () => boolean, ms = 20_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not reached in ${ms} ms: ${what}`);
    await sleep(10);
  }
}

describe('with one API', () => {
  let api: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    api = await open({ clientsPerKey: 20, checkMs: 200 });
  });
  afterAll(() => api.close());

  it('B63 sends what comes, with type, bytes, position and the headers that keep proxies from holding it back', async () => {
    const one = await listen(api.base, api.adminKey);
    expect(one.response.status).toBe(200);
    expect(Object.fromEntries(one.response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    const hostile =
      '{\n  "event": "finding.new",\r\n  "data": {"finding_id": "f-1", "title": "\\ndata: x\\n\\nid: 7 \\u2028 🛡"}\n}';
    const stray = '{"event":"gap","data":{"from":0}}';
    await producer.send([
      { topic: findings.name, partition: 0, key: 'k', value: hostile },
      { topic: findings.name, partition: 0, key: 'k', value: 'no json' },
      { topic: findings.name, partition: 0, key: 'k', value: stray },
      { topic: events.name, key: 'k', value: '{"event":"system.alert","data":{}}' },
    ]);
    await until('three', () => one.messages.length === 3);
    expect([one.retry, one.errors]).toEqual([3_000, []]);
    const [first, second] = one.messages.filter(({ data }) => !data.includes('system.alert'));
    expect(first).toMatchObject({ event: 'finding.new', data: hostile.replaceAll('\r\n', '\n') });
    expect(second).toMatchObject({ event: undefined, data: stray });
    expect(new Set(one.messages.map(({ id }) => id)).size).toBe(3);
    expect(api.metrics.total('tocsin_stream_skipped_total', { reader: 'live', reason: 'json' })).toBe(1);
    await one.leave();
    await until('gone', () => api.metrics.value('tocsin_stream_clients') === 0);
  });

  it('goes on after a broken connection: 1,000 events, each once, through four connections', async () => {
    const had: EventSourceMessage[] = [];
    let one = await listen(api.base, api.adminKey, { query: '?topics=findings' });
    for (let part = 0; part < 4; part += 1) {
      const sending = publish(range(part * 250, part * 250 + 200));
      await until('some', () => one.messages.length >= 30);
      await one.leave();
      await sending;
      had.push(...one.messages);
      await publish(range(part * 250 + 200, part * 250 + 250));
      one = await listen(api.base, api.adminKey, {
        query: part % 2 === 0 ? '?topics=findings' : `?topics=findings&last_event_id=${one.lastId}`,
        headers: part % 2 === 0 ? { 'last-event-id': one.lastId } : {},
      });
      expect(one.response.status).toBe(200);
    }
    await until('all', () => had.length + one.messages.length >= 1_000);
    await sleep(200);
    const numbers = numbersOf([...had, ...one.messages]);
    expect(numbers).toHaveLength(1_000);
    expect(sorted(numbers)).toEqual(range(0, 1_000));
    await one.leave();
  });

  it('goes on in another process from the log, and begins at a time', async () => {
    const since = new Date().toISOString();
    await sleep(5);
    const first = await listen(api.base, api.adminKey, { query: '?topics=findings' });
    await publish(range(2_000, 2_100));
    await until('all', () => first.messages.length === 100);
    const middle = first.messages[49]!;
    const other = await open();
    const resumed = await listen(other.base, other.adminKey, {
      query: '?topics=findings',
      headers: { 'last-event-id': middle.id! },
    });
    const timed = await listen(other.base, other.adminKey, {
      query: `?topics=findings&since=${encodeURIComponent(since)}`,
    });
    await publish(range(2_100, 2_110));
    await until('both', () => resumed.messages.length >= 60 && timed.messages.length >= 110);
    expect(sorted([...numbersOf(first.messages.slice(0, 50)), ...numbersOf(resumed.messages)])).toEqual(
      range(2_000, 2_110),
    );
    expect(sorted(numbersOf(timed.messages))).toEqual(range(2_000, 2_110));
    expect(other.metrics.total('tocsin_stream_catch_ups_total')).toBeGreaterThanOrEqual(2);
    await Promise.all([first, resumed, timed].map((each) => each.leave()));
    await other.close();
  });

  it('filters as sinks do', async () => {
    const queries = {
      '?events=finding.*&min_severity=high': (n: number) => n % 2 === 0,
      '?events=scan.completed': () => false,
      '?exclude=finding.low': (n: number) => n % 2 === 0,
      '?asset_tags=production,test': (n: number) => n % 5 === 0,
      '?asset_id=a-3&topics=findings': (n: number) => n % 10 === 3,
      '?events=*': () => true,
    };
    const listening = await Promise.all(
      Object.keys(queries).map((query) => listen(api.base, api.adminKey, { query })),
    );
    await publish(range(3_000, 3_040));
    await until('all', () => listening.at(-1)!.messages.length === 40);
    await sleep(100);
    for (const [index, passes] of Object.values(queries).entries())
      expect(sorted(numbersOf(listening[index]!.messages))).toEqual(range(3_000, 3_040).filter(passes));
    await Promise.all(listening.map((each) => each.leave()));
  });

  it.each([
    ['?event=finding.new', '/event'],
    ['?min_severity=huge', '/min_severity'],
    ['?events=finding.new,,scan.completed', '/events'],
    ['?events=', '/events'],
    ['?events=a.b&events=c.d', '/events'],
    ['?topics=results', '/topics'],
    ['?since=yesterday', '/since'],
    ['?last_event_id=12345', '/last_event_id'],
    ['?drop_unrated=1', '/drop_unrated'],
  ])('refuses %s and names the parameter', async (query, path) => {
    const response = await api.call({ url: `/api/events/stream${query}` });
    expect(response.statusCode).toBe(400);
    expect(JSON.stringify(response.json().error.issues)).toContain(path.slice(1));
  });

  it('refuses a malformed Last-Event-ID, and strangers', async () => {
    const response = await api.call({ url: '/api/events/stream', headers: { 'last-event-id': 'AAAA' } });
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, '/Last-Event-ID']);
    expect((await api.call({ url: '/api/events/stream', key: null })).statusCode).toBe(401);
    const made = await api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: 'x', scopes: ['read:rules'] },
    });
    expect((await api.call({ url: '/api/events/stream', key: made.json().key })).statusCode).toBe(403);
  });

  it('ends the streams of a key that is revoked, and of no other', async () => {
    const made = await api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: 'x', scopes: ['read:events'] },
    });
    const { key, id } = made.json();
    const revoked = await listen(api.base, key);
    const other = await listen(api.base, api.adminKey);
    await publish([5_000]);
    await until('both', () => revoked.messages.length === 1 && other.messages.length === 1);
    expect((await api.call({ method: 'DELETE', url: `/api/keys/${id}` })).statusCode).toBe(204);
    await revoked.ended;
    expect(revoked.messages.at(-1)).toMatchObject({ event: 'closed' });
    expect(JSON.parse(revoked.messages.at(-1)!.data)).toEqual({ reason: 'key', position: revoked.lastId });
    await publish([5_001]);
    await until('goes on', () => other.messages.length === 2);
    await other.leave();
  });

  it('tells what retention has removed', async () => {
    const one = await listen(api.base, api.adminKey, { query: '?topics=findings' });
    await producer.send(
      range(0, 20).map((n) => ({ topic: findings.name, partition: 2, key: 'k', value: finding(6_000 + n) })),
    );
    await until('all', () => one.messages.length === 20);
    await one.leave();
    const admin = client.admin();
    const end = (await admin.endOffsets(findings.name)).get(2)!;
    await admin.close();
    await brokerSubject('platformatic', kafkaBrokers()).deleteBefore(
      { topic: findings.name, partition: 2 },
      end - 5,
    );
    const other = await open();
    const resumed = await listen(other.base, other.adminKey, {
      query: '?topics=findings',
      headers: { 'last-event-id': one.messages[9]!.id! },
    });
    await until('the rest', () => resumed.messages.length === 6);
    const [gap, ...rest] = resumed.messages;
    expect(gap).toMatchObject({ event: 'gap' });
    expect(JSON.parse(gap!.data)).toEqual({
      topic: 'findings',
      partition: 2,
      from: end - 10,
      to: end - 5,
      reason: 'retention',
      position: gap!.id,
    });
    expect(numbersOf(rest)).toEqual(range(6_015, 6_020));
    await resumed.leave();
    await other.close();
  });
});

it('a client that reads nothing slows nobody, is closed with a position, and loses nothing', async () => {
  const api = await open({ stallMs: 1_500, boundBytes: 64 * 1_024, ringBytes: 512 * 1_024 });
  const socket = await silentClient(api.port, api.adminKey);
  const other = await listen(api.base, api.adminKey, { query: '?topics=findings' });
  const title = 'x'.repeat(4_000);
  // More than the buffers of both ends of a connection take on their own.
  for (let n = 7_000; n < 11_000; n += 200) await publish(range(n, n + 200), { title });
  await until('the other has all', () => other.messages.length >= 4_000);
  expect(sorted(numbersOf(other.messages))).toEqual(range(7_000, 11_000));
  await until('closed', () => api.metrics.total('tocsin_stream_closes_total', { reason: 'lagging' }) === 1);
  expect(api.metrics.value('tocsin_stream_clients')).toBe(1);
  const messages = await socket.rest();
  const last = messages.at(-1)!;
  expect([last.event, JSON.parse(last.data).reason]).toEqual(['lagging', 'stalled']);
  const had = numbersOf(messages);
  expect(had.length).toBeLessThan(4_000);
  const again = await listen(api.base, api.adminKey, {
    query: '?topics=findings',
    headers: { 'last-event-id': last.id! },
  });
  await until('the rest', () => had.length + again.messages.length >= 4_000);
  expect(sorted([...had, ...numbersOf(again.messages)])).toEqual(range(7_000, 11_000));
  await Promise.all([other.leave(), again.leave()]);
  await api.close();
});

it('a client that reads slowly is moved to the log and gets everything', async () => {
  const api = await open({ boundBytes: 64 * 1_024, ringBytes: 512 * 1_024 });
  const socket = await silentClient(api.port, api.adminKey);
  const title = 'x'.repeat(4_000);
  for (let n = 12_000; n < 16_000; n += 200) await publish(range(n, n + 200), { title });
  await sleep(500);
  const messages = await socket.rest((seen) => seen.length >= 4_000);
  expect(sorted(numbersOf(messages))).toEqual(range(12_000, 16_000));
  expect(api.metrics.total('tocsin_stream_catch_ups_total')).toBeGreaterThan(0);
  await api.close();
});

it('has places for so many of a key, and for so many in all', async () => {
  const api = await open({ clients: 3, clientsPerKey: 2 });
  const made = await api.call({
    method: 'POST',
    url: '/api/keys',
    body: { name: 'x', scopes: ['read:events'] },
  });
  const { key } = made.json();
  const open1 = await Promise.all([listen(api.base, key), listen(api.base, key)]);
  const refused = await api.call({ url: '/api/events/stream', key });
  expect([refused.statusCode, refused.json().error.code, refused.headers['retry-after']]).toEqual([
    429,
    'too_many_streams',
    '15',
  ]);
  const third = await listen(api.base, api.adminKey);
  const full = await api.call({ url: '/api/events/stream' });
  expect([full.statusCode, full.json().error.code, full.headers['retry-after']]).toEqual([
    503,
    'too_many_streams',
    '15',
  ]);
  await open1[0].leave();
  await until('a place', () => api.metrics.value('tocsin_stream_clients') === 2);
  const again = await listen(api.base, key);
  expect(again.response.status).toBe(200);
  await Promise.all([open1[1], third, again].map((each) => each.leave()));
  await api.close();
});

it('tells everybody his position when it stops', async () => {
  const api = await open();
  const one = await listen(api.base, api.adminKey, { query: '?topics=findings' });
  await publish(range(17_000, 17_010));
  await until('all', () => one.messages.length === 10);
  await api.close();
  await one.ended;
  expect(one.messages.at(-1)).toMatchObject({ event: 'closed', id: one.lastId });
  expect(JSON.parse(one.messages.at(-1)!.data)).toEqual({ reason: 'shutdown', position: one.lastId });
  const next = await open();
  await publish([17_010]);
  const resumed = await listen(next.base, next.adminKey, {
    query: '?topics=findings',
    headers: { 'last-event-id': one.lastId },
  });
  await until('what came meanwhile', () => resumed.messages.length === 1);
  expect(numbersOf(resumed.messages)).toEqual([17_010]);
  await next.close();
});

it('answers 503 while the log does not answer, or does not have its topics', async () => {
  const admin = client.admin();
  const hubOf = (over: object, topic: typeof findings) =>
    createStreamHub({
      log: client,
      admin: { ...admin, endOffsets: (name) => admin.endOffsets(name), ...over },
      topics: [topic],
      clock: systemClock,
      metrics: fakeMetrics(),
      logger: silentLogger,
    });
  const away = () => Promise.reject(new LogError('brokers are away', { retriable: true }));
  for (const events of [
    hubOf({ endOffsets: away }, findings),
    hubOf({}, { ...findings, name: uniqueName('missing') as typeof findings.name }),
  ]) {
    const api = await openTestApi(await newDatabase(), { events });
    const response = await api.call({ url: '/api/events/stream?topics=findings' });
    expect([response.statusCode, response.json().error.code]).toEqual([503, 'unavailable']);
    await api.close();
  }
  await admin.close();
});

/** A connection that takes nothing until `rest`: then all that comes up to its end, or until there is enough. */
async function silentClient(port: number, key: string) {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  socket.pause();
  socket.write(
    `GET /api/events/stream?topics=findings HTTP/1.0\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`,
  );
  await sleep(300);
  return {
    async rest(enough: (messages: readonly EventSourceMessage[]) => boolean = () => false) {
      const messages: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (message) => messages.push(message) });
      const decoder = new TextDecoder();
      let head: string | null = '';
      for await (const chunk of socket) {
        const text = decoder.decode(chunk as Buffer, { stream: true });
        if (head === null) parser.feed(text);
        else {
          head += text;
          const at: number = head.indexOf('\r\n\r\n');
          if (at < 0) continue;
          parser.feed(head.slice(at + 4));
          head = null;
        }
        if (enough(messages)) break;
      }
      socket.destroy();
      return messages;
    },
  };
}
