// A fold with timers on real Kafka and Redis: its members die between effects and state, Redis loses everything, others take
// over. Every timer fires, none early, and the states are those of the inputs.
import { randomUUID } from 'node:crypto';
import { kafkaBrokers, redisUrl, uniqueName } from '@tocsin/testing/servers.ts';
import { topicSpec } from '@tocsin/topologies/all-topics.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { FoldStore } from '@tocsin/topologies/ports/fold-store.ts';
import type { LogClient, LogConsumer, LogProducer } from '@tocsin/topologies/ports/log.ts';
import type { Fold, FoldEffect } from '@tocsin/topologies/run/fold/fold.ts';
import { createFoldRunner } from '@tocsin/topologies/run/fold/fold-runner.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { type Topic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../clock/system.ts';
import { createLogClient } from '../log/conformance/create-client.ts';
import { connectRedis } from '../redis/connect.ts';
import { createRedisFoldStore } from './redis.ts';

const partitions = 3;
const rounds = 3;
const base = uniqueName('alarms');
const named = (part: string): Topic => ({ ...topics.results, id: part, name: `${base}-${part}`, partitions });
const input = named('input');
const changelog = named('changes');
const rings = named('rings');
const timerTopic: Topic = { ...topics.timers, name: `${base}-timers`, partitions };
const prefix = `${base}:`;
const logger = fakeLogger();

/** Rings `rounds` times, `delay` ms apart, unless cancelled. */
interface Alarm {
  readonly delay: number;
  readonly round: number;
  readonly waitsFor: { readonly token: string; readonly due: number } | null;
}

type AlarmInput =
  | { readonly kind: 'start'; readonly delay: number }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'timer'; readonly token: string; readonly due: number; readonly fired_at: number };

const alarms: Fold<Alarm, AlarmInput> = {
  id: 'alarms',
  input,
  changelog,
  read: (batch, index) => ({
    key: String(batch.key(index)),
    input: JSON.parse(String(batch.value(index))),
  }),
  step(state, given, { now, key }) {
    const waiting = (round: number, delay: number, effects: FoldEffect[]) => {
      const waitsFor = { token: `${key}.${round}`, due: now + delay };
      const timer: FoldEffect = { kind: 'timer', ...waitsFor, payload: { round } };
      return { state: { delay, round, waitsFor }, effects: [...effects, timer] };
    };
    if (given.kind === 'start') return state === null ? waiting(0, given.delay, []) : { state, effects: [] };
    if (state === null || state.waitsFor === null) return { state, effects: [] };
    const { waitsFor, round, delay } = state;
    if (given.kind === 'cancel')
      return {
        state: { ...state, waitsFor: null },
        effects: [{ kind: 'cancel-timer', token: waitsFor.token }],
      };
    if (given.token !== waitsFor.token || given.due !== waitsFor.due) return { state, effects: [] };
    const ring: FoldEffect = { kind: 'produce', record: { topic: rings.name, key, value: waitsFor.token } };
    return round + 1 === rounds
      ? { state: { delay, round: rounds, waitsFor: null }, effects: [ring] }
      : waiting(round + 1, delay, [ring]);
  },
  fault: (state) => ({ state, effects: [] }),
};

const client: LogClient = createLogClient({
  client: 'platformatic',
  brokers: kafkaBrokers().split(','),
  clientId: 'fold-test',
});
const redis = connectRedis({ url: redisUrl(), name: 'fold-runner-test', logger });
const producer = client.producer();

beforeAll(async () => {
  const admin = client.admin();
  await admin.ensureTopics([input, changelog, rings, timerTopic].map((topic) => topicSpec(topic, 1)));
  await admin.close();
});
afterAll(async () => {
  await producer.close();
  await redis.quit();
});

