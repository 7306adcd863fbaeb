// A fold with timers through crashes, roll-backs, an emptied store and a log that is away. The judge is the input topic itself:
// its records, folded purely in their order, give the states and effects that must be there; and nothing may wait at the end.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeFoldStore } from '../../ports/fakes/fold-store.ts';
import { fakeLog } from '../../ports/fakes/log.ts';
import { fakeLogger } from '../../ports/fakes/logger.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import type { FoldStore } from '../../ports/fold-store.ts';
import type { LogConsumer, LogProducer } from '../../ports/log.ts';
import { type Topic, topics } from '../../topics.ts';
import { createOutbox } from '../outbox.ts';
import type { Fold, FoldEffect } from './fold.ts';
import { createFoldRunner } from './fold-runner.ts';
import { createTimers } from './timers.ts';

const named = (name: string): Topic => ({ ...topics.results, id: name, name });
const input = named('alarms.v1');
const changelog = named('alarm-changes.v1');
const rings = 'rings.v1';
const rounds = 3;
const partitions = 2;

/** Rings `rounds` times, `delay` ms apart; every wait has a token of its own. */
interface Alarm {
  readonly delay: number;
  readonly epoch: number;
  readonly left: number;
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
    const epoch = (state?.epoch ?? 0) + 1;
    const wait = (delay: number, left: number, effects: FoldEffect[]) => {
      const waitsFor = { token: `${key}.${epoch}`, due: now + delay };
      return {
        state: { delay, epoch, left, waitsFor },
        effects: [...effects, { kind: 'timer', ...waitsFor } as const],
      };
    };
    const waitsFor = state?.waitsFor ?? null;
    const cancels: FoldEffect[] = waitsFor === null ? [] : [{ kind: 'cancel-timer', token: waitsFor.token }];
    if (given.kind === 'start') return wait(given.delay, rounds, cancels);
    if (state === null || waitsFor === null) return { state, effects: [] };
    if (given.kind === 'cancel') return { state: { ...state, epoch, waitsFor: null }, effects: cancels };
    if (given.token !== waitsFor.token || given.due !== waitsFor.due) return { state, effects: [] };
    const ring: FoldEffect = { kind: 'produce', record: { topic: rings, key, value: given.token } };
    return state.left === 1
      ? { state: { ...state, epoch, left: 0, waitsFor: null }, effects: [ring] }
      : wait(state.delay, state.left - 1, [ring]);
  },
  fault(_state, _input, _moment, error) {
    throw new Error(error);
  },
};

type Fault = 'no' | 'before advance' | 'after advance' | 'before the input of a timer' | 'before a removal';

