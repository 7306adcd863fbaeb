// The system clock behind the Clock port.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // The port promises the signal's own reason; Node wraps it in an AbortError.
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
