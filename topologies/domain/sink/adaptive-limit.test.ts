// The number of requests at a time, against answers made by hand.
import { expect, it } from 'vitest';
import { createAdaptiveLimit } from './adaptive-limit.ts';

/** So many answers of one length, one after the other. */
function answers(
  limit: ReturnType<typeof createAdaptiveLimit>,
  count: number,
  trip: number,
  from: number,
): number {
  let now = from;
  for (let k = 0; k < count; k++) {
    limit.answered(now, now + trip, true);
    now += trip;
  }
  return now;
}

it('begins with the most and keeps it while answers are steady', () => {
  const limit = createAdaptiveLimit(1, 16);
  answers(limit, 100, 50, 0);
  expect(limit.current()).toBe(16);
});

it('halves once for all requests of one overload, and again for later ones, down to the least', () => {
  const limit = createAdaptiveLimit(3, 16);
  const seen = [0, 5, 9].map((began) => limit.overloaded(began, 10 + began));
  expect([seen, limit.current()]).toEqual([[true, false, false], 8]);
  expect(limit.overloaded(11, 20)).toBe(true);
  expect(limit.current()).toBe(4);
  limit.overloaded(21, 30);
  limit.overloaded(31, 40);
  expect(limit.current()).toBe(3);
});

it('grows by one per round of steady answers', () => {
  const limit = createAdaptiveLimit(1, 16);
  limit.overloaded(0, 1);
  const now = answers(limit, 4, 50, 2);
  expect(limit.current()).toBe(8);
  const later = answers(limit, 8, 50, now);
  expect(limit.current()).toBe(9);
  answers(limit, 200, 50, later);
  expect(limit.current()).toBe(16);
});

it('does not grow while answers become slower, nor when requests were not wanted', () => {
  const limit = createAdaptiveLimit(1, 16);
  let now = answers(limit, 50, 50, 0);
  limit.overloaded(now, now);
  for (let trip = 100, k = 0; k < 8; k++, trip *= 2) {
    limit.answered(now, now + trip, true);
    now += trip;
  }
  expect(limit.current()).toBe(8);
  const idle = createAdaptiveLimit(1, 16);
  idle.overloaded(0, 1);
  for (let k = 0; k < 1000; k++) idle.answered(2 + k, 3 + k, false);
  expect(idle.current()).toBe(8);
});

it('H27: a receiver that always takes 14.9 s still gets the most at a time', () => {
  const limit = createAdaptiveLimit(1, 32);
  limit.overloaded(0, 1);
  limit.overloaded(2, 3);
  answers(limit, 600, 14_900, 4);
  expect(limit.current()).toBe(32);
});
