// The port's admin on kafkajs.
//
// Surprise: kafkajs's admin reads no records; the age of the oldest waiting one comes from one fetch through its cluster.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import { type GroupLag, type LogAdmin, LogError, type TopicSpec } from '@tocsin/topologies/ports/log.ts';
import type { Admin, Kafka } from 'kafkajs';
import { toLogError } from './errors.ts';
import { createCluster, type RawCluster } from './library.ts';

export class KafkaJsAdmin implements LogAdmin {
  readonly #kafka: Kafka;
  readonly #clock: Clock;
  #admin: Promise<Admin> | null = null;
  #cluster: Promise<RawCluster> | null = null;

  constructor(kafka: Kafka, clock: Clock) {
    this.#kafka = kafka;
    this.#clock = clock;
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<string[]> {
    return await this.#do('ensure topics', async (admin) => {
      const existing = new Set(await admin.listTopics());
      const missing = specs.filter((spec) => !existing.has(spec.name));
      const created: string[] = [];
      for (const spec of missing) {
        const made = await admin.createTopics({
          waitForLeaders: true,
          topics: [
            {
              topic: spec.name,
              numPartitions: spec.partitions,
              replicationFactor: spec.replicationFactor,
              configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
            },
          ],
        });
        if (made) created.push(spec.name);
      }
      const present = specs.filter((spec) => existing.has(spec.name));
      if (present.length > 0) {
        const { topics } = await admin.fetchTopicMetadata({ topics: present.map((spec) => spec.name) });
        const grown = present.filter(
          (spec) => (topics.find(({ name }) => name === spec.name)?.partitions.length ?? 0) < spec.partitions,
        );
        if (grown.length > 0) {
          await admin.createPartitions({
            topicPartitions: grown.map((spec) => ({ topic: spec.name, count: spec.partitions })),
          });
        }
      }
      return created;
    });
  }

  async listTopics(): Promise<string[]> {
    return await this.#do('list topics', async (admin) =>
      (await admin.listTopics()).filter((name) => !name.startsWith('__')).sort(),
    );
  }

  async partitionCount(topic: string): Promise<number> {
    return (await this.#partitions(topic)).length;
  }

  endOffsets(topic: string): Promise<Map<number, number>> {
    return this.#bounds('end offsets', topic, ({ high }) => high);
  }

  startOffsets(topic: string): Promise<Map<number, number>> {
    return this.#bounds('start offsets', topic, ({ low }) => low);
  }

  async offsetsAt(topic: string, timestamp: number): Promise<Map<number, number>> {
    return await this.#do('offsets by time', async (admin) => {
      // Negative times have meanings of their own; the client answers the end where no record is that young.
      const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, timestamp));
      return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }

  async lag(group: string, topics: readonly string[]): Promise<GroupLag[]> {
    const lags = await Promise.all(topics.map((topic) => this.#topicLag(group, topic)));
    return lags.flat();
  }

  async close(): Promise<void> {
    await this.#admin?.then((admin) => admin.disconnect()).catch(() => undefined);
    await this.#cluster?.then((cluster) => cluster.disconnect()).catch(() => undefined);
  }

  #bounds(
    what: string,
    topic: string,
    boundOf: (offsets: { low: string; high: string }) => string,
  ): Promise<Map<number, number>> {
    return this.#do(
      what,
      async (admin) =>
        new Map(
          (await admin.fetchTopicOffsets(topic)).map((each) => [each.partition, Number(boundOf(each))]),
        ),
    );
  }

  async #topicLag(group: string, topic: string): Promise<GroupLag[]> {
    return await this.#do('lag', async (admin) => {
      const [offsets, [committed]] = await Promise.all([
        admin.fetchTopicOffsets(topic),
        admin.fetchOffsets({ groupId: group, topics: [topic] }),
      ]);
      return await Promise.all(
        offsets.map(async ({ partition, low, high }) => {
          const own = Number(
            committed?.partitions.find((each) => each.partition === partition)?.offset ?? -1,
          );
          const start = Math.max(own, Number(low));
          const end = Number(high);
          const records = Math.max(0, end - start);
          const oldestTimestamp = records === 0 ? null : await this.#timestampAt(topic, partition, start);
          return { group, topic, partition, committed: own, end, records, oldestTimestamp };
        }),
      );
    });
  }

  async #timestampAt(topic: string, partition: number, offset: number): Promise<number | null> {
    const cluster = await this.#rawCluster();
    await cluster.addMultipleTargetTopics([topic]);
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
    if (nodeId === undefined) throw new LogError(`${topic}/${partition} has no leader`, { retriable: true });
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.fetch({
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes: 1,
      isolationLevel: 0,
      rackId: '',
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: 1 }] }],
    });
    const messages = responses.flatMap((each) => each.partitions).flatMap((each) => each.messages);
    const first = messages.find((message) => !message.isControlRecord && Number(message.offset) >= offset);
    return first === undefined ? null : Number(first.timestamp);
  }

  async #partitions(topic: string): Promise<number[]> {
    return await this.#do('partition count', async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.map(({ partitionId }) => partitionId) ?? [];
    });
  }

  async #do<T>(what: string, act: (admin: Admin) => Promise<T>): Promise<T> {
    const began = this.#clock.now();
    for (;;) {
      try {
        this.#admin ??= this.#connect();
        return await act(await this.#admin);
      } catch (error) {
        const failure = toLogError(what, error);
        const unknown = (error as { type?: string }).type === 'UNKNOWN_TOPIC_OR_PARTITION';
        if (unknown || !failure.retriable || this.#clock.now() - began > 30_000) throw failure;
        await this.#clock.sleep(200);
      }
    }
  }

  async #connect(): Promise<Admin> {
    try {
      const admin = this.#kafka.admin();
      await admin.connect();
      return admin;
    } catch (error) {
      this.#admin = null;
      throw error;
    }
  }

  #rawCluster(): Promise<RawCluster> {
    this.#cluster ??= (async () => {
      const cluster = createCluster(this.#kafka);
      await cluster.connect();
      return cluster;
    })();
    return this.#cluster;
  }
}
