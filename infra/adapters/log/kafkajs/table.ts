// Reads a whole topic from its start on kafkajs, without a group, through its cluster object.
//
// Invariant: `start` resolves when every partition was read to the end that it had at the call.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { TableReaderOptions } from '@tocsin/topologies/ports/log.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import type { FollowTable } from '../core/supervised-table.ts';
import { handOver, partitionsOf, startsOf, type TablePositions } from '../core/table-positions.ts';
import { toLogError } from './errors.ts';
import { createCluster, createKafka, type RawCluster } from './library.ts';
import { toBatches } from './records.ts';

const FETCH_BYTES = 8 * 1024 * 1024;
const MAX_BYTES_PER_PARTITION = 1024 * 1024;

/** The life of a table: connects, follows the topic, disconnects. */
export function followTable(settings: LogConnection, options: TableReaderOptions, clock: Clock): FollowTable {
  return (positions, healthy, signal) =>
    new TableLife(settings, options, clock, positions).run(healthy, signal);
}

class TableLife {
  readonly #settings: LogConnection;
  readonly #options: TableReaderOptions;
  readonly #clock: Clock;
  readonly #positions: TablePositions;

  constructor(settings: LogConnection, options: TableReaderOptions, clock: Clock, positions: TablePositions) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#positions = positions;
  }

  async run(healthy: () => void, signal: AbortSignal): Promise<void> {
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
    let partitions: readonly number[] = [];
    while (!signal.aborted) {
      if (
        this.#clock.now() - refreshed >=
        (this.#settings.metadataRefreshMs ?? DEFAULT_METADATA_REFRESH_MS)
      ) {
        await cluster.refreshMetadata();
        refreshed = this.#clock.now();
        const all = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
        partitions = partitionsOf(this.#options, all);
        await this.#open(cluster, partitions);
        healthy();
      }
      const leaders = Object.entries(cluster.findLeaderForPartitions(topic, [...partitions]));
      await Promise.all(leaders.map(([nodeId, own]) => this.#fetch(cluster, nodeId, own)));
    }
  }

  async #open(cluster: RawCluster, partitions: readonly number[]): Promise<void> {
    const fresh = partitions
      .filter((partition) => this.#positions.of(partition) === undefined)
      .map((partition) => ({ partition }));
    if (fresh.length === 0) return;
    const starts = startsOf(this.#options, await this.#offsets(cluster, fresh, true));
    if (this.#positions.fresh) this.#positions.waitFor(await this.#offsets(cluster, fresh, false), starts);
    for (const [partition, offset] of starts) this.#positions.open(partition, offset);
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
    const { topic, maxBufferedBytes: bound = FETCH_BYTES } = this.#options;
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.fetch({
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: bound,
      isolationLevel: 0,
      rackId: '',
      topics: [
        {
          topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: String(this.#positions.of(partition) ?? 0),
            maxBytes: Math.min(bound, MAX_BYTES_PER_PARTITION),
          })),
        },
      ],
    });
    for (const answer of responses.flatMap((each) => each.partitions)) {
      const last = answer.messages.at(-1);
      if (last === undefined) continue;
      const position = this.#positions.of(answer.partition) ?? 0;
      const next = Number(last.offset) + 1;
      for (const batch of toBatches(topic, answer.partition, answer.messages, position, next)) {
        if (batch.count > 0) await handOver(this.#options, batch);
      }
      this.#positions.advance(answer.partition, Math.max(position, next));
    }
  }
}
