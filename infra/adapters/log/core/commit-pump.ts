// Commits watermarks at intervals, on demand and at the end.
//
// Invariant: one commit request is in flight at a time, and an offset is sent only when it is higher than the last one
// acknowledged for that partition and epoch. A failed commit loses nothing: the next round sends the watermark of then.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { TopicPartition } from '@tocsin/topologies/ports/log.ts';

export interface CommitOffset extends TopicPartition {
  /** Next offset to read. */
  readonly offset: number;
}

export interface CommitPumpOptions {
  /** The offsets that are higher than the committed ones, now. */
  readonly collect: () => readonly CommitOffset[];
  /** One request to the coordinator; rejects when it was not acknowledged. */
  readonly commit: (offsets: readonly CommitOffset[]) => Promise<void>;
  /** Called once per acknowledged request. */
  readonly acknowledged: (offsets: readonly CommitOffset[]) => void;
  readonly onRetry: (error: unknown) => void;
  readonly intervalMs: number;
  readonly clock: Clock;
}

export class CommitPump {
  readonly #options: CommitPumpOptions;
  readonly #stopped = new AbortController();
  #running: Promise<boolean> | null = null;
  #queued: Promise<boolean> | null = null;

  constructor(options: CommitPumpOptions) {
    this.#options = options;
  }

  /** Begin the timed rounds. */
  start(): void {
    void this.#loop();
  }

  /** No more timed rounds. The owner calls `flush` first for the final commit. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Commit what is complete now. Resolves to false when the coordinator did not acknowledge; never rejects. */
  flush(): Promise<boolean> {
    if (this.#running === null) {
      this.#running = this.#once().finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    // What completed after the running request was built goes into exactly one following request.
    this.#queued ??= this.#running.then(() => {
      this.#queued = null;
      return this.flush();
    });
    return this.#queued;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(this.#options.intervalMs, signal);
      } catch {
        return;
      }
      await this.flush();
    }
  }

  async #once(): Promise<boolean> {
    const offsets = this.#options.collect();
    if (offsets.length === 0) return true;
    try {
      await this.#options.commit(offsets);
    } catch (error) {
      this.#options.onRetry(error);
      return false;
    }
    this.#options.acknowledged(offsets);
    return true;
  }
}
