// Where a table reader stands in each partition, and when it has caught up with the log as it was at the start.
//
// Invariant: positions outlive a life of the reader, so nothing is handed over twice. `onCaughtUp` comes once, when every
// partition has reached the end that the first look saw; partitions that appear later are not waited for.
//
// Surprise: a partition whose records are all deleted or lie before the start that was asked for has nothing to wait for, however high its end is.
import { LogError, type RecordBatch, type TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { describe } from './describe.ts';

export class TablePositions {
  readonly #onCaughtUp: () => void;
  readonly #next = new Map<number, number>();
  /** Ends that are not reached yet; null before the first look. */
  #ends: Map<number, number> | null = null;

  constructor(onCaughtUp: () => void) {
    this.#onCaughtUp = onCaughtUp;
  }

  /** Has no look at the log been noted yet? */
  get fresh(): boolean {
    return this.#ends === null;
  }

  /** Notes the ends to reach: offset after the last record and first offset to read, by partition. The first call counts. */
  waitFor(ends: ReadonlyMap<number, number>, starts: ReadonlyMap<number, number>): void {
    if (this.#ends !== null) return;
    this.#ends = new Map([...ends].filter(([partition, end]) => end > (starts.get(partition) ?? 0)));
    if (this.#ends.size === 0) this.#onCaughtUp();
  }

  /** Next offset to hand over; undefined for a partition that nothing was read of. */
  of(partition: number): number | undefined {
    return this.#next.get(partition);
  }

  /** Begins a partition at `offset` if it has no position yet. */
  open(partition: number, offset: number): void {
    if (!this.#next.has(partition)) this.#next.set(partition, offset);
  }

  /** Everything below `nextOffset` was handed over. */
  advance(partition: number, nextOffset: number): void {
    this.#next.set(partition, nextOffset);
    const end = this.#ends?.get(partition);
    if (this.#ends === null || end === undefined || nextOffset < end) return;
    this.#ends.delete(partition);
    if (this.#ends.size === 0) this.#onCaughtUp();
  }
}

/** Those of the topic's partitions that the table reads. */
export function partitionsOf(
  { partitions }: Pick<TableReaderOptions, 'partitions'>,
  all: readonly number[],
): readonly number[] {
  return partitions === undefined ? all : all.filter((partition) => partitions.includes(partition));
}

/** First offset to read of each partition: where the caller wants to begin, if the log still has it. */
export function startsOf(
  { from }: Pick<TableReaderOptions, 'from'>,
  earliest: ReadonlyMap<number, number>,
): Map<number, number> {
  return new Map(
    [...earliest].map(([partition, offset]) => [partition, Math.max(offset, from?.get(partition) ?? 0)]),
  );
}

/** Gives a batch to the table. What it throws is a bug that reading again does not heal. */
export async function handOver(
  { topic, onBatch }: Pick<TableReaderOptions, 'topic' | 'onBatch'>,
  batch: RecordBatch,
): Promise<void> {
  try {
    await onBatch(batch);
  } catch (error) {
    throw new LogError(`table handler of ${topic} failed: ${describe(error)}`, {
      retriable: false,
      cause: error,
    });
  }
}
