// Records in, rows out, and only then the offset: what every consumer of the recorder does.
//
// Invariant: a batch completes after its rows were committed and its dead letters acknowledged. While PostgreSQL is down
// the partition waits; nothing is skipped. Rows are written in the order of the log.
import { isUnavailable } from '@tocsin/adapters/postgres/errors.ts';
import { letterOfRecord, unreadableRecord } from '@tocsin/topologies/domain/dead-letter.ts';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { BatchHandler, OutRecord, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import type { Outbox } from '@tocsin/topologies/run/outbox.ts';

export interface RecordBatchesOptions {
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Wait between two tries while the database is down, ms; default 500, doubling to 5,000. */
  readonly retryMs?: number;
}

/** What is recorded. */
export interface Recording<Row> {
  /** One record; null for one that says nothing. Never throws. */
  read(
    value: Buffer | null,
    batch: RecordBatch,
    index: number,
  ): { readonly row: Row } | { readonly refuse: string; readonly detail: string } | null;
  /** One transaction; the same rows again change nothing. */
  write(rows: readonly Row[]): Promise<void>;
  /** Rows of one transaction: below the statement timeout on a slow disk. */
  readonly rowsPerWrite: number;
  /** Told of a row that the database refuses, and of offsets that cannot be read, instead of a dead letter: a letter about a letter would go on for ever. */
  onLost?(place: string, error: string): void;
}

const service = 'recorder';

export function recordBatches<Row>(recording: Recording<Row>, options: RecordBatchesOptions): BatchHandler {
  const { outbox, clock, metrics, logger, retryMs = 500 } = options;

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

  function read(batch: RecordBatch): { entries: { index: number; row: Row }[]; letters: OutRecord[] } {
    const entries: { index: number; row: Row }[] = [];
    const letters: OutRecord[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      const found = recording.read(batch.value(index), batch, index);
      if (found === null) continue;
      if ('row' in found) entries.push({ index, row: found.row });
      else letters.push(letter(batch, index, found.refuse, found.detail));
    }
    return { entries, letters };
  }

  /** True when written, false when the signal ended the wait. Rejects with an error that a repeat cannot cure. */
  async function write(rows: readonly Row[], signal: AbortSignal): Promise<boolean> {
    let delay = retryMs;
    for (;;) {
      try {
        await recording.write(rows);
        return true;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        if (signal.aborted) return false;
        logger.warn('the history cannot be written, waiting', { error: String(error), rows: rows.length });
        await clock.sleep(delay, signal).catch(() => undefined);
        if (signal.aborted) return false;
        delay = Math.min(5_000, delay * 2);
      }
    }
  }

  return {
    async onBatch(batch, assignment) {
      const { entries, letters } = read(batch);
      for (let from = 0; from < entries.length; from += recording.rowsPerWrite) {
        const part = entries.slice(from, from + recording.rowsPerWrite);
        try {
          const rows = part.map((entry) => entry.row);
          if (!(await write(rows, assignment.signal))) return;
        } catch (error) {
          // One row that the database refuses must not cost its neighbours.
          logger.warn('a batch was refused, writing its rows one by one', { error: String(error) });
          for (const { index, row } of part)
            try {
              if (!(await write([row], assignment.signal))) return;
            } catch (refusal) {
              if (recording.onLost === undefined)
                letters.push(letter(batch, index, 'not_storable', String(refusal)));
              else
                recording.onLost(`${batch.topic}/${batch.partition}/${batch.offset(index)}`, String(refusal));
            }
        }
      }
      await outbox.send(letters);
      assignment.complete(batch.count === 0 ? batch.nextOffset : batch.offset(0), batch.nextOffset);
    },
    async onUnreadable(range) {
      if (recording.onLost !== undefined)
        return recording.onLost(`${range.topic}/${range.partition}/${range.firstOffset}`, range.reason);
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'input', service, at: clock.now() })]);
    },
  };
}
