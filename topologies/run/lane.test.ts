// A lane keeps the order of one key, bounds concurrency and rate, and stops at a dead destination.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { calledBack, createLane, type LaneSettings, type LaneVerdict } from './lane.ts';

function laneWith(settings: Partial<LaneSettings> = {}) {
  const clock = fakeClock(0);
  const lane = createLane({
    settings: () => ({ concurrency: 2, ratePerSecond: null, ...settings }),
    clock,
    signal: new AbortController().signal,
  });
  const started: string[] = [];
  const finish = new Map<string, (verdict: LaneVerdict) => void>();
  const submit = (name: string, key: string | null): void =>
    lane.submit({
      key,
      run: () =>
        new Promise((resolve) => {
          started.push(name);
          finish.set(name, resolve);
        }),
    });
  return {
    clock,
    lane,
    started,
    submit,
    end: (name: string, verdict: LaneVerdict = 'up') => finish.get(name)?.(verdict),
  };
}

test('one key is serial and in order, other keys overtake, concurrency is bounded', async () => {
  const { clock, started, submit, end } = laneWith();
  submit('a1', 'a');
  submit('a2', 'a');
  submit('b1', 'b');
  submit('c1', 'c');
  await clock.advance(0);
  expect(started).toEqual(['a1', 'b1']);
  end('a1');
  await clock.advance(0);
  expect(started).toEqual(['a1', 'b1', 'c1']);
  end('b1');
  await clock.advance(0);
  expect(started).toEqual(['a1', 'b1', 'c1', 'a2']);
});

test('the rate holds jobs back without losing them', async () => {
  const { clock, started, submit, end } = laneWith({ ratePerSecond: 2, concurrency: 100 });
  for (let index = 0; index < 10; index += 1) submit(`j${index}`, null);
  await clock.advance(0);
  expect(started.length).toBe(2);
  for (const name of started) end(name);
  await clock.advance(1_000);
  expect(started.length).toBe(4);
  await clock.advance(3_000);
  expect(started.length).toBe(10);
});

test('failures in a row open the lane; one probe at a time; success opens the way', async () => {
  const { clock, lane, started, submit, end } = laneWith({
    breaker: { threshold: 2, initialWaitMs: 100, maxWaitMs: 100 },
  });
  for (const name of ['a', 'b', 'c', 'd', 'e']) submit(name, null);
  await clock.advance(0);
  end('a', 'down');
  end('b', 'down');
  await clock.advance(0);
  const before = started.length;
  expect(lane.state).toBe('open');
  await clock.advance(99);
  expect(started.length).toBe(before);
  for (const name of started) end(name, 'down');
  await clock.advance(150);
  const probe = started.at(-1)!;
  await clock.advance(500);
  expect(started.at(-1)).toBe(probe);
  end(probe, 'up');
  await clock.advance(0);
  expect(lane.state).toBe('closed');
  for (const name of ['c', 'd', 'e']) end(name);
  await clock.advance(0);
  expect(new Set(started)).toEqual(new Set(['a', 'b', 'c', 'd', 'e']));
});

/** A lane whose jobs may leave; who left waits in `away` until the lane calls. */
function leavingLane(settings: Partial<LaneSettings> = {}) {
  const clock = fakeClock(0);
  const started: string[] = [];
  const away: string[] = [];
  const asked: number[] = [];
  let verdict: LaneVerdict = 'down';
  const lane = createLane({
    settings: () => ({
      concurrency: 1,
      ratePerSecond: null,
      breaker: { threshold: 1, initialWaitMs: 10_000, maxWaitMs: 10_000 },
      ...settings,
    }),
    clock,
    signal: new AbortController().signal,
    recall(most) {
      asked.push(most);
      const called = away.splice(0, most);
      // They come as the log brings them: later.
      void clock.sleep(20).then(() => {
        for (const name of called) submit(name, null);
      });
      return away.length + called.length > 0;
    },
  });
  function submit(name: string, key: string | null): void {
    lane.submit({
      key,
      run: async () => {
        started.push(name);
        return verdict;
      },
      leave: () => {
        away.push(name);
        queueMicrotask(lane.look);
      },
    });
  }
  return { clock, lane, started, away, asked, submit, answer: (now: LaneVerdict) => (verdict = now) };
}

test('a lane that is closed for long holds nobody: all leave, each key in its order, and new ones at once', async () => {
  const { clock, lane, started, away, submit } = leavingLane();
  for (const name of ['a1', 'b1', 'a2', 'c1', 'a3']) submit(name, name[0]!);
  await clock.advance(0);
  expect(started).toEqual(['a1']);
  expect([lane.size, lane.state]).toEqual([0, 'open']);
  expect([...away].sort()).toEqual(['a2', 'a3', 'b1', 'c1']);
  expect(away.filter((name) => name.startsWith('a'))).toEqual(['a2', 'a3']);
  submit('d1', 'd');
  expect([lane.size, away.at(-1)]).toEqual([0, 'd1']);
});

test('those who left are called back one by one while it is closed, then as many as it takes', async () => {
  const { clock, lane, started, away, asked, submit, answer } = leavingLane();
  for (let n = 0; n < 1_000; n += 1) submit(`j${n}`, null);
  await clock.advance(0);
  asked.splice(0);
  await clock.advance(60_000);
  // At 0, 10, 20 s and so on, with the way back of each.
  expect(started.length).toBe(6);
  expect(asked.every((most) => most === 1)).toBe(true);
  answer('up');
  await clock.advance(10_000);
  expect(lane.state).toBe('closed');
  await clock.advance(60_000);
  expect([away.length, lane.size, new Set(started).size]).toEqual([0, 0, 1_000]);
  expect(Math.max(...asked)).toBeLessThanOrEqual(calledBack);
});

test('a wait of seconds is spent in the lane; jobs that cannot leave stay in any case', async () => {
  const short = leavingLane({ breaker: { threshold: 1, initialWaitMs: 5_000, maxWaitMs: 5_000 } });
  for (const name of ['a', 'b', 'c']) short.submit(name, null);
  await short.clock.advance(0);
  expect([short.lane.size, short.away]).toEqual([2, []]);
  const { clock, lane, started, submit, answer } = leavingLane();
  submit('a', null);
  lane.submit({
    key: 'k',
    run: async () => {
      started.push('stays');
      return 'up';
    },
  });
  await clock.advance(9_000);
  expect([lane.size, started]).toEqual([1, ['a']]);
  answer('up');
  await clock.advance(1_000);
  expect(started).toEqual(['a', 'stays']);
});

test('tried at once when something changed, also before a longer wait that was begun earlier', async () => {
  const { clock, lane, started, away, submit, answer } = leavingLane();
  submit('a', null);
  submit('b', null);
  await clock.advance(3_000);
  expect([started, away]).toEqual([['a'], ['b']]);
  answer('up');
  lane.tryNow();
  await clock.advance(100);
  expect([started, lane.state]).toEqual([['a', 'b'], 'closed']);
});
