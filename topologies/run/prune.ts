// Keeps a table from growing for ever: what is older than its topic can bring back goes, once an hour.
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Topic } from '../topics.ts';

const hourMs = 3_600_000;

/** How long what was read from `topic` is kept, ms: two days beyond its retention, for segments that are deleted late. */
export function keepMsOf({ retentionHours }: Pick<Topic, 'retentionHours'>): number {
  return ((retentionHours ?? 0) + 48) * hourMs;
}

export interface PruneOptions {
  /** Deletes what is from before `before` (epoch ms), at most `limit`; resolves with how many. */
  readonly prune: (before: number, limit: number) => Promise<number>;
  readonly keepMs: number;
  /** Deleted by one call. */
  readonly pieces: number;
  /** What is pruned, for people. */
  readonly what: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts; a database that is away is tried again at the next turn. */
export async function pruneHourly(options: PruneOptions): Promise<void> {
  const { prune, keepMs, pieces, what, clock, logger, signal } = options;
  while (!signal.aborted) {
    await clock.sleep(hourMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      while ((await prune(clock.now() - keepMs, pieces)) === pieces);
    } catch (error) {
      logger.warn(`${what} could not be pruned`, { error: String(error) });
    }
  }
}
