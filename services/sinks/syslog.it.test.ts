// The syslog sink on a real broker and Debian's rsyslog over TLS: nothing is committed before it is proved, and nothing is lost or kept back.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type Rsyslog, startRsyslog } from '@tocsin/testing/rsyslog.ts';
import { type Scratch, scratchFolder } from '@tocsin/testing/scratch.ts';
import { kafkaBrokers, uniqueName } from '@tocsin/testing/servers.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { LogClient, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { openSink } from '@tocsin/topologies/run/open-sink.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

const authority = createAuthority();
const sensor = authority.issue(['DNS:sensor'], { client: true });
const cleanups: (() => Promise<void>)[] = [];
let scratch: Scratch;
let server: Rsyslog;
let client: LogClient;

beforeAll(async () => {
  scratch = scratchFolder('syslog-sink');
  server = await startRsyslog(scratch.path, authority);
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'syslog-test',
  });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await server?.stop();
  scratch?.remove();
});

async function topicOf(values: readonly string[]): Promise<string> {
  const name = uniqueName('sink-syslog');
  const admin = client.admin();
  await admin.ensureTopics([{ name, partitions: 2, replicationFactor: 1, config: {} }]);
  await admin.close();
  const producer = client.producer();
  await producer.send(values.map((value, k) => ({ topic: name, key: `a-${k % 7}`, value })));
  await producer.close();
  return name;
}

async function run(id: string, topic: string, params: Record<string, unknown>) {
  const connection: Connection = {
    kind: 'connection',
    id: 'siem',
    type: 'syslog',
    host: '127.0.0.1',
    port: server.ports.tls,
    tls: { ca: authority.cert, cert: sensor.cert },
    allow_cidrs: ['127.0.0.0/8'],
    secrets: { tls_key: { env: 'TLS_KEY' } },
  };
  const document: SinkConfig = { kind: 'sink', id, type: 'syslog', connection: 'siem', params };
  const metrics = fakeMetrics();
  const letters: OutRecord[] = [];
  const sink = await openSink(
    document,
    connection,
    {
      client,
      ports: { syslog: createSyslogClient({ egress: createEgressPolicy({ mode: 'open' }) }) },
      hostName: 'sensor',
      metrics,
      logger: fakeLogger(),
      secrets: { resolve: async () => new SecretValue(sensor.key) },
      letters: { send: async (records) => void letters.push(...records) },
      decode: createSinkDecode(null),
      clock: systemClock,
      random: Math.random,
      topicName: () => topic,
    },
    (error) => {
      throw error;
    },
  );
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await sink.stop();
  };
  cleanups.push(stop);
  async function waiting(): Promise<number> {
    const admin = client.admin();
    const lag = await admin.lag(`tocsin.sink.${id}`, [topic]);
    await admin.close();
    return lag.reduce((sum, { records }) => sum + records, 0);
  }
  return { stop, waiting, letters, metrics };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}; ${server.complaints()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const finding = (n: number): string =>
  JSON.stringify({ id: `e-${n}`, event: 'finding.new', data: { title: 'é = |', severity: 'high' } });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
const idsFrom = (at: number): number[] =>
  [
    ...server
      .read()
      .subarray(at)
      .toString()
      .matchAll(/ externalId=e-(\d+) /g),
  ].map(([, id]) => Number(id));

it('commits what the receiver has proved to have read, dead-letters poison, and repeats nothing without need', async () => {
  const before = server.read().length;
  const topic = await topicOf([...range(0, 5_000).map(finding), '{"a":']);
  const id = uniqueName('syslog');
  const { waiting, stop, letters, metrics } = await run(id, topic, { proof_ms: 3_000 });
  await until('all received', () => idsFrom(before).length >= 5_000);
  // All of it is there, and nothing proves it yet; the record that is no JSON is settled by its letter alone.
  expect(await waiting()).toBeGreaterThanOrEqual(5_000);
  await until('all committed', async () => (await waiting()) === 0);
  await stop();
  expect(idsFrom(before).sort((a, b) => a - b)).toEqual(range(0, 5_000));
  expect(letters.map(({ value }) => String(value))).toEqual(['{"a":']);
  expect(metrics.total('tocsin_sink_events_total', { outcome: 'resent' })).toBe(0);
});

it('a worker that stops proves what it has sent instead of leaving it to be sent again', async () => {
  const before = server.read().length;
  const topic = await topicOf(range(0, 500).map(finding));
  const id = uniqueName('syslog');
  const first = await run(id, topic, { proof_ms: 600_000 });
  await until('all received', () => idsFrom(before).length >= 500);
  await first.stop();
  const second = await run(id, topic, {});
  expect(await second.waiting()).toBe(0);
  await second.stop();
  expect(idsFrom(before)).toHaveLength(500);
});
