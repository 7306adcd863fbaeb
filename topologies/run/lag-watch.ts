// Measures the lag of every consumer group in records and in seconds, from offsets and not from what consumers say of
// themselves: a consumer that is dead has lag too.
import type { Clock } from '../ports/clock.ts';
import type { GroupLag, LogAdmin } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';

export interface WatchedGroup {
  readonly group: string;
  readonly topics: readonly string[];
}

export interface LagWatchOptions {
  readonly admin: LogAdmin;
  /** The groups of this moment; sinks come and go. */
  readonly groups: () => readonly WatchedGroup[] | Promise<readonly WatchedGroup[]>;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Time between two measurements, ms; default 5,000. */
  readonly intervalMs?: number;
}

/** Age of the oldest waiting record, seconds; 0 when none waits. */
export function lagSeconds(lag: GroupLag, now: number): number {
  return lag.oldestTimestamp === null || lag.oldestTimestamp < 0
    ? 0
    : Math.max(0, (now - lag.oldestTimestamp) / 1000);
}

/** Runs until the signal aborts. One group that cannot be measured does not keep the others from it. */
export async function watchLag(options: LagWatchOptions): Promise<void> {
  const { admin, groups, clock, metrics, logger, signal, intervalMs = 5_000 } = options;
  while (!signal.aborted) {
    let watched: readonly WatchedGroup[] = [];
    try {
      watched = await groups();
    } catch (error) {
      logger.warn('groups cannot be listed', { error: String(error) });
    }
    for (const { group, topics } of watched) {
      try {
        for (const lag of await admin.lag(group, topics)) {
          const labels = { group, topic: lag.topic, partition: String(lag.partition) };
          metrics.gauge('tocsin_consumer_lag_records', lag.records, labels);
          metrics.gauge('tocsin_consumer_lag_seconds', lagSeconds(lag, clock.now()), labels);
        }
      } catch (error) {
        if (!signal.aborted) logger.warn('lag could not be measured', { group, error: String(error) });
      }
    }
    await clock.sleep(intervalMs, signal).catch(() => undefined);
  }
}
