// The changelog of runs in, rows of runs, changes and approvals out.
import type { RunStore } from '@tocsin/adapters/postgres/run-store.ts';
import { rowsOf } from '@tocsin/topologies/domain/playbooks/projection.ts';
import type { RunRows } from '@tocsin/topologies/domain/playbooks/projection-rows.ts';
import { readRunEvent } from '@tocsin/topologies/domain/playbooks/run-change.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { type RecordBatchesOptions, type Recording, recordBatches } from './record-batches.ts';

export interface RunRecorderOptions extends RecordBatchesOptions {
  readonly runs: RunStore;
}

export function createRunRecorder(options: RunRecorderOptions): BatchHandler {
  const { runs, metrics } = options;
  const recording: Recording<RunRows> = {
    // Each of them writes a row per change, and its state.
    rowsPerWrite: 200,
    read(value) {
      if (value === null) return null;
      const found = readRunEvent(value);
      return 'event' in found ? { row: rowsOf(found.event) } : found;
    },
    async write(rows) {
      await runs.write(rows);
      metrics.count('tocsin_run_events_recorded_total', {}, rows.length);
    },
  };
  return recordBatches(recording, options);
}
