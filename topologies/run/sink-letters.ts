// Dead letters of a sink: written, and acknowledged by the log, before the offset of the record completes.
import { letterOfRecord } from '../domain/dead-letter.ts';
import type { Clock } from '../ports/clock.ts';
import type { OutRecord, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';

/** Sends records and resolves when they are acknowledged; an Outbox (run/outbox.ts) or a LogProducer. */
export interface LetterBox {
  send(records: readonly OutRecord[]): Promise<void>;
}

export interface Refusal {
  readonly batch: RecordBatch;
  /** Record in `batch`. */
  readonly index: number;
  readonly stage: 'input' | 'sink';
  readonly reason: string;
  readonly error: string;
  readonly attempts: number;
}

export interface Letters {
  /** Resolves true once all are acknowledged; false when `gone` said that nobody needs them any more. */
  write(refusals: readonly Refusal[], gone: () => boolean): Promise<boolean>;
}

const retryMs = 5_000;

export function createLetters(options: {
  readonly box: LetterBox;
  readonly service: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Letters {
  const { box, service, clock, logger, signal } = options;

  function letterOf({ batch, index, stage, reason, error, attempts }: Refusal): OutRecord {
    return letterOfRecord(batch, index, { stage, reason, error, service, attempts, at: clock.now() });
  }

  return {
    async write(refusals, gone) {
      if (refusals.length === 0) return true;
      const records = refusals.map(letterOf);
      for (;;) {
        try {
          await box.send(records);
          return true;
        } catch (error) {
          // The record stays uncommitted rather than lost: try until it works or the partition is somebody else's.
          if (gone()) return false;
          logger.error('dead letter not written, retrying', {
            error: String(error),
            records: records.length,
          });
          await clock.sleep(retryMs, signal).catch(() => undefined);
          if (gone()) return false;
        }
      }
    },
  };
}
