// Results in, history rows out, and only then the offset.
//
// Invariant: a batch completes after its rows were committed and its dead letters acknowledged. While PostgreSQL is down
// the partition waits; nothing is skipped. A batch that comes twice writes the same rows.
import { isUnavailable } from '@tocsin/adapters/postgres/errors.ts';
import type { HistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Result } from '@tocsin/schemas/types.ts';
import { letterOfRecord, unreadableRecord } from '@tocsin/topologies/domain/dead-letter.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { BatchHandler, OutRecord, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import type { Outbox } from '@tocsin/topologies/run/outbox.ts';

export interface RecorderOptions {
  readonly history: Pick<HistoryStore, 'write'>;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Wait between two tries while the database is down, ms; default 500, doubling to 5,000. */
  readonly retryMs?: number;
}

interface Entry {
  readonly index: number;
  readonly result: Result;
}

const service = 'recorder';
/** Rows of one transaction: below the statement timeout on a slow disk. */
const rowsPerWrite = 1_000;

export function createRecorder(options: RecorderOptions): BatchHandler {
  const { history, outbox, clock, metrics, logger, retryMs = 500 } = options;

  function letter(batch: RecordBatch, index: number, reason: string, error: string): OutRecord {
    metrics.count('tocsin_dead_letters_total', { service, reason });
    return letterOfRecord(batch, index, {
      stage: 'input',
      reason,
      error,
      service,
      attempts: 1,
      at: clock.now(),
    });
  }

  function read(batch: RecordBatch): { entries: Entry[]; letters: OutRecord[] } {
    const entries: Entry[] = [];
    const letters: OutRecord[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      const value = batch.value(index);
      if (value === null) continue;
      const parsed = parseJson(value);
      if (!parsed.ok) {
        letters.push(letter(batch, index, parsed.reason, parsed.detail));
        continue;
      }
      const issues = checkDocument('result.json', parsed.value);
      if (issues.length > 0) letters.push(letter(batch, index, 'invalid_result', formatIssues(issues)));
      else entries.push({ index, result: parsed.value as unknown as Result });
    }
    return { entries, letters };
  }

  /** True when written, false when the signal ended the wait. Rejects with an error that a repeat cannot cure. */
  async function write(results: readonly Result[], signal: AbortSignal): Promise<boolean> {
    let delay = retryMs;
    for (;;) {
      try {
        await history.write(results);
        metrics.count('tocsin_history_rows_total', {}, results.length);
        return true;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        if (signal.aborted) return false;
        logger.warn('the history cannot be written, waiting', { error: String(error), rows: results.length });
        await clock.sleep(delay, signal).catch(() => undefined);
        if (signal.aborted) return false;
        delay = Math.min(5_000, delay * 2);
      }
    }
  }

  return {
    async onBatch(batch, assignment) {
      const { entries, letters } = read(batch);
      for (let from = 0; from < entries.length; from += rowsPerWrite) {
        const part = entries.slice(from, from + rowsPerWrite);
        try {
          const results = part.map((entry) => entry.result);
          if (!(await write(results, assignment.signal))) return;
        } catch (error) {
          // One row that the database refuses must not cost its neighbours.
          logger.warn('a batch was refused, writing its rows one by one', { error: String(error) });
          for (const { index, result } of part)
            try {
              if (!(await write([result], assignment.signal))) return;
            } catch (refusal) {
              letters.push(letter(batch, index, 'not_storable', String(refusal)));
            }
        }
      }
      await outbox.send(letters);
      assignment.complete(batch.count === 0 ? batch.nextOffset : batch.offset(0), batch.nextOffset);
    },
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'input', service, at: clock.now() })]);
    },
  };
}
