// Sinks on a real broker and a HEC receiver that behaves like Splunk: whatever the receiver does, every event is stored or in
// the dead letters, and nothing is committed before.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import { type HecOptions, type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { kafkaBrokers, uniqueName } from '@tocsin/testing/servers.ts';
import { type ConfigTable, emptyConfig } from '@tocsin/topologies/domain/config/config-table.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { LogClient, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { createFleet, type Fleet } from '@tocsin/topologies/run/sink-fleet.ts';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

const cleanups: (() => Promise<void> | void)[] = [];
let client: LogClient;

beforeAll(async () => {
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'sinks-test',
  });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receiver(options: HecOptions = {}): Promise<HecReceiver> {
  const started = await startHecReceiver(options);
  cleanups.push(() => started.close().catch(() => undefined));
  return started;
}

async function topicOf(partitions = 2): Promise<string> {
  const name = uniqueName('sink-input');
  const admin = client.admin();
  await admin.ensureTopics([{ name, partitions, replicationFactor: 1, config: {} }]);
  await admin.close();
  return name;
}

const finding = (n: number): string =>
  JSON.stringify({ event: 'finding.new', data: { n, asset: { name: 'api.example.com' } } });

async function publish(topic: string, values: readonly (string | null)[]): Promise<void> {
  const producer = client.producer();
  for (let from = 0; from < values.length; from += 2000)
    await producer.send(
      values.slice(from, from + 2000).map((value, k) => ({ topic, key: `a-${(from + k) % 7}`, value })),
    );
  await producer.close();
}

function tableOf(id: string, port: number, sink: Partial<SinkConfig> = {}): ConfigTable {
  const connection: Connection = {
    kind: 'connection',
    id: 'splunk',
    type: 'http',
    host: '127.0.0.1',
    port,
    protocol: 'http',
    allow_insecure: true,
    allow_cidrs: ['127.0.0.0/8'],
    timeout_ms: 5_000,
    secrets: { token: { env: 'HEC_TOKEN' } },
  };
  const document: SinkConfig = {
    kind: 'sink',
    id,
    type: 'splunk-hec',
    connection: 'splunk',
    params: {},
    ...sink,
  };
  return {
    ...emptyConfig,
    connections: new Map([['splunk', { document: connection, revision: 1 }]]),
    sinks: new Map([[id, { document, revision: 1 }]]),
  };
}

function fleetOn(topic: string, token = 'test-token') {
  const http = createHttpClient({ egress: createEgressPolicy({ mode: 'open' }) });
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const letters: OutRecord[] = [];
  const fleet: Fleet = createFleet({
    client,
    ports: { http },
    hostName: 'sinks-test',
    metrics,
    logger,
    secrets: { resolve: async () => new SecretValue(token) },
    letters: { send: async (records) => void letters.push(...records) },
    decode: createSinkDecode(null),
    clock: systemClock,
    random: Math.random,
    topicName: () => topic,
    retryMs: 500,
  });
  const stop = async (): Promise<void> => {
    await fleet.stop();
    await http.close();
  };
  cleanups.push(stop);
  return { fleet, metrics, logger, letters, stop };
}

const stored = (target: HecReceiver): number[] =>
  target.events.map(({ event }) => (event as { data: { n: number } }).data.n);
const distinct = (numbers: readonly number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);

