// The fold runner on twins: crashes at every step, a store that goes back in time or loses everything, members that overtake
// each other. Whatever happens, the final states are those of the inputs, and effects carry the same ids.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeFoldStore } from '../../ports/fakes/fold-store.ts';
import { fakeLog } from '../../ports/fakes/log.ts';
import { fakeLogger } from '../../ports/fakes/logger.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import type { FoldStore } from '../../ports/fold-store.ts';
import type { BatchHandler, LogConsumer } from '../../ports/log.ts';
import { assignmentOf, batchOf } from '../../testing/batches.ts';
import { type Topic, topics } from '../../topics.ts';
import { createOutbox } from '../outbox.ts';
import type { Fold } from './fold.ts';
import { createFoldRunner } from './fold-runner.ts';

const named = (name: string): Topic => ({ ...topics.results, id: name, name });
const input = named('numbers.v1');
const changelog = named('numbers-changes.v1');

interface Sum {
  readonly total: number;
  readonly count: number;
}

/** Sums numbers by key; every sum that grows past a ten calls for one effect. 13 is a defect, 0 removes the state. */
const sums: Fold<Sum, number> = {
  id: 'sums',
  input,
  changelog,
  read(batch, index) {
    const value = Number(batch.value(index)?.toString());
    const key = batch.key(index)?.toString();
    if (key === undefined || Number.isNaN(value))
      return { refuse: 'no_number', detail: 'no key or no number' };
    return { key, input: value };
  },
  step(state, value, { key, offset }) {
    if (value === 13) throw new Error('thirteen');
    if (value === 0) return { state: null, effects: [] };
    const before = state ?? { total: 0, count: 0 };
    const after = { total: before.total + value, count: before.count + 1 };
    const isPast = Math.floor(after.total / 10) > Math.floor(before.total / 10);
    const record = { topic: 'effects.v1', key, value: `${key}@${offset}:${after.total}` };
    return { state: after, effects: isPast ? [{ kind: 'produce', record }] : [] };
  },
  fault: (state) => ({ state, effects: [] }),
};

function world(partitions = 1, fold = sums) {
  const clock = fakeClock(1_777_377_600_000);
  const names = [input.name, changelog.name, 'effects.v1', topics.deadLetters.name];
  const log = fakeLog({ clock, topics: Object.fromEntries(names.map((name) => [name, partitions])) });
  const store = fakeFoldStore();
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  let tokens = 0;

  function handlerOf(wrapped: FoldStore, consumer: Pick<LogConsumer, 'seek'>): BatchHandler {
    return createFoldRunner({
      fold,
      service: 'test',
      client: log,
      consumer: () => consumer,
      store: wrapped,
      outbox: createOutbox({ producer: log.producer(), clock, logger }),
      timers: null,
      clock,
      newToken: () => `token-${tokens++}`,
      metrics,
      logger,
      signal: new AbortController().signal,
    });
  }

  function member(wrapped: FoldStore = store): LogConsumer {
    const consumer: LogConsumer = log.consumer({
      group: 'sums',
      topics: [input.name],
      handler: handlerOf(wrapped, { seek: (tp, offset) => consumer.seek(tp, offset) }),
      onFailure: (error) => {
        throw error;
      },
    });
    return consumer;
  }

  const put = (key: string, value: number | string): Promise<void> =>
    log.producer().send([{ topic: input.name, key, value: String(value) }]);
  const settle = (): Promise<void> => clock.advance(2_000);
  /** Lets time pass until the promise settles. */
  const inTime = async (promise: Promise<unknown>): Promise<void> => {
    let done = false;
    void promise.finally(() => {
      done = true;
    });
    while (!done) await clock.advance(1_000);
    await promise;
  };
  const texts = (topic: string): string[] => log.records(topic).map(({ value }) => String(value));
  const place = { fold: 'sums', partition: 0 };
  const sumOf = (key: string): Sum | null => {
    const stored = store.stateOf(place, key);
    return stored === null ? null : JSON.parse(stored.body);
  };
  return { log, store, metrics, handlerOf, inTime, member, put, settle, texts, place, sumOf, clock };
}

