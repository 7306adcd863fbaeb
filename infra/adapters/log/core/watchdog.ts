// Notices work that hangs: a handler call or an uncompleted record older than a limit.
//
// Surprise: no Kafka client does this for us here: heartbeats go on while a handler hangs, so the group never
// notices and lag grows in silence.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';

export interface WatchdogOptions {
  readonly limitMs: number;
  /** Epoch ms at which the oldest open work began; null when none is open. */
  readonly oldest: () => number | null;
  /** Called once; the watchdog then ends. */
  readonly onStall: (ageMs: number) => void;
  readonly clock: Clock;
}

/** Runs until it fires or the signal aborts. Looks every quarter of the limit, so it fires at most 25 % late. */
export async function watch(options: WatchdogOptions, signal: AbortSignal): Promise<void> {
  const { clock, limitMs } = options;
  while (!signal.aborted) {
    try {
      await clock.sleep(Math.max(1, limitMs / 4), signal);
    } catch {
      return;
    }
    const began = options.oldest();
    if (began !== null && clock.now() - began > limitMs) {
      options.onStall(clock.now() - began);
      return;
    }
  }
}
