// The processes of `bench timers`: one fills the topic, one owns every partition of it and fires.
import { createHash } from 'node:crypto';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import type { FoldEffect } from '@tocsin/topologies/run/fold/fold.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { topics } from '@tocsin/topologies/topics.ts';

export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface TimersReport {
  readonly takeOver: {
    readonly pending: number;
    readonly seconds: number;
    /** JavaScript heap and array buffers after a collection, less those before. */
    readonly heapMegabytes: number;
    /** Of the whole process, with what the runtime itself takes and what reading left behind. */
    readonly rssMegabytes: number;
  };
  readonly steady: { readonly perSecond: number; readonly fired: number; readonly latenessMs: Lateness };
  /** All due in one second; until the last is acknowledged. */
  readonly burst: { readonly timers: number; readonly seconds: number; readonly latenessMs: Lateness };
}

const [mode = '', brokers = '', timerTopic = '', input = '', ...numbers] = process.argv.slice(2);
const partitions = topics.timers.partitions;
const client = await openLogClient({
  client: 'platformatic',
  brokers: brokers.split(','),
  clientId: 'bench',
});
const producer = client.producer();
const runKey = (n: number): string => createHash('sha256').update(String(n)).digest('hex').slice(0, 26);
/** As a playbook's: run, path of the step, iteration, epoch. */
const tokenOf = (n: number): string => `${runKey(n)}.1/steps/notify#0.${n % 7}`;
const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;

function latenessOf(seconds: readonly number[]): Lateness {
  const sorted = [...seconds].sort((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 1_000);
  return { p50: at(0.5), p99: at(0.99), max: Math.round((sorted.at(-1) ?? 0) * 1_000) };
}

async function fill(pending: number): Promise<void> {
  const from = Date.now() + 3_600_000;
  for (let first = 0; first < pending; first += 5_000) {
    const count = Math.min(5_000, pending - first);
    const records = Array.from({ length: count }, (_, k) => {
      const n = first + k;
      const due = from + ((n * 7_919) % pending) * 1_000;
      const value = JSON.stringify({ due, topic: input, key: runKey(n), payload: { step: 'notify' } });
      return { topic: timerTopic, partition: n % partitions, key: `${input}/${tokenOf(n)}`, value };
    });
    await producer.send(records);
  }
}

async function own(rate: number, seconds: number): Promise<TimersReport> {
  let pending = new Map<string, number>();
  let observed: number[] = [];
  const metrics: MetricsPort = {
    count: () => undefined,
    gauge: (_name, value, labels) => void pending.set(labels?.partition ?? '', value),
    observe: (_name, value) => void observed.push(value),
  };
  const silent: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message, fields) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
    error: (message, fields) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
    child: () => silent,
  };
  const logger = silent;
  const stop = new AbortController();
  const outbox = createOutbox({ producer, clock: systemClock, logger });
  const timers = createTimers({
    input,
    topic: timerTopic,
    service: 'bench',
    client,
    outbox,
    clock: systemClock,
    metrics,
    logger,
    signal: stop.signal,
    onFailure: (error) => {
      throw error;
    },
  });
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const set = async (effects: readonly Extract<FoldEffect, { kind: 'timer' }>[]): Promise<void> => {
    const keyed = effects.map((effect) => ({ key: effect.token.slice(0, 26), effect }));
    const of = (n: number): number => n % partitions;
    await outbox.send(keyed.map(({ key, effect }, n) => timers.record(of(n), key, effect)));
    for (let partition = 0; partition < partitions; partition++)
      timers.applied(
        partition,
        keyed.filter((_, n) => of(n) === partition),
      );
  };
  const firedAll = async (count: number): Promise<void> => {
    while (observed.length < count) await systemClock.sleep(20);
  };

  const before = used();
  const startedAt = performance.now();
  for (let partition = 0; partition < partitions; partition++)
    await timers.onAssigned({
      topic: input,
      partition,
      epoch: 1,
      signal: new AbortController().signal,
      complete: () => undefined,
    });
  const loadSeconds = (performance.now() - startedAt) / 1_000;
  const takeOver = {
    pending: [...pending.values()].reduce((sum, value) => sum + value, 0),
    seconds: Math.round(loadSeconds * 10) / 10,
    heapMegabytes: megabytes(used() - before),
    rssMegabytes: megabytes(process.memoryUsage().rss),
  };

  // Timers of about a second, set while others fire, as inputs of a fold set them.
  let next = 1e9;
  const perTick = rate / 20;
  const begin = Date.now();
  for (let tick = 0; tick < seconds * 20; tick++) {
    const now = Date.now();
    await set(
      Array.from({ length: perTick }, (_, k) => ({
        kind: 'timer',
        token: tokenOf(next++),
        due: now + 1_000 + Math.floor((k * 50) / perTick),
      })),
    );
    await systemClock.sleep(Math.max(0, begin + (tick + 1) * 50 - Date.now()));
  }
  await firedAll(perTick * seconds * 20);
  const steady = { perSecond: rate, fired: observed.length, latenessMs: latenessOf(observed) };

  observed = [];
  const size = 100_000;
  const due = Date.now() + 20_000;
  for (let first = 0; first < size; first += 2_400)
    await set(
      Array.from({ length: Math.min(2_400, size - first) }, (_, k) => ({
        kind: 'timer',
        token: tokenOf(next++),
        due: due + ((first + k) % 1_000),
      })),
    );
  if (Date.now() > due) throw new Error('the timers of the burst were not set in time');
  await firedAll(size);
  const burst = {
    timers: size,
    seconds: Math.round((Date.now() - due) / 100) / 10,
    latenessMs: latenessOf(observed),
  };
  pending = new Map();
  stop.abort(new Error('done'));
  return { takeOver, steady, burst };
}

const [first = 0, second = 0] = numbers.map(Number);
if (mode === 'fill') await fill(first);
else process.stdout.write(JSON.stringify(await own(first, second)));
await producer.close();
process.exit(0);
