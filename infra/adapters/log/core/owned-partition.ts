// One partition while this member owns it: fetch position, ledger, lane and the Assignment that the handler sees.
//
// Invariant: records count as open from the moment they go to the handler, not while they wait in the lane; so a
// drain waits for what the handler has seen and for nothing else.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { Assignment, BatchHandler, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { ByteBudget } from './byte-budget.ts';
import { OffsetLedger } from './offset-ledger.ts';
import { PartitionLane } from './partition-lane.ts';
import { emptyBatch } from './record-batch.ts';

export interface OwnedPartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  /** First offset to fetch. */
  readonly position: number;
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly handler: BatchHandler;
  readonly after: Promise<void> | undefined;
  readonly onSpace: () => void;
  readonly onError: (error: unknown) => void;
  /** The handler has taken everything below `nextOffset`. */
  readonly onPosition?: (nextOffset: number) => void;
}

export class OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly ledger: OffsetLedger;
  readonly lane: PartitionLane;
  readonly assignment: Assignment;
  /** Next offset to fetch. */
  position: number;
  /** Highest offset that the coordinator has acknowledged in this epoch. */
  committed: number;
  /** Grows with every seek: an answer to an older question is dropped. */
  seeks = 0;
  readonly #abort = new AbortController();
  readonly #options: OwnedPartitionOptions;
  readonly #deliveries: { readonly next: number; readonly at: number }[] = [];
  #handlerSince: number | null = null;
  #stopped: string | null = null;
  #drainWaiters: (() => void)[] = [];

  constructor(options: OwnedPartitionOptions) {
    this.#options = options;
    this.topic = options.topic;
    this.partition = options.partition;
    this.position = options.position;
    this.committed = options.position;
    this.ledger = new OffsetLedger(options.position);
    this.lane = new PartitionLane({
      budget: options.budget,
      deliver: (batches) => this.#deliver(batches),
      together: options.handler.onBatches !== undefined,
      onError: options.onError,
      onSpace: options.onSpace,
      after: options.after,
    });
    this.assignment = {
      topic: options.topic,
      partition: options.partition,
      epoch: options.epoch,
      signal: this.#abort.signal,
      complete: (firstOffset, nextOffset) => this.#complete(firstOffset, nextOffset),
    };
  }

  /** Why nothing is fetched until an operator seeks, or null. */
  get stopped(): string | null {
    return this.#stopped;
  }

  get revoked(): boolean {
    return this.#abort.signal.aborted;
  }

  /** May the reader fetch for this partition: owned, not paused, not stopped, lane below `maxQueuedBytes`. */
  wants(maxQueuedBytes: number): boolean {
    return !this.revoked && this.#stopped === null && !this.lane.paused && this.lane.bytes < maxQueuedBytes;
  }

  /** Hand fetched batches to the lane and move the fetch position. */
  accept(batches: readonly RecordBatch[], nextOffset: number): void {
    if (this.revoked) return;
    this.position = nextOffset;
    for (const batch of batches) this.lane.push(batch);
  }

  stop(reason: string): void {
    this.#stopped = reason;
  }

  seek(offset: number): void {
    this.seeks++;
    this.#stopped = null;
    this.position = offset;
    this.lane.clear();
    this.ledger.seek(offset);
    this.#deliveries.length = 0;
    this.#wakeDrain();
  }

  /** Go on at `offset`; what lies between needs no outcome. Queued batches stay. */
  skipTo(offset: number): void {
    this.#stopped = null;
    this.position = offset;
    // Through the lane, so that the ledger learns of it behind the batches that are still queued.
    this.lane.push(emptyBatch(this.topic, this.partition, offset));
  }

  beginRevoke(): void {
    this.#abort.abort(new Error(`partition ${this.topic}/${this.partition} was revoked`));
    this.lane.close();
  }

  /** Resolves when the handler call has settled and everything delivered is complete. */
  get drained(): Promise<void> {
    return this.lane.settled.then(() => {
      if (this.ledger.drained) return;
      return new Promise<void>((resolve) => {
        this.#drainWaiters.push(resolve);
      });
    });
  }

  /** Epoch ms since when the oldest work is open, or null. */
  oldestOpen(): number | null {
    while (this.#deliveries.length > 0 && this.#deliveries[0]!.next <= this.ledger.watermark)
      this.#deliveries.shift();
    const open = this.#deliveries[0]?.at ?? null;
    if (open === null || this.#handlerSince === null) return open ?? this.#handlerSince;
    return Math.min(open, this.#handlerSince);
  }

  async #deliver(batches: readonly RecordBatch[]): Promise<void> {
    for (const batch of batches) openRecords(this.ledger, batch);
    const full = batches.filter(({ count }) => count > 0);
    const [first] = full;
    const { nextOffset } = batches.at(-1) as RecordBatch;
    if (first !== undefined) {
      const now = this.#options.clock.now();
      this.#deliveries.push({ next: nextOffset, at: now });
      if (this.#deliveries.length > 64) this.oldestOpen();
      this.#handlerSince = now;
      const { handler } = this.#options;
      try {
        if (handler.onBatches === undefined) await handler.onBatch(first, this.assignment);
        else await handler.onBatches(full, this.assignment);
      } finally {
        this.#handlerSince = null;
      }
    }
    this.#options.onPosition?.(nextOffset);
  }

  #complete(firstOffset: number, nextOffset: number): void {
    this.ledger.complete(firstOffset, nextOffset);
    if (this.#drainWaiters.length > 0) this.#wakeDrain();
  }

  #wakeDrain(): void {
    if (!this.ledger.drained) return;
    for (const resolve of this.#drainWaiters) resolve();
    this.#drainWaiters = [];
  }
}

/** Opens the records of a batch in the ledger; offsets without a record are passed over. O(1) without gaps. */
function openRecords(ledger: OffsetLedger, batch: RecordBatch): void {
  const { count, nextOffset } = batch;
  if (count > 0) {
    const first = batch.offset(0);
    const last = batch.offset(count - 1);
    if (last - first === count - 1) ledger.deliver(first, last + 1);
    else {
      for (let index = 0; index < count; index++) {
        const offset = batch.offset(index);
        ledger.deliver(offset, offset + 1);
      }
    }
  }
  ledger.skip(nextOffset);
}
