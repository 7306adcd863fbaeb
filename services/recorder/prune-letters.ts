// Forgets dead letters once an hour that their topic has forgotten too: the bytes would only be kept here.
import type { DeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { topics } from '@tocsin/topologies/topics.ts';

const hourMs = 3_600_000;
/** Two days more, for segments that are deleted late: what is read again must not come back as new. */
export const keepLettersMs = ((topics.deadLetters.retentionHours ?? 0) + 48) * hourMs;
const pieces = 1_000;

/** Runs until the signal aborts; a database that is away is tried again at the next turn. */
export async function pruneLetters(options: {
  readonly store: Pick<DeadLetterStore, 'prune'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, clock, logger, signal } = options;
  while (!signal.aborted) {
    await clock.sleep(hourMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const before = new Date(clock.now() - keepLettersMs);
      while ((await store.prune(before, pieces)) === pieces);
    } catch (error) {
      logger.warn('dead letters could not be pruned', { error: String(error) });
    }
  }
}
