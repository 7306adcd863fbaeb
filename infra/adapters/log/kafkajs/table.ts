// Reads a whole topic from its start on kafkajs, without a group, through its cluster object.
//
// Invariant: `start` resolves when every partition was read to the end that it had at the call.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import { LogError, type TableReader, type TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import { Supervisor } from '../core/supervisor.ts';
import { toLogError } from './errors.ts';
import { createCluster, createKafka, type RawCluster } from './library.ts';
import { toBatches } from './records.ts';

const MAX_BYTES_PER_PARTITION = 1024 * 1024;

export class KafkaJsTable implements TableReader {
  readonly #settings: LogConnection;
  readonly #options: TableReaderOptions;
  readonly #clock: Clock;
  readonly #supervisor: Supervisor;
  readonly #started = Promise.withResolvers<void>();
  readonly #positions = new Map<number, number>();
  #targets: Map<number, number> | null = null;

  constructor(settings: LogConnection, options: TableReaderOptions, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#started.promise.catch(() => undefined);
    this.#supervisor = new Supervisor({
      run: (healthy, signal) => this.#live(healthy, signal),
      retriable: (error) => error instanceof LogError && error.retriable,
      onRestart: () => undefined,
      onFailure: (error) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        this.#started.reject(failure);
        options.onFailure?.(failure);
      },
      clock,
      random,
    });
  }

  start(): Promise<void> {
    this.#supervisor.start();
    return this.#started.promise;
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop();
    this.#started.reject(new LogError('table reader was stopped', { retriable: false }));
  }

  async #live(healthy: () => void, signal: AbortSignal): Promise<void> {
    const cluster = createCluster(createKafka(this.#settings));
    // Disconnecting ends the long polls that run.
    const disconnect = () => void cluster.disconnect().catch(() => undefined);
    signal.addEventListener('abort', disconnect, { once: true });
    try {
      await cluster.connect();
      await cluster.addMultipleTargetTopics([this.#options.topic]);
      await this.#follow(cluster, healthy, signal);
    } catch (error) {
      if (!signal.aborted) throw toLogError(`table ${this.#options.topic}`, error);
    } finally {
      signal.removeEventListener('abort', disconnect);
      await cluster.disconnect().catch(() => undefined);
    }
  }

  async #follow(cluster: RawCluster, healthy: () => void, signal: AbortSignal): Promise<void> {
    const { topic } = this.#options;
    let refreshed = Number.NEGATIVE_INFINITY;
    let partitions: number[] = [];
    while (!signal.aborted) {
      if (
        this.#clock.now() - refreshed >=
        (this.#settings.metadataRefreshMs ?? DEFAULT_METADATA_REFRESH_MS)
      ) {
        await cluster.refreshMetadata();
        refreshed = this.#clock.now();
        partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
        await this.#open(cluster, partitions);
        healthy();
      }
      const leaders = Object.entries(cluster.findLeaderForPartitions(topic, partitions));
      await Promise.all(leaders.map(([nodeId, own]) => this.#fetch(cluster, nodeId, own)));
    }
  }

  async #open(cluster: RawCluster, partitions: readonly number[]): Promise<void> {
    const fresh = partitions
      .filter((partition) => !this.#positions.has(partition))
      .map((partition) => ({ partition }));
    if (fresh.length === 0) return;
    const earliest = await this.#offsets(cluster, fresh, true);
    const first = this.#targets === null;
    if (first) {
      const ends = await this.#offsets(cluster, fresh, false);
      this.#targets = new Map([...ends].filter(([partition, end]) => end > (earliest.get(partition) ?? 0)));
    }
    for (const [partition, offset] of earliest) this.#positions.set(partition, offset);
    if (first && this.#targets?.size === 0) this.#started.resolve();
  }

  async #offsets(
    cluster: RawCluster,
    partitions: { partition: number }[],
    fromBeginning: boolean,
  ): Promise<Map<number, number>> {
    const [answer] = await cluster.fetchTopicsOffset([
      { topic: this.#options.topic, partitions, fromBeginning },
    ]);
    return new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  async #fetch(cluster: RawCluster, nodeId: string, partitions: readonly number[]): Promise<void> {
    const { topic, onBatch } = this.#options;
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.fetch({
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: 8 * 1024 * 1024,
      isolationLevel: 0,
      rackId: '',
      topics: [
        {
          topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: String(this.#positions.get(partition) ?? 0),
            maxBytes: MAX_BYTES_PER_PARTITION,
          })),
        },
      ],
    });
    for (const answer of responses.flatMap((each) => each.partitions)) {
      const last = answer.messages.at(-1);
      if (last === undefined) continue;
      const position = this.#positions.get(answer.partition) ?? 0;
      const next = Number(last.offset) + 1;
      for (const batch of toBatches(topic, answer.partition, answer.messages, position, next)) {
        if (batch.count === 0) continue;
        try {
          onBatch(batch);
        } catch (error) {
          throw new LogError(`table handler of ${topic} failed`, { retriable: false, cause: error });
        }
      }
      this.#advance(answer.partition, Math.max(position, next));
    }
  }

  #advance(partition: number, nextOffset: number): void {
    this.#positions.set(partition, nextOffset);
    const target = this.#targets?.get(partition);
    if (target === undefined || nextOffset < target) return;
    this.#targets!.delete(partition);
    if (this.#targets!.size === 0) this.#started.resolve();
  }
}
