// The bucket never lets more through than one burst plus the rate, whatever the order of calls.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fullBucket, takeToken } from './rate-limit.ts';

test('a second lets through the burst, then the rate', () => {
  let bucket = fullBucket(10, 0);
  let taken = 0;
  for (let now = 0; now <= 1_000; now += 10) {
    const next = takeToken(bucket, 10, now);
    bucket = next.bucket;
    if (next.waitMs === 0) taken += 1;
  }
  // 10 at once, then 10 in the second; the last one may fall to rounding.
  expect([19, 20]).toContain(taken);
});

test('never more than burst + rate x time; the wait it names is enough', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 500, noNaN: true }),
      fc.array(fc.integer({ min: -50, max: 200 }), { maxLength: 200 }),
      (rate, steps) => {
        let now = 1_000;
        let highest = now;
        let bucket = fullBucket(rate, now);
        let taken = 0;
        for (const step of steps) {
          now += step;
          highest = Math.max(highest, now);
          const next = takeToken(bucket, rate, now);
          bucket = next.bucket;
          if (next.waitMs === 0) taken += 1;
          else expect(takeToken(bucket, rate, bucket.at + next.waitMs).waitMs).toBe(0);
        }
        const back = steps.filter((step) => step < 0).reduce((sum, step) => sum - step, 0);
        expect(taken).toBeLessThanOrEqual(Math.max(1, rate) + ((highest - 1_000 + back) * rate) / 1_000 + 1);
      },
    ),
  );
});
