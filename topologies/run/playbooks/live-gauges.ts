// What a look over the runs says, as metrics.
import type { MetricsPort } from '../../ports/metrics.ts';
import type { SweepReport } from '../fold/sweep.ts';

/** A function for `SweepOptions.report`; it remembers what it told, because a gauge that nobody sets keeps its value. */
export function createLiveGauges(metrics: MetricsPort): (found: SweepReport) => void {
  const told = new Set<string>();
  return ({ overdue, tallies }) => {
    metrics.gauge('tocsin_runs_stuck', overdue);
    for (const tally of tallies.keys()) told.add(tally);
    for (const tally of told) {
      const [playbook = '', status = ''] = tally.split('/');
      metrics.gauge('tocsin_runs_live', tallies.get(tally) ?? 0, { playbook, status });
    }
  };
}
