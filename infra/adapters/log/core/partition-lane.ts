// The queue between fetching and the handler for one partition in one epoch.
//
// Invariant: the handler has one call at a time, with one batch or all that wait, in offset order; a lane that waits holds no other.
import type { RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { ByteBudget } from './byte-budget.ts';

export interface LaneOptions {
  readonly budget: ByteBudget;
  /** The handler call; a rejection is a bug of the handler. */
  readonly deliver: (batches: readonly RecordBatch[]) => Promise<void>;
  /** Whether a call takes all batches that wait; one without it. */
  readonly together?: boolean;
  readonly onError: (error: unknown) => void;
  /** Bytes were given back: the reader may ask for more. */
  readonly onSpace: () => void;
  /** Work of an earlier epoch of the same partition that still runs in this process: order per key needs it to end. */
  readonly after?: Promise<void> | undefined;
}

export class PartitionLane {
  readonly #options: LaneOptions;
  #queue: RecordBatch[] = [];
  #bytes = 0;
  #paused = false;
  #closed = false;
  #busy: Promise<void> | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Bytes queued or in the handler. */
  get bytes(): number {
    return this.#bytes;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Resolves when the handler call in progress (if any) has settled; never rejects. */
  get settled(): Promise<void> {
    return this.#busy ?? Promise.resolve();
  }

  push(batch: RecordBatch): void {
    if (this.#closed) return;
    this.#queue.push(batch);
    this.#bytes += batch.byteLength;
    this.#options.budget.take(batch.byteLength);
    this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#run();
  }

  /** Forget what was queued and not yet handed over. */
  clear(): void {
    for (const batch of this.#queue) this.#release(batch);
    this.#queue = [];
  }

  /** No further handler call begins. */
  close(): void {
    this.#closed = true;
    this.clear();
  }

  #run(): void {
    if (this.#busy !== null || this.#closed || this.#paused || this.#queue.length === 0) return;
    this.#busy = this.#drain().finally(() => {
      this.#busy = null;
      // A batch pushed between the last look at the queue and here must not wait for the next push.
      this.#run();
    });
  }

  async #drain(): Promise<void> {
    if (this.#options.after !== undefined) await this.#options.after;
    while (!this.#closed && !this.#paused) {
      const batches = this.#queue.splice(0, this.#options.together === true ? this.#queue.length : 1);
      if (batches.length === 0) return;
      try {
        await this.#options.deliver(batches);
      } catch (error) {
        this.#closed = true;
        this.#options.onError(error);
      } finally {
        for (const batch of batches) this.#release(batch);
      }
    }
  }

  #release(batch: RecordBatch): void {
    this.#bytes -= batch.byteLength;
    this.#options.budget.give(batch.byteLength);
    this.#options.onSpace();
  }
}
