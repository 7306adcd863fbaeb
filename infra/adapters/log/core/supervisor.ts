// Runs something that may crash, again and again, until it is stopped or has been ill for too long.
//
// Invariant: two runs never overlap. Delays grow exponentially with jitter and start anew after a healthy run.
// An error that will not go away (`retriable` says no) ends it at once.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';

export interface SupervisorOptions {
  /** One life. Resolves when it ended because `signal` aborted; rejects on a crash. */
  readonly run: (healthy: () => void, signal: AbortSignal) => Promise<void>;
  readonly retriable: (error: unknown) => boolean;
  readonly onRestart: (error: unknown, delayMs: number) => void;
  /** Gave up: nothing runs any more. */
  readonly onFailure: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly baseMs?: number;
  readonly maxMs?: number;
  /** Time without a healthy run after which it gives up, ms. */
  readonly giveUpMs?: number;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  #loop: Promise<void> | null = null;
  #alive = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** A run is healthy now, or the next attempt is still allowed. False after giving up or stopping. */
  get alive(): boolean {
    return this.#alive;
  }

  start(): void {
    if (this.#loop !== null) return;
    this.#alive = true;
    this.#loop = this.#supervise();
  }

  /** Ends the current run and waits for it. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    this.#alive = false;
  }

  async #supervise(): Promise<void> {
    const { run, clock, random, baseMs = 250, maxMs = 15_000, giveUpMs = 600_000 } = this.#options;
    const { signal } = this.#stop;
    let failures = 0;
    let lastHealthy = clock.now();
    while (!signal.aborted) {
      let wasHealthy = false;
      try {
        await run(() => {
          wasHealthy = true;
        }, signal);
        break;
      } catch (error) {
        if (signal.aborted) break;
        if (wasHealthy) {
          failures = 0;
          lastHealthy = clock.now();
        }
        if (!this.#options.retriable(error) || clock.now() - lastHealthy >= giveUpMs) {
          this.#alive = false;
          this.#options.onFailure(error);
          return;
        }
        // Equal jitter: at least half of the delay, so that a crash loop never spins.
        const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 20));
        const delayMs = full / 2 + random() * (full / 2);
        failures++;
        this.#options.onRestart(error, delayMs);
        try {
          await clock.sleep(delayMs, signal);
        } catch {
          break;
        }
      }
    }
    this.#alive = false;
  }
}
