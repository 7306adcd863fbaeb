// Looks over the states of a fold from time to time: keys whose expected input never came, and how many keys are what.
//
// Invariant: nothing is changed here. What is found is a defect, of a step that forgot a timer or of a timer that was lost, or a
// backlog of inputs that is older than the grace.
import type { Clock } from '../../ports/clock.ts';
import type { FoldStore } from '../../ports/fold-store.ts';
import type { Logger } from '../../ports/logger.ts';

export interface SweepOptions {
  /** Id of the fold. */
  readonly fold: string;
  readonly store: Pick<FoldStore, 'overdue' | 'tallies'>;
  /** Partitions that this member owns now. */
  readonly partitions: () => readonly number[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Called after every look, with sums over the partitions. */
  readonly report: (found: SweepReport) => void;
  /** Time between two looks, ms; default 60,000. */
  readonly everyMs?: number;
  /** How late an expected input may be, ms; default 300,000. */
  readonly graceMs?: number;
}

export interface SweepReport {
  /** Keys whose input is too late. */
  readonly overdue: number;
  readonly tallies: ReadonlyMap<string, number>;
}

/** Overdue keys of one partition that are logged by name. */
const shown = 10;

/** Runs until the signal is aborted. Never rejects. */
export async function sweepRegularly(options: SweepOptions): Promise<void> {
  const { clock, signal, everyMs = 60_000 } = options;
  while (!signal.aborted) {
    await clock.sleep(everyMs, signal).catch(() => undefined);
    if (!signal.aborted) await sweep(options);
  }
}

/** One look. A store that does not answer is looked at next time; what was reported before stays. */
async function sweep(options: SweepOptions): Promise<void> {
  const { fold, store, clock, logger, graceMs = 300_000 } = options;
  const tallies = new Map<string, number>();
  let overdue = 0;
  try {
    for (const partition of options.partitions()) {
      const place = { fold, partition };
      const late = await store.overdue(place, clock.now() - graceMs, shown);
      overdue += late.count;
      for (const { key, expectBy } of late.first)
        logger.error('a key is stuck: the input that it expects has not come', {
          fold,
          partition,
          key,
          overdueMs: clock.now() - expectBy,
        });
      for (const [tally, count] of await store.tallies(place))
        tallies.set(tally, (tallies.get(tally) ?? 0) + count);
    }
  } catch (error) {
    logger.warn('states could not be looked over', { fold, error: String(error) });
    return;
  }
  options.report({ overdue, tallies });
}
