// What became of the offsets of one partition, for receivers whose proof comes after the answer: their batches are let go at the
// answer, and what is not proved in time is read from the log again.
//
// Invariant: a rereading begins at the lowest offset without an outcome and never above it, or the log would commit what nobody
// has. Of what is read a second time only the lost ranges are sent; the rest is on its way or done.
// Surprise: the log forgets completions above the offset that it is asked to go back to, so they are repeated as their records pass.
import { createRangeSet } from '../domain/sink/range-set.ts';
import type { Assignment, RecordBatch } from '../ports/log.ts';

export interface TrackedAssignment extends Assignment {
  /** The batch comes in. Null when it was never read before; else whether a record of it is to be sent again. */
  read(batch: RecordBatch): ((offset: number) => boolean) | null;
  /** The batch was gone through: repeats completions that the log has forgotten. */
  passed(batch: RecordBatch): void;
  /** The records [from, to) are not with the receiver and have to be read again. */
  lose(from: number, to: number): void;
  /** Where to read again from; null when nothing is lost. */
  rereadFrom(): number | null;
}

export function trackOffsets(assignment: Assignment): TrackedAssignment {
  const { topic, partition, epoch, signal } = assignment;
  const done = createRangeSet();
  const again = createRangeSet();
  /** Everything below has its outcome. */
  let low = -1;
  let readTo = -1;

  function note(from: number, to: number): void {
    done.add(Math.max(from, low), to);
    const next = done.firstMissing(low);
    done.remove(low, next);
    low = next;
  }

  return {
    topic,
    partition,
    epoch,
    signal,
    complete(from, to) {
      assignment.complete(from, to);
      if (low >= 0) note(from, to);
    },
    read(batch) {
      const first = batch.count === 0 ? batch.nextOffset : batch.offset(0);
      if (readTo < 0) low = readTo = first;
      // Offsets between two batches hold no record.
      if (first > readTo) note(readTo, first);
      const isOld = first < readTo;
      const upTo = readTo;
      readTo = Math.max(readTo, batch.nextOffset);
      if (!isOld) return null;
      return (offset) => {
        if (offset >= upTo) return true;
        if (!again.has(offset)) return false;
        again.remove(offset, offset + 1);
        return true;
      };
    },
    passed(batch) {
      const first = batch.count === 0 ? batch.nextOffset : batch.offset(0);
      assignment.complete(first, Math.min(low, batch.nextOffset));
      for (const [from, to] of done.within(first, batch.nextOffset)) assignment.complete(from, to);
    },
    lose(from, to) {
      again.add(Math.max(from, low), to);
    },
    rereadFrom: () => (again.size === 0 ? null : low),
  };
}
