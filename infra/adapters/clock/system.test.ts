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
  // A timer of Node ends after 1 ms when it is told to wait for longer than 2,147,483,647 ms.
  it.each([2 ** 31 - 1, 2 ** 31, 90 * 86_400_000])('sleeps %i ms, and not for a moment', async (ms) => {
    const stop = new AbortController();
    let ended = false;
    const sleeping = systemClock.sleep(ms, stop.signal).then(() => {
      ended = true;
    });
    await systemClock.sleep(30);
    expect(ended).toBe(false);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
  it.each([0, -5, 5])('a sleep of %i ms ends', async (ms) => {
    await systemClock.sleep(ms);
  });
});
