// The port's admin: topics, offsets, lag.
//
// Invariant: nothing is ever deleted. Lag is computed from offsets and the timestamp of the first waiting record,
// never from what a consumer says of itself.
import { crc32c, createPartitionsV3, createTopicsV7 } from '@platformatic/kafka';
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import { type GroupLag, type LogAdmin, LogError, type TopicSpec } from '@tocsin/topologies/ports/log.ts';
import { MAX_DECOMPRESSED_BYTES } from '../core/codecs.ts';
import { decodeSection } from '../core/record-decode.ts';
import { type Cluster, EARLIEST, LATEST } from './cluster.ts';
import { codeError, protocolCode, TOPIC_ALREADY_EXISTS, toLogError } from './errors.ts';
import { fetchV12 } from './wire.ts';

const REQUEST_MS = 30_000;
const RETRY_FOR_MS = 30_000;

export class PlatformaticAdmin implements LogAdmin {
  readonly #cluster: Cluster;
  readonly #clock: Clock;

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<string[]> {
    return this.#retry('ensure topics', async () => {
      const existing = new Map(
        (await this.#cluster.refresh(null)).map((layout) => [layout.name, layout.partitions.length]),
      );
      const missing = specs.filter((spec) => !existing.has(spec.name));
      const created = missing.length === 0 ? [] : await this.#create(missing);
      for (const spec of specs) {
        const count = existing.get(spec.name);
        if (count !== undefined && count < spec.partitions) await this.#grow(spec);
      }
      await this.#awaitLeaders(specs);
      return created;
    });
  }

  listTopics(): Promise<string[]> {
    return this.#retry('list topics', async () =>
      (await this.#cluster.refresh(null))
        .filter((layout) => !layout.internal)
        .map((layout) => layout.name)
        .sort(),
    );
  }

  partitionCount(topic: string): Promise<number> {
    return this.#retry('partition count', async () => {
      const [layout] = await this.#cluster.refresh([topic]);
      if (layout === undefined || layout.partitions.length === 0)
        throw new LogError(`topic ${topic} does not exist`, { retriable: false });
      return layout.partitions.length;
    });
  }

  endOffsets(topic: string): Promise<Map<number, number>> {
    return this.#retry('end offsets', async () =>
      this.#cluster.listOffsets(topic, await this.#partitions(topic), LATEST),
    );
  }

  startOffsets(topic: string): Promise<Map<number, number>> {
    return this.#retry('start offsets', async () =>
      this.#cluster.listOffsets(topic, await this.#partitions(topic), EARLIEST),
    );
  }

  offsetsAt(topic: string, timestamp: number): Promise<Map<number, number>> {
    return this.#retry('offsets by time', async () => {
      const partitions = await this.#partitions(topic);
      const [found, ends] = await Promise.all([
        // Negative times have meanings of their own.
        this.#cluster.listOffsets(topic, partitions, Math.max(0, timestamp)),
        this.#cluster.listOffsets(topic, partitions, LATEST),
      ]);
      const offsetOf = (partition: number): number => {
        const offset = found.get(partition) ?? -1;
        return offset < 0 ? (ends.get(partition) ?? 0) : offset;
      };
      return new Map(partitions.map((partition) => [partition, offsetOf(partition)]));
    });
  }

  async lag(group: string, topics: readonly string[]): Promise<GroupLag[]> {
    const lags = await Promise.all(
      topics.map((topic) => this.#retry('lag', () => this.#topicLag(group, topic))),
    );
    return lags.flat();
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }

  async #topicLag(group: string, topic: string): Promise<GroupLag[]> {
    const partitions = await this.#partitions(topic);
    const [committed, earliest, latest] = await Promise.all([
      this.#cluster.committed(group, new Map([[topic, partitions]])),
      this.#cluster.listOffsets(topic, partitions, EARLIEST),
      this.#cluster.listOffsets(topic, partitions, LATEST),
    ]);
    return await Promise.all(
      partitions.map(async (partition) => {
        const own = committed.get(topic)?.get(partition) ?? -1;
        const start = Math.max(own, earliest.get(partition) ?? 0);
        const end = latest.get(partition) ?? 0;
        const records = Math.max(0, end - start);
        const oldestTimestamp = records === 0 ? null : await this.#timestampAt(topic, partition, start);
        return { group, topic, partition, committed: own, end, records, oldestTimestamp };
      }),
    );
  }

  /** Timestamp of the first record at or after an offset; null when only control records or gaps follow. */
  async #timestampAt(topic: string, partition: number, offset: number): Promise<number | null> {
    const leader = this.#cluster.leader(topic, partition);
    // One byte asks for the first batch alone: a broker never cuts that one.
    const response = await this.#cluster.connections.call(this.#cluster.broker(leader), 'fetch', fetchV12, [
      { maxWaitMs: 100, maxBytes: 1, maxBytesPerPartition: 1, partitions: [{ topic, partition, offset }] },
    ]);
    const [answer] = response.answers;
    if (answer === undefined || answer.errorCode !== 0)
      throw codeError(`lag of ${topic}/${partition}`, answer?.errorCode ?? 9);
    const { batches } = decodeSection(topic, partition, answer.records, offset, {
      crc32c,
      maxDecompressedBytes: MAX_DECOMPRESSED_BYTES,
    });
    const first = batches.find((batch) => batch.count > 0);
    return first === undefined ? null : first.timestamp(0);
  }

  async #partitions(topic: string): Promise<number[]> {
    return (await this.#cluster.topic(topic)).partitions.map(({ partition }) => partition);
  }

  async #create(specs: readonly TopicSpec[]): Promise<string[]> {
    const created: string[] = [];
    // One request per topic: the client reports an error for the whole answer.
    for (const spec of specs) {
      try {
        await this.#cluster.connections.call(this.#cluster.controller(), 'meta', createTopicsV7.api, [
          [
            {
              name: spec.name,
              numPartitions: spec.partitions,
              replicationFactor: spec.replicationFactor,
              assignments: [],
              configs: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
            },
          ],
          REQUEST_MS,
          false,
        ]);
        created.push(spec.name);
      } catch (error) {
        // Another process made it at the same moment.
        if (protocolCode(error) !== TOPIC_ALREADY_EXISTS)
          throw toLogError(`create topic ${spec.name}`, error);
      }
    }
    return created;
  }

  async #grow(spec: TopicSpec): Promise<void> {
    try {
      await this.#cluster.connections.call(this.#cluster.controller(), 'meta', createPartitionsV3.api, [
        [{ name: spec.name, count: spec.partitions, assignments: null }],
        REQUEST_MS,
        false,
      ]);
    } catch (error) {
      throw toLogError(`add partitions to ${spec.name}`, error);
    }
  }

  /** A new topic is usable when every partition has a leader that the brokers know of. */
  async #awaitLeaders(specs: readonly TopicSpec[]): Promise<void> {
    const names = specs.map((spec) => spec.name);
    for (;;) {
      const layouts = await this.#cluster.refresh(names);
      const ready = specs.every((spec) => {
        const layout = layouts.find(({ name }) => name === spec.name);
        return (
          layout !== undefined &&
          layout.partitions.length >= spec.partitions &&
          layout.partitions.every(({ leader }) => leader >= 0)
        );
      });
      if (ready) return;
      await this.#clock.sleep(50);
    }
  }

  async #retry<T>(what: string, act: () => Promise<T>): Promise<T> {
    const began = this.#clock.now();
    for (;;) {
      try {
        return await act();
      } catch (error) {
        const failure = toLogError(what, error);
        if (!failure.retriable || this.#clock.now() - began > RETRY_FOR_MS) throw failure;
        await this.#clock.sleep(100);
      }
    }
  }
}