describe('one member', () => {
  test('states, effects and changes follow the inputs; the offset is committed', async () => {
    const { member, put, settle, texts, sumOf, log, place } = world();
    for (const [key, value] of [
      ['a', 6],
      ['b', 1],
      ['a', 5],
      ['a', 1],
    ] as const)
      await put(key, value);
    await member().start();
    await settle();
    expect([sumOf('a'), sumOf('b')]).toEqual([
      { total: 12, count: 3 },
      { total: 1, count: 1 },
    ]);
    expect(texts('effects.v1')).toEqual(['a@2:11']);
    expect(texts(changelog.name).map((text) => JSON.parse(text))).toMatchObject([
      { key: 'a', version: 1, offset: 0, state: { total: 6 } },
      { key: 'b', version: 1, offset: 1 },
      { key: 'a', version: 2, offset: 2, state: { total: 11 } },
      { key: 'a', version: 3, offset: 3 },
    ]);
    expect(log.committed('sums', { topic: input.name, partition: place.partition })).toBe(4);
  });

  test('what is no input, and a step that throws, are dead letters; the others go on', async () => {
    const { member, put, settle, texts, sumOf, metrics } = world();
    for (const value of [5, 'x', 13, 2]) await put('a', value);
    await member().start();
    await settle();
    expect(sumOf('a')).toEqual({ total: 7, count: 2 });
    expect(texts(topics.deadLetters.name)).toEqual(['x', '13']);
    expect(metrics.total('tocsin_dead_letters_total', { reason: 'no_number' })).toBe(1);
    expect(metrics.total('tocsin_dead_letters_total', { reason: 'step_failed' })).toBe(1);
  });

  test('what steps ask for is brought about before them, from the states before', async () => {
    const asked: unknown[] = [];
    let ready = (): void => undefined;
    const prepare: Fold<Sum, number>['prepare'] = (inputs) => {
      asked.push(inputs.map(({ state, input: value }) => [state?.total ?? null, value]));
      return new Promise((resolve) => {
        ready = resolve;
      });
    };
    const { member, put, settle, sumOf } = world(1, { ...sums, prepare });
    await put('a', 6);
    await member().start();
    await settle();
    expect([asked, sumOf('a')]).toEqual([[[[null, 6]]], null]);
    ready();
    await settle();
    expect(sumOf('a')).toEqual({ total: 6, count: 1 });
    await put('a', 5);
    await put('b', 1);
    await settle();
    ready();
    await settle();
    ready();
    await settle();
    expect(asked.flat()).toEqual([
      [null, 6],
      [6, 5],
      [null, 1],
    ]);
  });

  test('a partition that is lost meanwhile is left as it was', async () => {
    const prepare: Fold<Sum, number>['prepare'] = (_inputs, gone) =>
      new Promise((_resolve, reject) => gone.addEventListener('abort', () => reject(gone.reason)));
    const { member, put, settle, sumOf, texts, inTime } = world(1, { ...sums, prepare });
    await put('a', 6);
    const only = member();
    await only.start();
    await settle();
    await inTime(only.stop());
    expect([sumOf('a'), texts(changelog.name)]).toEqual([null, []]);
  });

  test('a state is read again after half a day, because the store may have forgotten it', async () => {
    const { member, put, settle, store, clock } = world();
    const loads: string[] = [];
    const counting: FoldStore = {
      ...store,
      load: (place, token, from, keys) => {
        loads.push(...keys);
        return store.load(place, token, from, keys);
      },
    };
    await member(counting).start();
    for (const wait of [0, 11 * 3_600_000, 11 * 3_600_000, 13 * 3_600_000]) {
      await clock.advance(wait);
      await put('a', 1);
      await settle();
    }
    expect(loads).toEqual(['a', 'a']);
  });

  test('a removed state begins anew', async () => {
    const { member, put, settle, sumOf } = world();
    for (const value of [5, 0, 3]) await put('a', value);
    await member().start();
    await settle();
    expect(sumOf('a')).toEqual({ total: 3, count: 1 });
  });
});

describe('the store', () => {
  test('does not answer for a while: nothing moves, then everything', async () => {
    const { member, put, settle, sumOf, store } = world();
    let down = true;
    const flaky: FoldStore = {
      ...store,
      advance: (...step) => (down ? Promise.reject(new Error('down')) : store.advance(...step)),
    };
    await put('a', 5);
    await member(flaky).start();
    await settle();
    expect(sumOf('a')).toBeNull();
    down = false;
    await settle();
    expect(sumOf('a')).toEqual({ total: 5, count: 1 });
  });

  test('applied the step although it said no: nothing is applied twice', async () => {
    const { member, put, settle, sumOf, store } = world();
    let failures = 1;
    const timeout: FoldStore = {
      ...store,
      async advance(...step) {
        const outcome = await store.advance(...step);
        if (failures-- > 0) throw new Error('timeout');
        return outcome;
      },
    };
    await put('a', 5);
    await member(timeout).start();
    await settle();
    await put('a', 6);
    await settle();
    expect(sumOf('a')).toEqual({ total: 11, count: 2 });
  });

  test('went back in time: inputs are replayed with the same effects', async () => {
    const { member, put, settle, sumOf, store, place, texts, metrics } = world();
    await member().start();
    for (const value of [6, 5, 9, 2]) {
      await put('a', value);
      await settle();
    }
    const before = texts('effects.v1');
    store.rollBack(place, 3);
    expect(sumOf('a')).toEqual({ total: 6, count: 1 });
    await put('a', 1);
    await settle();
    expect(sumOf('a')).toEqual({ total: 23, count: 5 });
    expect(new Set(texts('effects.v1'))).toEqual(new Set(before));
    expect(metrics.total('tocsin_fold_rewinds_total', { reason: 'offset' })).toBeGreaterThan(0);
  });

  test('lost everything: states come back from the changelog', async () => {
    const { member, put, settle, sumOf, store, log } = world();
    const first = member();
    await first.start();
    for (const [key, value] of [
      ['a', 6],
      ['b', 4],
      ['a', 5],
      ['b', 0],
    ] as const)
      await put(key, value);
    await settle();
    await log.crash(first);
    store.flush();
    await member().start();
    await put('a', 1);
    await settle();
    expect([sumOf('a'), sumOf('b')]).toEqual([{ total: 12, count: 3 }, null]);
  });

  test('lost everything under a running member', async () => {
    const { member, put, settle, sumOf, store } = world();
    await member().start();
    await put('a', 6);
    await settle();
    store.flush();
    await put('a', 5);
    await settle();
    expect(sumOf('a')).toEqual({ total: 11, count: 2 });
  });
});

