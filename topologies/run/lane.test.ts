// A lane keeps the order of one key, bounds concurrency and rate, and stops at a dead destination.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { createLane, type LaneSettings, type LaneVerdict } from './lane.ts';

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