/** A member that can die: from then on nothing it calls answers, and its partitions go to others. */
async function startMember() {
  let isDead = false;
  let isDying = false;
  let advancesRefused = 0;
  const never = new Promise<never>(() => undefined);
  const alive = <T>(call: () => Promise<T>): Promise<T> => (isDead ? never : call());
  const real = createRedisFoldStore(redis, prefix);
  const store: FoldStore = {
    claim: (...given) => alive(() => real.claim(...given)),
    load: (...given) => alive(() => real.load(...given)),
    advance: (...given) => {
      if (!isDying) return alive(() => real.advance(...given));
      advancesRefused += 1;
      return never;
    },
    restore: (...given) => alive(() => real.restore(...given)),
    clear: (...given) => alive(() => real.clear(...given)),
    overdue: (...given) => real.overdue(...given),
    tallies: (...given) => real.tallies(...given),
  };
  const mortal: LogProducer = { ...producer, send: (records) => alive(() => producer.send(records)) };
  const stop = new AbortController();
  const fail = (error: Error): void => {
    throw error;
  };
  const outbox = createOutbox({ producer: mortal, clock: systemClock, logger });
  const metrics = fakeMetrics();
  const common = {
    service: 'test',
    client,
    outbox,
    clock: systemClock,
    metrics,
    logger,
    signal: stop.signal,
  };
  const timers = createTimers({ ...common, input: input.name, topic: timerTopic.name, onFailure: fail });
  const consumer: LogConsumer = client.consumer({
    group: base,
    topics: [input.name],
    drainMs: 300,
    handler: createFoldRunner({
      ...common,
      fold: alarms,
      consumer: () => consumer,
      store,
      timers,
      newToken: randomUUID,
    }),
    onFailure: fail,
  });
  await consumer.start();
  return {
    metrics,
    /** Dies once the effects of a step are in the log and its states are not in the store. */
    async die() {
      isDying = true;
      await expect.poll(() => advancesRefused, { timeout: 10_000, interval: 5 }).toBeGreaterThan(0);
      isDead = true;
      await consumer.stop();
    },
    async stop() {
      await consumer.stop();
      stop.abort(new Error('stop'));
    },
  };
}

async function flushStates(): Promise<number> {
  const keys = await redis.keys(`${prefix}*`);
  return keys.length === 0 ? 0 : await redis.del(...keys);
}

async function stateOf(key: string): Promise<Alarm | null> {
  const bodies = await Promise.all(
    Array.from({ length: partitions }, (_, n) => redis.hget(`${prefix}{alarms-${n}}:s:${key}`, 'b')),
  );
  const found = bodies.filter((body) => body !== null);
  expect(found.length).toBeLessThan(2);
  return found[0] === undefined ? null : JSON.parse(found[0]);
}

async function textsOf(topic: string): Promise<string[]> {
  const texts: string[] = [];
  const table = client.table({
    topic,
    onBatch: (batch) => {
      for (let index = 0; index < batch.count; index++) texts.push(String(batch.value(index)));
    },
  });
  await table.start();
  await table.stop();
  return texts;
}

it('members die, Redis is emptied: every timer fires, none early, states and effects are those of the inputs', async () => {
  const keys = Array.from({ length: 90 }, (_, n) => `alarm-${n}`);
  const send = (key: string, value: AlarmInput) =>
    producer.send([{ topic: input.name, key, value: JSON.stringify(value) }]);
  const cancelled = new Set(keys.filter((_, n) => n % 9 === 0));
  const ringing = keys.filter((key) => !cancelled.has(key));

  const first = await startMember();
  await Promise.all(
    keys.map((key, n) => send(key, { kind: 'start', delay: cancelled.has(key) ? 1_500 : 400 + n * 10 })),
  );
  await Promise.all([...cancelled].map((key) => send(key, { kind: 'cancel' })));
  await systemClock.sleep(900);
  await first.die();
  expect(await flushStates()).toBeGreaterThan(0);

  const next = await startMember();
  await systemClock.sleep(1_200);
  await next.die();
  const last = await startMember();
  await expect
    .poll(
      async () => (await Promise.all(ringing.map(stateOf))).filter((state) => state?.round === rounds).length,
      {
        timeout: 30_000,
        interval: 200,
      },
    )
    .toBe(ringing.length);
  await systemClock.sleep(1_000);
  await last.stop();

  for (const key of cancelled) expect(await stateOf(key)).toMatchObject({ round: 0, waitsFor: null });
  const expected = ringing.flatMap((key) => [0, 1, 2].map((round) => `${key}.${round}`)).sort();
  const rung = await textsOf(rings.name);
  expect([...new Set(rung)].sort()).toEqual(expected);
  const fires = (await textsOf(input.name))
    .map((text) => JSON.parse(text) as AlarmInput & { round: number })
    .filter((given) => given.kind === 'timer');
  expect([...new Set(fires.map(({ token }) => token))].sort()).toEqual(expected);
  for (const { due, fired_at, token, round } of fires) {
    expect(fired_at).toBeGreaterThanOrEqual(due);
    expect(token.endsWith(`.${round}`)).toBe(true);
  }
  // The three members saw what they were meant to.
  expect(first.metrics.total('tocsin_fold_inputs_total')).toBeGreaterThan(keys.length);
  expect(next.metrics.total('tocsin_fold_rebuilds_total')).toBeGreaterThan(0);
  expect(last.metrics.observed('tocsin_timer_lateness_seconds').length).toBeGreaterThan(0);
});
