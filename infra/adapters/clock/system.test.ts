import { describe, expect, it } from 'vitest';
import { systemClock } from './system.ts';

describe('systemClock', () => {
  it('tells the time and sleeps at least as long as asked', async () => {
    const before = Date.now();
    expect(Math.abs(systemClock.now() - before)).toBeLessThan(50);
    await systemClock.sleep(30);
    expect(Date.now() - before).toBeGreaterThanOrEqual(29);
  });
  it('rejects with the reason of the signal, before and during the sleep', async () => {
    const reason = new Error('stopping');
    await expect(systemClock.sleep(10_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const stop = new AbortController();
    const sleeping = systemClock.sleep(10_000, stop.signal);
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});
