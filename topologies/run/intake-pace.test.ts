import { expect, it } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { createIntakePace } from './intake-pace.ts';

function paced() {
  const clock = fakeClock(0);
  const stop = new AbortController();
  const pace = createIntakePace({ clock, most: 3, windowMs: 100 });
  /** Begins as many of `count` attempts as the pace lets through at once; the rest follow. */
  const ends: (() => void)[] = [];
  const read = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      await pace.wait(stop.signal);
      if (stop.signal.aborted) return;
      ends.push(pace.begin());
    }
  };
  return { clock, stop, ends, read };
}

it('waits while many are under way and goes on as soon as one ends', async () => {
  const { clock, ends, read } = paced();
  void read(5);
  await clock.advance(0);
  expect(ends).toHaveLength(3);
  ends[0]!();
  await clock.advance(0);
  expect(ends).toHaveLength(4);
  ends[3]!();
  await clock.advance(0);
  expect(ends).toHaveLength(5);
  expect(clock.sleepers()).toBe(0);
});

it('lets as many begin every two windows when none ends: what hangs holds nobody back', async () => {
  const { clock, ends, read } = paced();
  void read(100);
  for (let windows = 2; windows <= 20; windows += 2) {
    await clock.advance(200);
    expect(ends).toHaveLength(3 * (windows / 2 + 1));
  }
  for (const end of ends.slice(0, 20)) end();
  await clock.advance(0);
  // Those that ended had stopped counting long before.
  expect(ends).toHaveLength(33);
});

it('waits no longer when the service or the partition goes', async () => {
  const { clock, stop, ends, read } = paced();
  const reading = read(4);
  await clock.advance(0);
  stop.abort();
  await reading;
  expect(ends).toHaveLength(3);
  await clock.advance(0);
  expect(clock.sleepers()).toBe(0);
});