async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function waiting(sinkId: string, topic: string): Promise<number> {
  const admin = client.admin();
  const lag = await admin.lag(`tocsin.sink.${sinkId}`, [topic]);
  await admin.close();
  return lag.reduce((sum, { records }) => sum + records, 0);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a sink on Kafka', () => {
  it.each<[string, (target: HecReceiver) => void]>([
    ['401', (target) => target.failWith({ hec: { status: 401, code: 3, text: 'Invalid authorization' } })],
    ['a disabled token', (target) => target.disableToken(true)],
    ['503', (target) => target.failWith({ hec: { status: 503, code: 9, text: 'Server is busy' } })],
    ['HTML 500', (target) => target.failWith({ status: 500, body: '<html>oops</html>' })],
    ['HTML 200', (target) => target.failWith({ status: 200, body: '<html>sign in</html>' })],
    ['connections that break', (target) => target.failWith('reset')],
  ])('%s for a while: nothing lost, nothing dead-lettered, nothing committed before', async (_, fail) => {
    const target = await receiver();
    const topic = await topicOf();
    const id = uniqueName('s');
    await publish(topic, range(0, 2000).map(finding));
    fail(target);
    const { fleet, letters } = fleetOn(topic);
    await fleet.apply(tableOf(id, target.port));
    // A refused sink asks the health endpoint, which is down too, before it sends again.
    await until('a request', () => target.requests.length >= 1);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await waiting(id, topic)).toBe(2000);
    expect(target.events).toHaveLength(0);
    target.failWith(null);
    target.disableToken(false);
    await until('all stored', () => new Set(stored(target)).size === 2000);
    expect(stored(target)).toHaveLength(2000);
    expect(letters).toEqual([]);
    await until('all committed', async () => (await waiting(id, topic)) === 0);
  });

  it('a lost answer repeats events, and loses none', async () => {
    const target = await receiver();
    const topic = await topicOf();
    target.script({ lost: true }, { busyAfter: 3 });
    await publish(topic, range(0, 500).map(finding));
    const { fleet } = fleetOn(topic);
    const id = uniqueName('s');
    await fleet.apply(tableOf(id, target.port));
    await until('a repetition', () => stored(target).length > 500);
    await until('all stored', () => new Set(stored(target)).size === 500);
    await until('all committed', async () => (await waiting(id, topic)) === 0);
  });

  it.each(['splunkd', 'emulator'] as const)(
    'one refused event of 10,000 (%s): one dead letter, the rest stored once',
    async (server) => {
      const target = await receiver({ server, maxEventBytes: 5_000 });
      const topic = await topicOf();
      const bad = JSON.stringify({ event: 'finding.new', data: { n: 6_000, pad: 'x'.repeat(6_000) } });
      await publish(
        topic,
        range(0, 10_000).map((n) => (n === 6_000 ? bad : finding(n))),
      );
      const { fleet, letters } = fleetOn(topic);
      const id = uniqueName('s');
      await fleet.apply(tableOf(id, target.port));
      await until(
        'all committed',
        async () => stored(target).length >= 9_999 && (await waiting(id, topic)) === 0,
      );
      expect(distinct(stored(target))).toEqual(range(0, 10_000).filter((n) => n !== 6_000));
      expect(stored(target)).toHaveLength(9_999);
      expect(letters.map(({ value }) => String(value))).toEqual([bad]);
    },
  );

  it('a wrong index pauses the sink; a corrected document delivers all', async () => {
    const target = await receiver({ indexes: ['security'] });
    const topic = await topicOf();
    await publish(topic, range(0, 1000).map(finding));
    const { fleet, metrics, letters } = fleetOn(topic);
    const id = uniqueName('s');
    await fleet.apply(tableOf(id, target.port, { params: { index: 'securty' } }));
    await until('paused', () => metrics.value('tocsin_sink_paused', { sink: id }) === 1);
    expect(target.events).toHaveLength(0);
    expect(letters).toEqual([]);
    await fleet.apply(tableOf(id, target.port, { params: { index: 'security' } }));
    await until('all stored', () => new Set(stored(target)).size === 1000);
    expect(letters).toEqual([]);
    expect(metrics.value('tocsin_sink_paused', { sink: id })).toBe(0);
  });

  it('poison, null values and filtered events do not hold anything up', async () => {
    const target = await receiver();
    const topic = await topicOf(1);
    await publish(topic, [finding(0), '1},{"event":"x"', null, '{"event":"other"}', '{"a":', finding(1)]);
    const { fleet, letters } = fleetOn(topic);
    const id = uniqueName('s');
    await fleet.apply(tableOf(id, target.port, { filters: { events: ['finding.*'] } }));
    await until('all committed', async () => stored(target).length === 2 && (await waiting(id, topic)) === 0);
    expect(stored(target)).toEqual([0, 1]);
    expect(letters.map(({ value }) => String(value))).toEqual(['1},{"event":"x"', '{"a":']);
  });

  it('a receiver that is killed under load and comes back gets everything; memory stays flat meanwhile', async () => {
    const first = await receiver();
    const topic = await topicOf();
    const { fleet, letters } = fleetOn(topic);
    const table = tableOf(uniqueName('s'), first.port);
    await fleet.apply(table);
    await publish(topic, range(0, 2000).map(finding));
    await until('some stored', () => first.events.length > 0);
    await first.close();
    const pad = 'x'.repeat(1000);
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers / 2 ** 20;
    const held: number[] = [];
    for (let from = 2000; from < 82_000; from += 10_000) {
      await publish(
        topic,
        range(from, from + 10_000).map((n) => JSON.stringify({ event: 'finding.new', pad, data: { n } })),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      // What the producer of this test leaves behind is garbage; only what is held counts.
      collectGarbage();
      held.push(process.memoryUsage().arrayBuffers / 2 ** 20);
    }
    // 82 MB went into the topic; the sink holds its slabs and what the consumer buffers, not the backlog. Garbage only adds, so
    // the least of the later looks is nearest to what is held.
    expect(Math.min(...held.slice(-4)) - before).toBeLessThan(24);
    const second = await receiver({ port: first.port });
    await until('all stored', () => new Set([...stored(first), ...stored(second)]).size === 82_000, 50_000);
    expect(letters).toEqual([]);
  });

  it('a second worker joins under load: all stored, all committed', async () => {
    const target = await receiver();
    const topic = await topicOf(4);
    const id = uniqueName('s');
    const table = tableOf(id, target.port, { batch: { max_events: 50, linger_ms: 5 } });
    const [one, two] = [fleetOn(topic), fleetOn(topic)];
    await one.fleet.apply(table);
    const publishing = publish(topic, range(0, 20_000).map(finding));
    await until('some stored', () => target.events.length > 100);
    await two.fleet.apply(table);
    await publishing;
    await until('two thirds stored', () => target.events.length > 13_000);
    await one.stop();
    await until('all stored', () => new Set(stored(target)).size === 20_000);
    await until('all committed', async () => (await waiting(id, topic)) === 0);
    // What was in flight while partitions moved may come twice; all of it would mean that offsets were not kept.
    expect(stored(target).length).toBeLessThan(25_000);
  });
});

