// A frame lent to the record batches that are views of it; it comes back when all of them were released.
//
// Invariant: `give` is called at most once, after `end` and after the release of every batch that was added. A batch that
// nobody releases keeps the frame for itself.
import type { ColumnBatch } from '../core/record-batch.ts';

export interface Loan {
  /** The batch may read the frame until it is released. One with memory of its own (decompressed) does not count. */
  add(batch: ColumnBatch): void;
  /** No further batches. */
  end(): void;
}

export function lend(frame: Buffer, give: (frame: Buffer) => void): Loan {
  let holders = 1;
  const leave = (): void => {
    holders -= 1;
    if (holders === 0) give(frame);
  };
  return {
    add(batch) {
      if (batch.count === 0 || batch.buffer.buffer !== frame.buffer) return;
      holders += 1;
      batch.onRelease = leave;
    },
    end: leave,
  };
}
