// When the next attempt of a command happens: exponential, with jitter that is a function of the command, so that a
// restarted worker comes to the same answer and a thousand commands of one outage do not come back at once.
import { createHash } from 'node:crypto';
import type { RetryPolicy } from '@tocsin/schemas/types.ts';
import { retryAfterMaxMs } from './judge-http.ts';
import type { Failed } from './outcome.ts';

/** The defaults of schemas/documents/command.json, definitions/retry. */
export const defaultRetry: Required<RetryPolicy> = {
  max_attempts: 10,
  initial_ms: 500,
  max_ms: 300_000,
  factor: 2,
};

/**
 * Milliseconds from the end of attempt number `attempt` (from 1) to the next one; null when there is none: the failure is final or
 * the attempts are used up. A wait that the receiver asked for wins over the policy's own, but is never shorter than
 * the first step of the policy. A pause burns no attempts, so it always has a next time to look.
 */
export function nextDelay(
  policy: RetryPolicy,
  attempt: number,
  commandId: string,
  outcome: Failed,
): number | null {
  const { max_attempts, initial_ms, max_ms, factor } = { ...defaultRetry, ...policy };
  if (outcome.retry === 'never') return null;
  if (outcome.retry !== 'pause' && attempt >= max_attempts) return null;
  const step = Math.min(max_ms, initial_ms * factor ** (attempt - 1));
  const share = jitter(commandId, attempt);
  if (typeof outcome.retry === 'object') {
    const asked = Math.min(retryAfterMaxMs, Math.max(initial_ms, outcome.retry.afterMs));
    // Later than asked by up to a tenth, never earlier.
    return Math.round(asked * (1 + share / 10));
  }
  return Math.round(step / 2 + (step / 2) * share);
}

/** Uniform in [0, 1), the same for the same command and attempt. */
function jitter(commandId: string, attempt: number): number {
  return createHash('sha256').update(`${commandId}/${attempt}`).digest().readUInt32BE(0) / 2 ** 32;
}
