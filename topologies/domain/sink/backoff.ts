// Waits between attempts of a sink: full jitter, so that the workers of one outage do not come back together.

export interface BackoffLimits {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const sinkBackoff: BackoffLimits = { initialMs: 500, maxMs: 30_000 };

/**
 * Milliseconds before attempt `attempt` + 1 (attempts count from 1); `uniform` is in [0, 1). A wait that the receiver asked
 * for is kept, up to a tenth longer. AWS Architecture Blog, "Exponential Backoff And Jitter": full jitter.
 */
export function backoffMs(
  attempt: number,
  uniform: number,
  asked: number | null,
  limits: BackoffLimits = sinkBackoff,
): number {
  if (asked !== null) return Math.round(Math.max(asked, 1) * (1 + uniform / 10));
  const ceiling = Math.min(limits.maxMs, limits.initialMs * 2 ** Math.min(attempt - 1, 30));
  return Math.max(1, Math.round(ceiling * uniform));
}
