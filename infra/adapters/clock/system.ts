// The system clock behind the Clock port.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';

/** Longest delay of a Node timer, ms; a longer one ends after 1 ms. */
const longest = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      for (let left = ms; left > 0 || left === ms; left -= longest)
        await delay(Math.min(left, longest), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // The port promises the signal's own reason; Node wraps it in an AbortError.
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