function world() {
  const clock = fakeClock(1_777_377_600_000);
  const names = [input.name, changelog.name, rings, topics.timers.name];
  const log = fakeLog({ clock, topics: Object.fromEntries(names.map((name) => [name, partitions])) });
  const store = fakeFoldStore();
  const logger = fakeLogger();
  const never = new Promise<never>(() => undefined);
  let tokens = 0;
  let fault: Fault = 'no';
  let current: LogConsumer | null = null;

  /** A member and the process around it: when it dies, nothing it calls is done or answered. */
  function member(): LogConsumer {
    let isDead = false;
    const die = (): Promise<never> => {
      isDead = true;
      fault = 'no';
      if (current === consumer) current = null;
      void log.crash(consumer);
      return never;
    };
    const real = log.producer();
    const producer: LogProducer = {
      ...real,
      send(records) {
        if (isDead) return never;
        const isRemoval = records.some(({ topic, value }) => topic === topics.timers.name && value === null);
        const isFire = records.some(({ topic }) => topic === input.name);
        if (fault === 'before a removal' && isRemoval) return die();
        if (fault === 'before the input of a timer' && isFire) return die();
        return real.send(records);
      },
    };
    const wrapped: FoldStore = {
      ...store,
      async advance(...step) {
        if (isDead) return never;
        // Not in a rebuild: a twin of the log waits for the assignments of its members, dead ones too.
        const isStep = step[2].writes.length > 0;
        if (isStep && fault === 'before advance') return die();
        const outcome = await store.advance(...step);
        return isStep && fault === 'after advance' ? die() : outcome;
      },
    };
    const outbox = createOutbox({ producer, clock, logger });
    const common = { service: 'test', client: log, outbox, clock, metrics: fakeMetrics(), logger };
    const onFailure = (error: Error): void => {
      throw error;
    };
    const signal = new AbortController().signal;
    const timers = createTimers({ ...common, input: input.name, signal, onFailure, maxSleepMs: 60_000 });
    const consumer: LogConsumer = log.consumer({
      group: 'alarms',
      topics: [input.name],
      handler: createFoldRunner({
        ...common,
        fold: alarms,
        consumer: () => consumer,
        store: wrapped,
        timers,
        newToken: () => `token-${tokens++}`,
        signal,
      }),
      onFailure,
    });
    return consumer;
  }

  async function ensureMember(): Promise<void> {
    if (current !== null) return;
    current = member();
    await current.start();
  }

  const setFault = (next: Fault): void => {
    fault = next;
  };
  return { clock, log, store, member, ensureMember, setFault };
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('start'), key, delay: fc.constantFrom(1, 500, 3_000, 20_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel'), key }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(0, 400, 3_000, 10_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      { kind: 'before advance' },
      { kind: 'after advance' },
      { kind: 'before the input of a timer' },
      { kind: 'before a removal' },
      { kind: 'roll back' },
      { kind: 'flush' },
      { kind: 'second member' },
      { kind: 'log away' },
    ),
  },
) as fc.Arbitrary<{ kind: string; key?: string; delay?: number; ms?: number }>;

test('whatever fails and however often: states and effects are those of the inputs, and nothing waits for ever', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40, size: 'max' }), async (events) => {
      const { clock, log, store, member, ensureMember, setFault } = world();
      const put = (to: string, value: unknown): Promise<void> =>
        log.producer().send([{ topic: input.name, key: to, value: JSON.stringify(value) }]);
      for (const { kind, key: to = '', delay, ms = 0 } of events) {
        await ensureMember();
        if (kind === 'start' || kind === 'cancel') await put(to, { kind, delay });
        else if (kind === 'wait') await clock.advance(ms);
        else if (kind === 'roll back')
          for (let partition = 0; partition < partitions; partition++)
            store.rollBack({ fold: 'alarms', partition }, 2);
        else if (kind === 'flush') store.flush();
        else if (kind === 'log away') {
          log.failSends(true);
          await clock.advance(7_000);
          log.failSends(false);
        } else if (kind === 'second member') {
          const other = member();
          await other.start();
          await clock.advance(1_500);
          await other.stop();
        } else setFault(kind as Fault);
      }
      setFault('no');
      await ensureMember();
      await clock.advance(120_000);
      // What was rolled back is noticed with the next input of its partition.
      for (const last of ['z0', 'z1', 'z2', 'z3', 'z4', 'z5']) await put(last, { kind: 'cancel' });
      await clock.advance(120_000);

      const states = new Map<string, Alarm | null>();
      const expected = new Set<string>();
      for (const record of log.records(input.name)) {
        const given = JSON.parse(String(record.value)) as AlarmInput;
        if (given.kind === 'timer') expect(given.fired_at).toBeGreaterThanOrEqual(given.due);
        const { partition, offset, timestamp: now } = record;
        const of = String(record.key);
        const step = alarms.step(states.get(of) ?? null, given, { now, partition, offset, key: of });
        states.set(of, step.state);
        for (const effect of step.effects)
          if (effect.kind === 'produce') expected.add(String(effect.record.value));
      }
      for (const [of, state] of states) {
        const stored = [0, 1]
          .map((partition) => store.stateOf({ fold: 'alarms', partition }, of))
          .find((found) => found !== null);
        expect(stored === undefined ? null : JSON.parse(stored.body)).toEqual(state);
        expect(state?.waitsFor ?? null).toBeNull();
      }
      expect(new Set(log.records(rings).map(({ value }) => String(value)))).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});
