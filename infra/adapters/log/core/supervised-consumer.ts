// The port's consumer on any client: one life after the other under the supervisor, and the calls go to the one that runs.
//
// Invariant: between two lives nothing is assigned, and pause, resume and seek do nothing: a partition that comes back is
// not paused and begins at its committed offset.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type {
  Assignment,
  ConsumerOptions,
  LogConsumer,
  TopicPartition,
} from '@tocsin/topologies/ports/log.ts';
import { SupervisedReader } from './supervised-reader.ts';

/** One membership of the group, from connecting to leaving. */
export interface ConsumerLife extends Pick<LogConsumer, 'assignments' | 'pause' | 'resume' | 'seek'> {
  /** Consumes over any number of rebalances; `joined` is called at each assignment. Rejects when something breaks. */
  run(joined: () => void, signal: AbortSignal): Promise<void>;
}

export class SupervisedConsumer implements LogConsumer {
  readonly #reader: SupervisedReader;
  #life: ConsumerLife | null = null;

  constructor(options: ConsumerOptions, newLife: () => ConsumerLife, clock: Clock, random: Random) {
    this.#reader = new SupervisedReader({
      name: `consumer of ${options.group}`,
      live: (healthy, signal) => this.#live(newLife(), healthy, signal),
      onRestart: (message) => options.onNotice?.({ kind: 'restarted', message }),
      onFailure: options.onFailure,
      clock,
      random,
    });
  }

  start(): Promise<void> {
    return this.#reader.start();
  }

  stop(): Promise<void> {
    return this.#reader.stop();
  }

  assignments(): readonly Assignment[] {
    return this.#life?.assignments() ?? [];
  }

  pause(tp: TopicPartition): void {
    this.#life?.pause(tp);
  }

  resume(tp: TopicPartition): void {
    this.#life?.resume(tp);
  }

  seek(tp: TopicPartition, offset: number): void {
    this.#life?.seek(tp, offset);
  }

  async #live(life: ConsumerLife, healthy: () => void, signal: AbortSignal): Promise<void> {
    this.#life = life;
    try {
      await life.run(() => {
        healthy();
        this.#reader.ready();
      }, signal);
    } finally {
      this.#life = null;
    }
  }
}
