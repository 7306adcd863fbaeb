// Circuit breaker of one destination as a pure state machine: only "destination down" counts against it.
//
// closed -> open after `threshold` failures in a row; open -> one probe after a growing wait; a probe that succeeds
// closes it. While open nothing is attempted, so no command burns attempts on a receiver that is known to be down.
//
// Surprise: attempts side by side fail side by side. Those that began before it opened and fail while it waits say nothing new:
// counted as probes, the eight of one lane would turn a hiccup into a wait of eight seconds.

export interface BreakerState {
  readonly failures: number;
  /** Epoch ms before which nothing is tried; null while closed. */
  readonly openUntil: number | null;
  /** Wait that led to openUntil, ms. */
  readonly waitMs: number;
}

export interface BreakerSettings {
  readonly threshold: number;
  readonly initialWaitMs: number;
  readonly maxWaitMs: number;
}

export const defaultBreaker: BreakerSettings = { threshold: 5, initialWaitMs: 1_000, maxWaitMs: 30_000 };
export const closedBreaker: BreakerState = { failures: 0, openUntil: null, waitMs: 0 };

/** State after one attempt. `down` is true when the destination could not be reached or failed as a whole. */
export function afterAttempt(
  state: BreakerState,
  down: boolean,
  now: number,
  settings: BreakerSettings,
): BreakerState {
  if (!down) return closedBreaker;
  if (waitOf(state, now) > 0) return state;
  const failures = state.failures + 1;
  if (failures < settings.threshold) return { ...state, failures };
  const waitMs = Math.min(settings.maxWaitMs, state.waitMs === 0 ? settings.initialWaitMs : state.waitMs * 2);
  return { failures, openUntil: now + waitMs, waitMs };
}

/** The receiver refuses us (credentials, gone): open at once, whatever the count. */
export function afterPause(state: BreakerState, now: number, settings: BreakerSettings): BreakerState {
  if (waitOf(state, now) > 0) return state;
  const waitMs = Math.min(settings.maxWaitMs, state.waitMs === 0 ? settings.initialWaitMs : state.waitMs * 2);
  return { failures: state.failures + 1, openUntil: now + waitMs, waitMs };
}

/** How long to wait before the next attempt, ms; 0 when it may go now. */
export function waitOf(state: BreakerState, now: number): number {
  return state.openUntil === null ? 0 : Math.max(0, state.openUntil - now);
}
