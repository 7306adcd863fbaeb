// Fixed memory for batches on their way out: slabs from a free list, each with the frames and where they came from.
//
// Invariant: a slab never grows and the list never grows, so an outage of hours holds no more memory than a busy second. The
// record batches that a slab refers to (for dead letters) are bounded by `retainedBytes`, and released with the last slab.
import type { RecordBatch } from '../ports/log.ts';
import type { TrackedAssignment } from './sink-offsets.ts';

/** Consecutive events of a slab that came from one batch, and the offsets that they complete. */
export interface Segment {
  readonly batch: RecordBatch;
  readonly assignment: TrackedAssignment;
  readonly firstEvent: number;
  readonly firstOffset: number;
  /** Offset after the last record covered, filtered ones and gaps included; final once the filler waits or ends. */
  nextOffset: number;
}

export interface Slab {
  readonly bytes: Buffer;
  /** End of each frame in `bytes`. */
  readonly ends: Int32Array;
  /** Index of each event in its record batch. */
  readonly records: Int32Array;
  segments: Segment[];
  used: number;
  events: number;
  retainedBytes: number;
  /** Timestamp of the oldest event, epoch ms; Infinity without one. */
  oldest: number;
  /** Grows with every use, so that a late timer can tell. */
  use: number;
}

/** Who still reads a record batch: the filler and every segment of a slab. The last one to go releases it. */
export interface BatchHolds {
  hold(batch: RecordBatch): void;
  drop(batch: RecordBatch): void;
}

export function createBatchHolds(): BatchHolds {
  const holders = new Map<RecordBatch, number>();
  return {
    hold(batch) {
      holders.set(batch, (holders.get(batch) ?? 0) + 1);
    },
    drop(batch) {
      const left = (holders.get(batch) ?? 1) - 1;
      if (left > 0) holders.set(batch, left);
      else if (holders.delete(batch)) batch.release?.();
    },
  };
}

export interface SlabPool {
  /** An empty slab, or null when all are out. */
  take(): Slab | null;
  give(slab: Slab): void;
  /** Resolves when a slab came back or `wake` was called. */
  freed(): Promise<void>;
  /** Makes everybody who waits look again. */
  wake(): void;
}

/** `count` slabs of `bytes` for at most `events` frames; allocated when first needed. A slab that comes back drops its batches. */
export function createSlabPool(count: number, bytes: number, events: number, holds: BatchHolds): SlabPool {
  const free: Slab[] = [];
  let made = 0;
  let waiters: (() => void)[] = [];

  function wake(): void {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  }

  return {
    take() {
      const slab = free.pop();
      if (slab !== undefined) return slab;
      if (made === count) return null;
      made += 1;
      return {
        bytes: Buffer.allocUnsafeSlow(bytes),
        ends: new Int32Array(events),
        records: new Int32Array(events),
        segments: [],
        used: 0,
        events: 0,
        retainedBytes: 0,
        oldest: Number.POSITIVE_INFINITY,
        use: 0,
      };
    },
    give(slab) {
      for (const { batch } of slab.segments) holds.drop(batch);
      slab.segments = [];
      slab.used = 0;
      slab.events = 0;
      slab.retainedBytes = 0;
      slab.oldest = Number.POSITIVE_INFINITY;
      slab.use += 1;
      free.push(slab);
      wake();
    },
    freed: () => new Promise((resolve) => waiters.push(resolve)),
    wake,
  };
}

/** The frames of events [from, to) as one contiguous view. */
export function framesOf(slab: Slab, from: number, to: number): Buffer {
  return slab.bytes.subarray(from === 0 ? 0 : slab.ends[from - 1]!, slab.ends[to - 1]!);
}

/** The segment that holds an event. */
export function segmentOf(slab: Slab, event: number): Segment {
  let found = slab.segments[0]!;
  for (const segment of slab.segments) if (segment.firstEvent <= event) found = segment;
  return found;
}

/** Every offset in the slab has its outcome. */
export function completeSlab(slab: Slab): void {
  for (const { assignment, firstOffset, nextOffset } of slab.segments)
    assignment.complete(firstOffset, nextOffset);
}
