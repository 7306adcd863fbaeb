// The port's consumer on kafkajs: one life after the other, under the shared supervisor.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type {
  Assignment,
  ConsumerOptions,
  LogConsumer,
  TopicPartition,
} from '@tocsin/topologies/ports/log.ts';
import type { LogConnection } from '../core/settings.ts';
import { SupervisedReader } from '../core/supervised-reader.ts';
import { ConsumerLife } from './consumer-life.ts';

export class KafkaJsConsumer implements LogConsumer {
  readonly #settings: LogConnection;
  readonly #options: ConsumerOptions;
  readonly #clock: Clock;
  readonly #reader: SupervisedReader;
  #life: ConsumerLife | null = null;

  constructor(settings: LogConnection, options: ConsumerOptions, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#reader = new SupervisedReader({
      name: `consumer of ${options.group}`,
      live: (healthy, signal) => this.#live(healthy, signal),
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
    return this.#life?.core.assignments() ?? [];
  }

  pause(tp: TopicPartition): void {
    this.#life?.core.pause(tp);
    this.#life?.applyPauses();
  }

  resume(tp: TopicPartition): void {
    this.#life?.core.resume(tp);
  }

  seek(tp: TopicPartition, offset: number): void {
    this.#life?.seek(tp, offset);
  }

  async #live(healthy: () => void, signal: AbortSignal): Promise<void> {
    const life = new ConsumerLife(this.#settings, this.#options, this.#clock, () => {
      healthy();
      this.#reader.ready();
    });
    this.#life = life;
    try {
      await life.run(signal);
    } finally {
      this.#life = null;
    }
  }
}
