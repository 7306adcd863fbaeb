// Timers on twins: never early, in due order, none lost and none fired for nothing, whatever crashes, jumps or is away.
import { describe, expect, test } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeLog } from '../../ports/fakes/log.ts';
import { fakeLogger } from '../../ports/fakes/logger.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import { type LogClient, LogError, type LogProducer } from '../../ports/log.ts';
import { assignmentOf, type HandMadeAssignment } from '../../testing/batches.ts';
import { topics } from '../../topics.ts';
import { createOutbox, type Outbox } from '../outbox.ts';
import type { FoldEffect } from './fold.ts';
import type { FoldTimers } from './fold-runner.ts';
import { createTimers } from './timers.ts';

const start = 1_777_377_600_000;
const second = 1_000;
const day = 86_400 * second;
const input = 'runs.v1';

interface Fire {
  readonly token: string;
  readonly due: number;
  readonly fired_at: number;
}

function world() {
  const clock = fakeClock(start);
  const log = fakeLog({
    clock,
    topics: { [input]: 2, 'other.v1': 2, [topics.timers.name]: 2, [topics.deadLetters.name]: 1 },
  });
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const failures: Error[] = [];
  /** Difference between the wall clock and the time that passes. */
  let shift = 0;
  const wall = { ...clock, now: () => clock.now() + shift };

  function member(
    parts: { partition?: number; producer?: LogProducer; client?: LogClient; to?: string } = {},
  ) {
    const { partition = 0, producer = log.producer(), client = log, to = input } = parts;
    const stop = new AbortController();
    const outbox = createOutbox({ producer, clock, logger });
    const timers = createTimers({
      input: to,
      service: 'test',
      client,
      outbox,
      clock: wall,
      metrics,
      logger,
      signal: stop.signal,
      onFailure: (error) => failures.push(error),
      maxSleepMs: day / 24,
    });
    const assignment = assignmentOf({ topic: to, partition });
    return { timers, outbox, assignment, partition, stop: () => stop.abort(new Error('stop')) };
  }

  async function started(parts: Parameters<typeof member>[0] = {}) {
    const made = member(parts);
    await made.timers.onAssigned(made.assignment);
    return made;
  }

  const fires = (partition = 0, topic = input): Fire[] => {
    const found: Fire[] = log
      .records(topic)
      .filter((record) => record.partition === partition)
      .map(({ value }) => JSON.parse(String(value)));
    expect(found.filter(({ due, fired_at }) => fired_at < due)).toEqual([]);
    return found;
  };
  const tokens = (partition = 0): string[] => fires(partition).map(({ token }) => token);
  const jump = (ms: number): void => {
    shift += ms;
  };
  const now = (): number => wall.now();
  return { clock, log, metrics, logger, failures, member, started, fires, tokens, jump, now };
}

type Member = { timers: FoldTimers; outbox: Outbox; partition: number; assignment: HandMadeAssignment };

/** What a fold does with the effects of a step. */
async function apply(
  { timers, outbox, partition }: Member,
  ...effects: readonly FoldEffect[]
): Promise<void> {
  const keyed = effects.map((effect) => ({ key: 'run-1', effect }));
  await outbox.send(
    keyed.map(({ key, effect }) =>
      timers.record(partition, key, effect as Exclude<FoldEffect, { kind: 'produce' }>),
    ),
  );
  timers.applied(partition, keyed);
}

const timer = (token: string, due: number, payload?: Record<string, unknown>): FoldEffect => ({
  kind: 'timer',
  token,
  due,
  ...(payload === undefined ? {} : { payload }),
});
const cancel = (token: string): FoldEffect => ({ kind: 'cancel-timer', token });

