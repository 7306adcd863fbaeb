// `bench parked`: what commands cost that wait for a dead destination: memory for each, and how fast they are parked and called back.
//
// Invariant: nothing but the worker is measured: the log takes records and forgets them, and what timers write comes back at once.
// Surprise: the clock is the machine's own, but for the hour that nobody waits: commands come back because the destination does.
//
// Usage: node bench/parked.bench.ts [commands]. Prints JSON.
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { fakeEffects } from '@tocsin/topologies/ports/fakes/effects.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { LogProducer, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { createPerformer } from '@tocsin/topologies/run/perform.ts';
import { probeCommand, probeManifest, probeTopic } from '@tocsin/topologies/testing/action-kit.ts';
import { fakeBatch } from '@tocsin/topologies/testing/assignments.ts';
import { assignmentOf } from '@tocsin/topologies/testing/batches.ts';
import { topics } from '@tocsin/topologies/topics.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const count = Number(process.argv[2] ?? 100_000);
const batchSize = 500;

const asset = { id: 'a-1001', name: 'web-01.example.com', ip: '192.0.2.17', tags: ['prod', 'dmz'] };
const data = { finding_id: 'f-91827', title: 'SQL injection in /api/login', severity: 'critical', asset };
const command = (n: number): Command =>
  probeCommand(n, {
    connection: 'dead',
    params: { path: '/hooks/{{data.asset.id}}', body: { text: '{{data.title}}' } },
    subject: { event: { id: `evt-${n}`, event: 'finding.new', timestamp: '2026-04-28T12:00:00Z', data } },
  });

const metrics = fakeMetrics();
const logger = fakeLogger();
const stop = new AbortController();
let down = true;
let delivered = 0;
let offset = 0;
const assignment = assignmentOf({ topic: probeTopic });
const producer: LogProducer = {
  async send(records: readonly OutRecord[]) {
    const fired = records.filter(({ topic }) => topic === probeTopic);
    if (fired.length > 0) void take(fired);
  },
  close: async () => undefined,
};
const common = { service: 'bench', clock: systemClock, metrics, logger, signal: stop.signal };
const outbox = createOutbox({ producer, clock: systemClock, logger });
const onFailure = (error: Error): never => {
  throw error;
};
const client = fakeLog({ clock: systemClock, topics: { [topics.timers.name]: 1 } });
const timers = createTimers({ ...common, client, outbox, input: probeTopic, onFailure });
const effects = fakeEffects();
const performer = createPerformer({
  ...common,
  action: {
    manifest: probeManifest,
    check: () => [],
    preview: () => ({ status: 'done' }),
    async execute() {
      if (down) return { status: 'failed', code: 'connect', retry: 'backoff', detail: 'refused' };
      delivered += 1;
      return { status: 'done' };
    },
  },
  ports: {},
  effects,
  outbox,
  timers,
  connection: async () => ({ config: {} as never, secrets: {} }),
  laneSettings: () => ({
    concurrency: 8,
    ratePerSecond: null,
    breaker: { threshold: 5, initialWaitMs: 30_000, maxWaitMs: 30_000 },
  }),
  onFailure,
});

function take(records: readonly OutRecord[]): Promise<void> {
  const first = offset;
  offset += records.length;
  const values = records.map(({ key, value }) => ({ key: String(key), value: value as string }));
  return performer.onBatch(fakeBatch(probeTopic, values, first), assignment);
}

async function heapBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn += 1) {
    collectGarbage();
    await systemClock.sleep(20);
  }
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

async function until(isDone: () => boolean): Promise<number> {
  const startedAt = performance.now();
  while (!isDone()) await systemClock.sleep(5);
  return performance.now() - startedAt;
}

await performer.startAt?.(assignment);
const before = await heapBytes();
const startedAt = performance.now();
let bytes = 0;
for (let from = 0; from < count; from += batchSize) {
  const records = Array.from({ length: Math.min(batchSize, count - from) }, (_, n) => {
    const value = JSON.stringify(command(from + n + 1));
    bytes += value.length;
    return { topic: probeTopic, key: asset.id, value };
  });
  await take(records);
}
await until(() => assignment.watermark() >= count);
const parkedMs = performance.now() - startedAt;
const held = await heapBytes();
// What the assignment of the bench remembers: a pair and its place for each.
const completed = assignment.completed.length * 48;
const { chars } = timers;
const committed = assignment.watermark();
down = false;
performer.connectionChanged('dead');
const backMs = await until(() => delivered >= count);
process.stdout.write(
  `${JSON.stringify(
    {
      date: new Date().toISOString(),
      machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
      commands: count,
      commandBytes: Math.round(bytes / count),
      parkedCharacters: Math.round(chars / count),
      committedOffset: committed,
      heapMegabytes: Math.round((held - before - completed) / 1e6),
      heapBytesPerCommand: Math.round((held - before - completed) / count),
      parkedPerSecond: Math.round((count / parkedMs) * 1000),
      calledBackPerSecond: Math.round((count / backMs) * 1000),
    },
    null,
    2,
  )}\n`,
);
stop.abort(new Error('over'));
outbox.stop();
process.exit(0);