test('records that the store has applied already change nothing', async () => {
  const { handlerOf, store, place, sumOf, texts } = world();
  const handler = handlerOf(store, { seek: () => undefined });
  const assignment = assignmentOf({ topic: input.name });
  expect(await handler.startAt?.(assignment)).toBeNull();
  const batch = batchOf(['4', '5'], { topic: input.name, key: Buffer.from('a') });
  await handler.onBatch(batch, assignment);
  await handler.onBatch(batch, assignment);
  await handler.onBatch(
    batchOf(['5', '6'], { topic: input.name, key: Buffer.from('a'), offset: 1 }),
    assignment,
  );
  expect([sumOf('a'), store.offsetOf(place)]).toEqual([{ total: 15, count: 3 }, 2]);
  expect(texts('effects.v1')).toEqual(['a@2:15']);
});

test('batches that come together are one step, and complete up to the end of the last', async () => {
  const { handlerOf, store, place, sumOf } = world();
  let advances = 0;
  const counting: FoldStore = {
    ...store,
    advance: (...step) => {
      advances += 1;
      return store.advance(...step);
    },
  };
  const handler = handlerOf(counting, { seek: () => undefined });
  const completed: [number, number][] = [];
  const assignment = {
    ...assignmentOf({ topic: input.name }),
    complete: (first: number, next: number) => void completed.push([first, next]),
  };
  await handler.startAt?.(assignment);
  const key = Buffer.from('a');
  const batches = ['4', '5', '6'].map((value, n) =>
    batchOf([value], { topic: input.name, key, offset: n * 2, nextOffset: n * 2 + 2 }),
  );
  await handler.onBatches?.(batches, assignment);
  expect([sumOf('a'), store.offsetOf(place), advances]).toEqual([{ total: 15, count: 3 }, 4, 1]);
  expect(completed).toEqual([[0, 6]]);
});

test('whatever fails and however often, the states are those of the inputs, and no effect has another id', async () => {
  const event = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 12 })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('crash before', 'crash after', 'roll back', 'flush', 'second member'),
    },
  );
  let faults = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40, size: 'max' }), async (events) => {
      const run = world();
      const expected = new Map<string, number>();
      const effects: string[] = [];
      let offset = 0;
      let mode: 'no' | 'before' | 'after' = 'no';
      let current: LogConsumer | null = null;
      const never = new Promise<never>(() => undefined);
      /** The store of one process; a dead process never hears from it again. */
      const storeOf = (): FoldStore => ({
        ...run.store,
        async advance(...step) {
          // A death while partitions are handed out would need the session timeout, which the log in memory does not have.
          const now = step[2].writes.length > 0 ? mode : 'no';
          if (now !== 'no') mode = 'no';
          if (now === 'after') await run.store.advance(...step);
          if (now === 'no' || current === null) return run.store.advance(...step);
          const dead = current;
          current = null;
          void run.log.crash(dead);
          return never;
        },
      });
      const start = async (): Promise<void> => {
        current = run.member(storeOf());
        await run.inTime(current.start());
        await run.settle();
      };
      await start();
      for (const step of events) {
        if (typeof step !== 'string') {
          const [key, value] = step;
          await run.put(key, value);
          const before = expected.get(key) ?? 0;
          const after = value === 0 ? 0 : before + value;
          expected.set(key, after);
          if (Math.floor(after / 10) > Math.floor(before / 10)) effects.push(`${key}@${offset}:${after}`);
          offset += 1;
          await run.settle();
          if (current === null) await start();
          continue;
        }
        faults += 1;
        if (step === 'crash before') mode = 'before';
        if (step === 'crash after') mode = 'after';
        if (step === 'roll back') run.store.rollBack(run.place, 2);
        if (step === 'flush') run.store.flush();
        if (step === 'second member') {
          const other = run.member();
          await run.inTime(other.start());
          await run.settle();
          await run.inTime(other.stop());
          await run.settle();
        }
      }
      mode = 'no';
      await run.put('end', 1);
      await run.settle();
      if (current === null) await start();
      for (const [key, total] of expected) expect(run.sumOf(key)?.total ?? 0).toBe(total);
      expect(new Set(run.texts('effects.v1'))).toEqual(new Set(effects));
    }),
    { numRuns: 60 },
  );
  expect(faults).toBeGreaterThan(50);
});