describe('one owner', () => {
  test('a timer becomes one input at its time, in its partition, with its key and payload', async () => {
    const { clock, log, started, tokens, metrics } = world();
    const owner = await started({ partition: 1 });
    await apply(owner, timer('t.1', start + second, { kind: 'no', step: 'ask' }));
    await clock.advance(second - 1);
    expect(tokens(1)).toEqual([]);
    expect(metrics.value('tocsin_timers_pending', { topic: input, partition: '1' })).toBe(1);
    await clock.advance(1);
    await clock.advance(day);
    const records = log.records(input);
    expect(records.map(({ partition, key }) => [partition, String(key)])).toEqual([[1, 'run-1']]);
    expect(JSON.parse(String(records[0]?.value))).toEqual({
      step: 'ask',
      kind: 'timer',
      token: 't.1',
      due: start + second,
      fired_at: start + second,
    });
    const kept = log.records(topics.timers.name);
    expect(kept.map(({ partition, key, value }) => [partition, String(key), value === null])).toEqual([
      [1, 'runs.v1/t.1', false],
      [1, 'runs.v1/t.1', true],
    ]);
    expect(metrics.value('tocsin_timers_pending', { topic: input, partition: '1' })).toBe(0);
    expect(metrics.observed('tocsin_timer_lateness_seconds', { topic: input })).toEqual([0]);
  });

  test('timers of 1 s, 24.9 d and 30 d fire at their times; ties by token; a sooner one wakes the sleeper', async () => {
    const { clock, started, fires } = world();
    const owner = await started();
    const dues = { a: 30 * day, b: 24.9 * day, d: second, c: second, e: second + 5 };
    for (const [token, after] of Object.entries(dues)) await apply(owner, timer(token, start + after));
    await clock.advance(31 * day);
    expect(fires().map(({ token, fired_at }) => [token, fired_at - start])).toEqual([
      ['c', second],
      ['d', second],
      ['e', second + 5],
      ['b', 24.9 * day],
      ['a', 30 * day],
    ]);
  });

  test('a cancelled timer does not fire; cancelling what is not there is harmless', async () => {
    const { clock, started, tokens } = world();
    const owner = await started();
    await apply(owner, timer('a', start + second), timer('b', start + second), timer('c', start + second));
    await apply(owner, cancel('b'), cancel('unknown'));
    await apply(owner, timer('x', start + second), cancel('x'));
    await clock.advance(day);
    expect(tokens()).toEqual(['a', 'c']);
  });

  test('a timer set again moves, forward and back', async () => {
    const { clock, started, fires } = world();
    const owner = await started();
    await apply(owner, timer('a', start + second), timer('b', start + day));
    await apply(owner, timer('a', start + 5 * second), timer('b', start + 2 * second));
    await clock.advance(2 * day);
    expect(fires().map(({ token, due, fired_at }) => [token, due - start, fired_at - start])).toEqual([
      ['b', 2 * second, 2 * second],
      ['a', 5 * second, 5 * second],
    ]);
  });

  test('a pending timer may be hastened, in memory only; what is not pending may not', async () => {
    const { clock, started, fires } = world();
    const owner = await started();
    await apply(owner, timer('a', start + day, { n: 1 }), timer('b', start + day));
    const { timers } = owner;
    expect([timers.has(0, 'a'), timers.has(0, 'x'), timers.has(1, 'a')]).toEqual([true, false, false]);
    const seen: unknown[] = [];
    timers.each(0, (token, due, payload) => seen.push([token, due - start, payload]));
    expect(seen).toEqual([
      ['a', day, { n: 1 }],
      ['b', day, {}],
    ]);
    expect(timers.chars).toBe('a["run-1",{"n":1}]b["run-1"]'.length);
    await clock.advance(10);
    expect([timers.hasten(0, 'a', start + 20), timers.hasten(0, 'x', 0)]).toEqual([true, false]);
    await clock.advance(10);
    expect(fires().map(({ token, fired_at }) => [token, fired_at - start])).toEqual([['a', 20]]);
    // Another owner knows the time in the log, which is never sooner.
    expect(timers.hasten(0, 'b', start + second)).toBe(true);
    timers.onRevoked(0);
    expect([timers.has(0, 'b'), timers.chars]).toEqual([false, 0]);
    await started();
    await clock.advance(2 * second);
    expect(fires().length).toBe(1);
    await clock.advance(day);
    expect(fires().map(({ token }) => token)).toEqual(['a', 'b']);
  });

  test('one that came too early waits before it fires again; the next owner goes by its time', async () => {
    const { clock, started, tokens } = world();
    const owner = await started();
    await apply(owner, { kind: 'timer', token: 'a', due: start - second, after: 30 * second });
    await clock.advance(29 * second);
    expect(tokens()).toEqual([]);
    await clock.advance(2 * second);
    expect(tokens()).toEqual(['a']);
    await apply(owner, { kind: 'timer', token: 'b', due: start + 40 * second, after: 3_600 * second });
    owner.assignment.revoke();
    await started();
    await clock.advance(10 * second);
    expect(tokens()).toEqual(['a', 'b']);
  });

  test('a wall clock set back an hour fires nothing early; set forward, what is due then', async () => {
    const { clock, started, tokens, jump } = world();
    const owner = await started();
    await apply(owner, timer('a', start + 60 * second), timer('b', start + 2 * day));
    jump(-3_600 * second);
    await clock.advance(3_600 * second);
    expect(tokens()).toEqual([]);
    await clock.advance(60 * second);
    expect(tokens()).toEqual(['a']);
    jump(2 * day);
    await clock.advance(3_600 * second);
    expect(tokens()).toEqual(['a', 'b']);
  });

  test('B10: 100,000 due in one second: all, in due order, in slices', async () => {
    const { clock, log, started, fires, metrics, jump } = world();
    const sizes: number[] = [];
    const real = log.producer();
    const producer: LogProducer = {
      ...real,
      send(records) {
        sizes.push(records.length);
        return real.send(records);
      },
    };
    const owner = await started({ producer });
    const all = Array.from({ length: 100_000 }, (_, n) =>
      timer(`t${n}`, start + day + ((n * 7_919) % 1_000)),
    );
    await apply(owner, ...all);
    sizes.length = 0;
    // The owner sleeps through it all, as in an outage.
    jump(2 * day);
    await clock.advance(3_600 * second);
    const fired = fires();
    expect(new Set(fired.map(({ token }) => token)).size).toBe(100_000);
    expect(fired).toHaveLength(100_000);
    for (let n = 1; n < fired.length; n++) expect(fired[n]!.due).toBeGreaterThanOrEqual(fired[n - 1]!.due);
    expect(Math.max(...sizes)).toBe(500);
    expect(metrics.observed('tocsin_timer_lateness_seconds')).toHaveLength(100_000);
  });

  test('timers of another topic in the same partition are left alone', async () => {
    const { clock, started, fires } = world();
    const [one, two] = [await started(), await started({ to: 'other.v1' })];
    await apply(one, timer('same', start + second));
    await apply(two, timer('same', start + 2 * second));
    one.timers.onRevoked(0);
    two.timers.onRevoked(0);
    await started();
    await started({ to: 'other.v1' });
    await clock.advance(day);
    expect(fires().map(({ due }) => due - start)).toEqual([second]);
    expect(fires(0, 'other.v1').map(({ due }) => due - start)).toEqual([2 * second]);
  });

  test('what is no timer in the topic is reported and harms no other', async () => {
    const { clock, log, started, tokens, logger } = world();
    const bad = ['{', '[]', '{"due":"soon","key":"k"}', '{"due":1}', '{"due":1,"key":"k","payload":3}'];
    await log.producer().send([
      ...bad.map((value, n) => ({
        topic: topics.timers.name,
        partition: 0,
        key: `runs.v1/bad${n}`,
        value,
      })),
      { topic: topics.timers.name, partition: 0, key: null, value: 'x' },
      { topic: topics.timers.name, partition: 0, key: 'runs.v1/good', value: '{"due":1,"key":"k"}' },
    ]);
    await started();
    await clock.advance(second);
    expect(tokens()).toEqual(['good']);
    expect(logger.entries.filter(({ level }) => level === 'error')).toHaveLength(bad.length);
  });
});

