// Token bucket of one destination as a pure function: one second's worth of burst.

export interface Bucket {
  readonly tokens: number;
  /** Epoch ms of the last refill. */
  readonly at: number;
}

/** A full bucket. */
export function fullBucket(ratePerSecond: number, now: number): Bucket {
  return { tokens: Math.max(1, ratePerSecond), at: now };
}

/**
 * Takes one token: either the new bucket with `waitMs` 0, or the unchanged bucket and how long until a token is there.
 * A clock that went back refills nothing.
 */
export function takeToken(
  bucket: Bucket,
  ratePerSecond: number,
  now: number,
): { bucket: Bucket; waitMs: number } {
  const elapsed = Math.max(0, now - bucket.at);
  const tokens = Math.min(Math.max(1, ratePerSecond), bucket.tokens + (elapsed * ratePerSecond) / 1000);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, waitMs: 0 };
  return { bucket: { tokens, at: now }, waitMs: Math.ceil(((1 - tokens) * 1000) / ratePerSecond) };
}
