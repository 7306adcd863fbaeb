// What every reader of the log, consumer or table, does around its supervisor: start once, become ready, fail, stop.
//
// Invariant: `start` settles exactly once: resolved by the first `ready`, rejected by the failure that ended the reader or
// by a stop that came first. A failure after that goes to `onFailure` alone, as an Error.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { describe } from './describe.ts';
import { Supervisor } from './supervisor.ts';

export interface SupervisedReaderOptions {
  /** Who reads, for messages: `consumer of group-a`, `table config.v1`. */
  readonly name: string;
  /** One life: reads until `signal` aborts, rejects when something breaks; only a retriable LogError begins another one. */
  readonly live: (healthy: () => void, signal: AbortSignal) => Promise<void>;
  /** Another life follows after a wait. */
  readonly onRestart?: (message: string) => void;
  /** Nothing runs any more. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

export class SupervisedReader {
  readonly #name: string;
  readonly #supervisor: Supervisor;
  readonly #started = Promise.withResolvers<void>();

  constructor(options: SupervisedReaderOptions) {
    const { name, live, onRestart, onFailure, clock, random } = options;
    this.#name = name;
    // Nobody may wait for the start; its rejection is then no unhandled one.
    this.#started.promise.catch(() => undefined);
    this.#supervisor = new Supervisor({
      run: live,
      retriable: (error) => error instanceof LogError && error.retriable,
      onRestart: (error, delayMs) =>
        onRestart?.(`${name} begins again in ${Math.round(delayMs)} ms: ${describe(error)}`),
      onFailure: (error) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        this.#started.reject(failure);
        onFailure?.(failure);
      },
      clock,
      random,
    });
  }

  /** Begins the first life; settles with the first `ready`, failure or stop. Idempotent. */
  start(): Promise<void> {
    this.#supervisor.start();
    return this.#started.promise;
  }

  /** What the caller of `start` waits for is there. */
  ready(): void {
    this.#started.resolve();
  }

  /** Ends the life that runs and waits for it. Idempotent. */
  async stop(): Promise<void> {
    await this.#supervisor.stop();
    this.#started.reject(new LogError(`${this.#name} was stopped before it was ready`, { retriable: false }));
  }
}