describe('owners that end and begin', () => {
  test('the next owner has what is pending, and only that', async () => {
    const { clock, started, tokens, fires } = world();
    const first = await started();
    await apply(
      first,
      timer('fired', start + second),
      timer('cancelled', start + day),
      timer('moved', start + day),
    );
    await apply(first, timer('pending', start + day), cancel('cancelled'), timer('moved', start + 3 * day));
    await clock.advance(second);
    first.assignment.revoke();
    await started();
    await clock.advance(4 * day);
    expect(tokens()).toEqual(['fired', 'pending', 'moved']);
    expect(fires()[2]?.fired_at).toBe(start + 3 * day);
  });

  test.each(['revoked', 'service stopped', 'assignment aborted'])(
    '%s: nothing fires any more',
    async (how) => {
      const { clock, started, tokens } = world();
      const owner = await started();
      await apply(owner, timer('a', start + second));
      if (how === 'revoked') owner.timers.onRevoked(0);
      else if (how === 'service stopped') owner.stop();
      else owner.assignment.revoke();
      await clock.advance(day);
      expect(tokens()).toEqual([]);
      expect(clock.sleepers()).toBe(0);
    },
  );

  test('a crash between input and removal fires again, with the same token and due time', async () => {
    const { clock, log, started, fires } = world();
    const real = log.producer();
    const never = new Promise<void>(() => undefined);
    const producer: LogProducer = {
      ...real,
      send: (records) => (records.some(({ value }) => value === null) ? never : real.send(records)),
    };
    const first = await started({ producer });
    await apply(first, timer('a', start + second), timer('b', start + day));
    await clock.advance(second);
    expect(fires()).toHaveLength(1);
    first.assignment.revoke();
    await started();
    await clock.advance(2 * day);
    expect(fires().map(({ token, due }) => [token, due - start])).toEqual([
      ['a', second],
      ['a', second],
      ['b', day],
    ]);
  });

  test('a crash before the input: the next owner fires', async () => {
    const { clock, log, started, tokens } = world();
    const real = log.producer();
    const producer: LogProducer = {
      ...real,
      send: (records) =>
        records.some(({ topic }) => topic === input) ? new Promise(() => undefined) : real.send(records),
    };
    const first = await started({ producer });
    await apply(first, timer('a', start + second));
    await clock.advance(2 * second);
    expect(tokens()).toEqual([]);
    first.assignment.revoke();
    await started();
    await clock.advance(2 * second);
    expect(tokens()).toEqual(['a']);
  });

  test('five owners one after the other: three timers, each once, none early', async () => {
    const { clock, started, fires, jump } = world();
    let owner = await started();
    await apply(
      owner,
      timer('s', start + second),
      timer('l', start + 24.9 * day),
      timer('m', start + 30 * day),
    );
    for (const shift of [3_600, -3_600, -3_600, 3_600, 0]) {
      jump(shift * second);
      await clock.advance(5 * day);
      owner.assignment.revoke();
      owner = await started();
    }
    await clock.advance(10 * day);
    expect(fires().map(({ token }) => token)).toEqual(['s', 'l', 'm']);
  });

  test('two members, each with its partitions; one takes over', async () => {
    const { clock, started, tokens } = world();
    const [one, two] = [await started({ partition: 0 }), await started({ partition: 1 })];
    for (const member of [one, two])
      await apply(
        member,
        timer(`now-${member.partition}`, start + second),
        timer(`later-${member.partition}`, start + day),
      );
    await clock.advance(second);
    two.assignment.revoke();
    await one.timers.onAssigned(assignmentOf({ topic: input, partition: 1 }));
    await clock.advance(2 * day);
    expect([tokens(0), tokens(1)]).toEqual([
      ['now-0', 'later-0'],
      ['now-1', 'later-1'],
    ]);
  });

  test('the timers cannot be read at first: the partition waits for them', async () => {
    const { clock, log, member, tokens } = world();
    const first = member();
    await first.timers.onAssigned(first.assignment);
    await apply(first, timer('a', start + second));
    first.assignment.revoke();
    let failures = 3;
    const client: LogClient = {
      ...log,
      table: (options) =>
        failures-- > 0
          ? { start: () => Promise.reject(new Error('away')), stop: async () => undefined }
          : log.table(options),
    };
    const next = member({ client });
    let ready = false;
    const assigned = next.timers.onAssigned(next.assignment).then(() => {
      ready = true;
    });
    await clock.advance(second);
    expect(ready).toBe(false);
    await clock.advance(second);
    await assigned;
    await clock.advance(second);
    expect(tokens()).toEqual(['a']);
  });
});

