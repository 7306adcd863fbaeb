// How a receiver of webhooks does: when its failures are too many to go on, and which event is the one that it cannot take.
//
// Invariant: nothing here drops an event. 410 ends all sending until somebody saves the webhook again; failures alone end it until an
// event is taken; an event is refused for server errors only while the receiver takes others.
import type { BatchVerdict } from '../../domain/sink/define-sink.ts';

export interface HealthLimits {
  readonly afterMs: number;
  readonly afterFailures: number;
  readonly maxAttempts: number;
}

export interface Health {
  /** Before a request; a verdict: do not send. */
  closed(): BatchVerdict | null;
  /** What the verdict on attempt `attempt` at this request becomes; `firstAt` is when it was sent first, `answered` whether an answer came. */
  judge(
    verdict: BatchVerdict,
    request: {
      readonly attempt: number;
      readonly firstAt: number;
      readonly now: number;
      readonly answered: boolean;
      readonly singly: boolean;
    },
  ): BatchVerdict;
}

export function createHealth(limits: HealthLimits): Health {
  let gone: BatchVerdict | null = null;
  let failures = 0;
  let since = 0;
  let takenAt = Number.NEGATIVE_INFINITY;

  return {
    closed: () => gone,
    judge(verdict, { attempt, firstAt, now, answered, singly }) {
      if (verdict.class === 'sink-fault') {
        // Standard Webhooks 1.0.0: 410 disables the endpoint.
        if (verdict.code === 'http_410') gone = verdict;
        return verdict;
      }
      if (verdict.class !== 'transient') {
        failures = 0;
        // A refusal is an answer of a receiver that works, and no proof that it takes anything.
        if (verdict.class === 'delivered' || verdict.class === 'per-event') takenAt = now;
        return verdict;
      }
      if (failures === 0) since = now;
      failures += 1;
      if (singly && answered && attempt >= limits.maxAttempts && takenAt > firstAt) {
        failures = 0;
        return {
          class: 'event-fault',
          code: verdict.code,
          detail: `${verdict.detail}, ${attempt} times, while other events were taken`,
          index: 0,
          prefixStored: false,
        };
      }
      if (failures >= limits.afterFailures && now - since >= limits.afterMs)
        return {
          class: 'sink-fault',
          code: 'failing',
          detail: `${failures} requests in a row failed within ${Math.round((now - since) / 1000)} s, the last: ${verdict.detail}`,
        };
      return verdict;
    },
  };
}