describe('the fleet', () => {
  it('runs what is configured, says what cannot run, and mends itself when the configuration does', async () => {
    const target = await receiver();
    const topic = await topicOf();
    const { fleet, logger } = fleetOn(topic);
    const id = uniqueName('s');
    const good = tableOf(id, target.port);
    await fleet.apply({ ...good, connections: new Map() });
    expect(fleet.status().broken.get(id)).toBe('connection splunk does not exist');
    await fleet.apply(tableOf(id, target.port, { params: { indx: 'x' } }));
    expect(fleet.status().broken.get(id)).toBe('params: /indx: unknown field');
    await fleet.apply(good);
    expect(fleet.status()).toMatchObject({ running: [id], broken: new Map() });
    await fleet.apply(good);
    expect(logger.entries.filter(({ message }) => message === 'sink runs')).toHaveLength(1);
    await publish(topic, [finding(1)]);
    await until('stored', () => target.events.length === 1);
    await fleet.apply(tableOf(id, target.port, { enabled: false }));
    expect(fleet.status().running).toEqual([]);
    await publish(topic, [finding(2)]);
    await fleet.apply(good);
    await until('stored', () => target.events.length === 2);
    expect(stored(target)).toEqual([1, 2]);
    await fleet.apply(emptyConfig);
    expect(fleet.status().running).toEqual([]);
  });

  it('a dead receiver holds nobody but its own sink', async () => {
    const alive = await receiver();
    const topic = await topicOf();
    const { fleet } = fleetOn(topic);
    const [dead, other] = [uniqueName('dead'), uniqueName('alive')];
    const [a, b] = [tableOf(dead, 1), tableOf(other, alive.port)];
    const moved = {
      ...a.connections.get('splunk')!,
      document: { ...a.connections.get('splunk')!.document, id: 'gone' },
    };
    const deadSink = { document: { ...a.sinks.get(dead)!.document, connection: 'gone' }, revision: 1 };
    await fleet.apply({
      ...b,
      connections: new Map([...b.connections, ['gone', moved]]),
      sinks: new Map([[dead, deadSink], ...b.sinks]),
    });
    await publish(topic, range(0, 3000).map(finding));
    await until('all stored', () => new Set(stored(alive)).size === 3000);
    expect(await waiting(dead, topic)).toBe(3000);
  });
});