describe('while inputs of timers are on their way', () => {
  /** Sends to the input topic wait until let go. */
  async function held() {
    const made = world();
    const real = made.log.producer();
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const producer: LogProducer = {
      ...real,
      async send(records) {
        if (records.some(({ topic }) => topic === input)) await gate;
        return real.send(records);
      },
    };
    const owner = await made.started({ producer });
    await apply(owner, timer('a', start + second), timer('b', start + second));
    await made.clock.advance(second);
    return { ...made, owner, go };
  }

  test('a timer that is set again is pending for the next owner', async () => {
    const { clock, owner, go, started, fires } = await held();
    const moving = apply(owner, timer('a', start + day));
    go();
    await moving;
    await clock.advance(second);
    owner.assignment.revoke();
    await started();
    await clock.advance(2 * day);
    expect(fires().map(({ token, due }) => [token, due - start])).toEqual([
      ['a', second],
      ['b', second],
      ['a', day],
    ]);
  });

  test('a cancel is harmless, and is not undone', async () => {
    const { clock, owner, go, started, tokens } = await held();
    const cancelling = apply(owner, cancel('a'));
    go();
    await cancelling;
    await clock.advance(second);
    owner.assignment.revoke();
    await started();
    await clock.advance(2 * day);
    expect(tokens()).toEqual(['a', 'b']);
  });

  test('an owner that was revoked removes nothing', async () => {
    const { clock, log, owner, go } = await held();
    owner.assignment.revoke();
    go();
    await clock.advance(second);
    expect(log.records(topics.timers.name).filter(({ value }) => value === null)).toEqual([]);
  });
});

