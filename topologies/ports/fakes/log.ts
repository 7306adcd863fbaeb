// The log in memory: topics, consumer groups with rebalances and crashes, producers, tables; no network and no timers.
//
// Invariant: same contract as the adapters (one conformance suite), so a flow tested here behaves the same there. What is
// complete is committed at once, so `committed` can be read without waiting.
//
// Surprise: byte limits and the watchdog are not modelled.
import type { LogClient, LogConsumer, TableReader, TableReaderOptions, TopicPartition } from '../log.ts';
import { Member } from './log-member.ts';
import { keyOf, World, type WorldOptions } from './log-world.ts';
import { type MemoryRecord, memoryBatch } from './record-batch.ts';

export type FakeLogOptions = WorldOptions;

export interface FakeLog extends LogClient {
  /** Every record of a topic, by partition and offset. */
  records(topic: string): MemoryRecord[];
  /** Next offset that a group reads; -1 when it has committed nothing. */
  committed(group: string, tp: TopicPartition): number;
  /** Retention: offsets below `offset` are gone. */
  deleteBefore(tp: TopicPartition, offset: number): void;
  /** kill -9: the member vanishes without draining or committing. */
  crash(consumer: LogConsumer): Promise<void>;
  /** Until lifted, `send` fails with a retriable LogError. */
  failSends(fail: boolean): void;
}

export function fakeLog(options: FakeLogOptions): FakeLog {
  const world = new World(options);
  return {
    consumer: (consumerOptions) => new Member(world, consumerOptions),
    producer: () => world.producer(),
    table: (tableOptions) => new MemoryTable(world, tableOptions),
    admin: () => world.admin(),
    records: (topic) => world.topic(topic).flatMap(({ records }) => records),
    committed: (group, tp) => world.group(group).committed.get(keyOf(tp)) ?? -1,
    deleteBefore: (tp, offset) => world.deleteBefore(tp, offset),
    crash: (consumer) => (consumer as Member).crash(),
    failSends: (fail) => {
      world.sendsFail = fail;
    },
  };
}

class MemoryTable implements TableReader {
  readonly #world: World;
  readonly #options: TableReaderOptions;
  readonly #positions = new Map<number, number>();
  /** Partitions whose handler is at work. */
  readonly #busy = new Map<number, Promise<void>>();
  #unfollow: (() => void) | null = null;
  #stopped = false;

  constructor(world: World, options: TableReaderOptions) {
    this.#world = world;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#world.topic(this.#options.topic);
    this.#unfollow = this.#world.follow(() => this.#read());
    this.#read();
    await Promise.all(this.#busy.values());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unfollow?.();
    await Promise.all(this.#busy.values());
  }

  #read(): void {
    this.#world.topic(this.#options.topic).forEach((_, partition) => {
      if (this.#options.partitions?.includes(partition) !== false) this.#readPartition(partition);
    });
  }

  #readPartition(partition: number): void {
    const { topic, from, onBatch } = this.#options;
    if (this.#stopped || this.#busy.has(partition)) return;
    const stored = this.#world.partition({ topic, partition });
    const position = Math.max(this.#positions.get(partition) ?? from?.get(partition) ?? 0, stored.start);
    const records = stored.records.slice(position - stored.start);
    if (records.length === 0) return;
    const next = position + records.length;
    this.#positions.set(partition, next);
    try {
      const working = onBatch(memoryBatch({ topic, partition }, records, next));
      if (working === undefined) return;
      const settled = working
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#busy.delete(partition);
          this.#readPartition(partition);
        });
      this.#busy.set(partition, settled);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#stopped = true;
    this.#unfollow?.();
    this.#options.onFailure?.(error instanceof Error ? error : new Error(String(error)));
  }
}
