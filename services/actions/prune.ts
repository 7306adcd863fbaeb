// Keeps the durable effects ledger from growing for ever: what is older than any redelivery can be goes, once an hour.
import { pruneEffects } from '@tocsin/adapters/effects/postgres.ts';
import type { SqlRunner } from '@tocsin/adapters/effects/schema.sql.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { commandTopic } from '@tocsin/topologies/topics.ts';

const hourMs = 3_600_000;
/** After its end a command cannot come again once the retention of its topic is over; the margin covers segments that are deleted late. */
const keepMs = ((commandTopic('any').retentionHours ?? 0) + 48) * hourMs;
const pieces = 10_000;

/** Runs until the signal aborts; a database that is away is tried again at the next turn. */
export async function pruneRegularly(options: {
  readonly pool: SqlRunner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { pool, clock, logger, signal } = options;
  while (!signal.aborted) {
    await clock.sleep(hourMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      let removed = pieces;
      while (removed === pieces) removed = await pruneEffects(pool, clock.now() - keepMs, pieces);
    } catch (error) {
      logger.warn('effects ledger could not be pruned', { error: String(error) });
    }
  }
}