describe('a log that does not take records', () => {
  test('while a timer is set again: its former time no longer counts', async () => {
    const { clock, log, started, fires } = world();
    const owner = await started();
    await apply(owner, timer('a', start + second));
    log.failSends(true);
    const moving = apply(owner, timer('a', start + day));
    await clock.advance(5 * second);
    log.failSends(false);
    await clock.advance(5 * second);
    await moving;
    owner.assignment.revoke();
    await started();
    await clock.advance(2 * day);
    expect(fires().map(({ due }) => due - start)).toEqual([day]);
  });

  test('for two minutes: overdue timers fire late, in order, once each', async () => {
    const { clock, log, started, fires, metrics } = world();
    const owner = await started();
    const all = Array.from({ length: 1_200 }, (_, n) =>
      timer(`t${n}`, start + second + ((n * 7) % 1_200) * 100),
    );
    await apply(owner, ...all);
    log.failSends(true);
    await clock.advance(121 * second);
    expect(fires()).toEqual([]);
    log.failSends(false);
    await clock.advance(30 * second);
    expect(fires()).toHaveLength(1_200);
    const dues = fires().map(({ due }) => due);
    expect(dues).toEqual([...dues].sort((a, b) => a - b));
    expect(Math.max(...metrics.observed('tocsin_timer_lateness_seconds'))).toBeGreaterThanOrEqual(120);
    await clock.advance(day);
    expect(fires()).toHaveLength(1_200);
  });

  test('one that it never takes is a dead letter; the others fire', async () => {
    const { clock, log, started, tokens, metrics } = world();
    const real = log.producer();
    const producer: LogProducer = {
      ...real,
      async send(records) {
        if (records.some(({ topic, value }) => topic === input && String(value).includes('"bad"')))
          throw new LogError('too large', { retriable: false });
        return real.send(records);
      },
    };
    const owner = await started({ producer });
    await apply(owner, ...['a', 'bad', 'c'].map((token) => timer(token, start + second)));
    await clock.advance(day);
    expect(tokens()).toEqual(['a', 'c']);
    expect(log.records(topics.deadLetters.name).map(({ value }) => JSON.parse(String(value)).token)).toEqual([
      'bad',
    ]);
    expect(metrics.total('tocsin_dead_letters_total', { reason: 'timer_refused' })).toBe(1);
    expect(metrics.value('tocsin_timers_pending', { topic: input, partition: '0' })).toBe(0);
  });
});
