// Waits of a sink: full jitter between 0 and a ceiling that doubles from 0.5 s to 30 s.
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { defaultBatch, fits, whenIdle } from './batch.ts';

describe('backoff', () => {
  it.each([
    [1, 500],
    [2, 1_000],
    [5, 8_000],
    [7, 30_000],
    [10_000, 30_000],
  ])('attempt %i waits at most %i ms', (attempt, ceiling) => {
    expect(backoffMs(attempt, 0.999999, null)).toBe(ceiling);
    expect(backoffMs(attempt, 0.5, null)).toBe(ceiling / 2);
    expect(backoffMs(attempt, 0, null)).toBe(1);
  });

  it('keeps what the receiver asked for, never less', () => {
    expect(backoffMs(1, 0, 120_000)).toBe(120_000);
    expect(backoffMs(9, 1, 120_000)).toBe(132_000);
    expect(backoffMs(1, 0, 0)).toBe(1);
  });
});

describe('batches', () => {
  it('are full by bytes or by events, and an empty one takes any event', () => {
    expect(fits(defaultBatch, 0, 0, 5_000_000)).toBe(true);
    expect(fits(defaultBatch, 1_048_000, 5, 576)).toBe(true);
    expect(fits(defaultBatch, 1_048_000, 5, 577)).toBe(false);
    expect(fits(defaultBatch, 10, 10_000, 1)).toBe(false);
  });

  it('leave at once when nothing is in flight', () => {
    expect(whenIdle(defaultBatch, 0, 0)).toBe('nothing');
    expect(whenIdle(defaultBatch, 1, 0)).toBe('flush');
    expect(whenIdle(defaultBatch, 1, 1)).toBe('linger');
    expect(whenIdle({ ...defaultBatch, lingerMs: 0 }, 1, 1)).toBe('flush');
    expect(whenIdle(defaultBatch, 10_000, 1)).toBe('flush');
  });
});
