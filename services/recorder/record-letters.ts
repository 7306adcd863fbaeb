// Dead letters in, rows that people search and send again out.
//
// Surprise: a letter that cannot be stored is told in the log and counted, and stays in its topic; it becomes no dead letter.
import type { DeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import { type Letter, readLetter } from '@tocsin/topologies/domain/dead-letters/read-letter.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { type RecordBatchesOptions, type Recording, recordBatches } from './record-batches.ts';

export interface LetterRecorderOptions extends RecordBatchesOptions {
  readonly store: Pick<DeadLetterStore, 'write'>;
}

export function createLetterRecorder(options: LetterRecorderOptions): BatchHandler {
  const { store, metrics, logger } = options;
  const recording: Recording<Letter> = {
    // Each of them may have almost a megabyte.
    rowsPerWrite: 20,
    read: (_value, batch, index) => ({ row: readLetter(batch, index) }),
    async write(letters) {
      await store.write(letters);
      metrics.count('tocsin_dead_letters_recorded_total', {}, letters.length);
    },
    onLost(place, error) {
      metrics.count('tocsin_dead_letters_unrecorded_total');
      logger.error('a dead letter cannot be stored; it stays in its topic', { place, error });
    },
  };
  return recordBatches(recording, options);
}
