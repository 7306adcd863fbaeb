// Results in, history rows out. A batch that comes twice writes the same rows.
import type { HistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Result } from '@tocsin/schemas/types.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { type RecordBatchesOptions, type Recording, recordBatches } from './record-batches.ts';

export interface RecorderOptions extends RecordBatchesOptions {
  readonly history: Pick<HistoryStore, 'write'>;
}

export function createRecorder(options: RecorderOptions): BatchHandler {
  const { history, metrics } = options;
  const recording: Recording<Result> = {
    rowsPerWrite: 1_000,
    read(value) {
      if (value === null) return null;
      const parsed = parseJson(value);
      if (!parsed.ok) return { refuse: parsed.reason, detail: parsed.detail };
      const issues = checkDocument('result.json', parsed.value);
      if (issues.length > 0) return { refuse: 'invalid_result', detail: formatIssues(issues) };
      return { row: parsed.value as unknown as Result };
    },
    async write(results) {
      await history.write(results);
      metrics.count('tocsin_history_rows_total', {}, results.length);
    },
  };
  return recordBatches(recording, options);
}
