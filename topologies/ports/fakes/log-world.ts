// The cluster of the log in memory: topics, partitions and groups, and who must be woken.
//
// Invariant: one rebalance of a group at a time; a rebalance takes everything away before it gives anything out.
import type { Clock } from '../clock.ts';
import {
  type GroupLag,
  type LogAdmin,
  LogError,
  type LogProducer,
  type OutRecord,
  type TopicPartition,
} from '../log.ts';
import { choosePartition } from '../partition.ts';
import type { MemoryRecord } from './record-batch.ts';

export interface WorldOptions {
  readonly clock: Clock;
  /** Topics to begin with: name to number of partitions. */
  readonly topics?: Readonly<Record<string, number>>;
  /** Most records in one batch; default 100. */
  readonly batchSize?: number;
}

export interface Partition {
  start: number;
  records: MemoryRecord[];
}

/** A member as its group sees it. */
export interface GroupMember {
  readonly topics: readonly string[];
  plan(tp: TopicPartition): void;
  takeOver(): Promise<void>;
  release(reason: 'revoked' | 'lost'): Promise<void>;
}

export interface Group {
  readonly members: Set<GroupMember>;
  readonly committed: Map<string, number>;
  turn: Promise<void>;
}

export const keyOf = (tp: TopicPartition): string => `${tp.topic}/${tp.partition}`;
export const endOf = (partition: Partition): number => partition.start + partition.records.length;

export class World {
  readonly clock: Clock;
  readonly batchSize: number;
  readonly topics = new Map<string, Partition[]>();
  readonly #groups = new Map<string, Group>();
  readonly #rotation = new Map<string, number>();
  readonly #followers = new Set<() => void>();
  sendsFail = false;

  constructor(options: WorldOptions) {
    this.clock = options.clock;
    this.batchSize = options.batchSize ?? 100;
    for (const [name, partitions] of Object.entries(options.topics ?? {})) this.ensure(name, partitions);
  }

  topic(name: string): Partition[] {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new LogError(`topic ${name} does not exist`, { retriable: true });
    return topic;
  }

  partition(tp: TopicPartition): Partition {
    const partition = this.topic(tp.topic)[tp.partition];
    if (partition === undefined)
      throw new LogError(`${tp.topic} has no partition ${tp.partition}`, { retriable: false });
    return partition;
  }

  group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { members: new Set(), committed: new Map(), turn: Promise.resolve() };
      this.#groups.set(name, group);
    }
    return group;
  }

  ensure(name: string, partitions: number): boolean {
    const existing = this.topics.get(name);
    const topic = existing ?? [];
    const grown = topic.length < partitions;
    while (topic.length < partitions) topic.push({ start: 0, records: [] });
    this.topics.set(name, topic);
    if (grown) for (const group of this.#groups.values()) void this.rebalance(group);
    return existing === undefined;
  }

  follow(wake: () => void): () => void {
    this.#followers.add(wake);
    return () => this.#followers.delete(wake);
  }

  wake(): void {
    for (const follower of this.#followers) follower();
  }

  deleteBefore(tp: TopicPartition, offset: number): void {
    const partition = this.partition(tp);
    partition.records.splice(0, Math.max(0, offset - partition.start));
    partition.start = Math.max(partition.start, offset);
  }

  append(records: readonly OutRecord[]): void {
    const placed = records.map((record) => ({
      record,
      at: choosePartition(record, this.topic(record.topic).length, this.#rotation),
    }));
    for (const { record, at } of placed) this.partition({ topic: record.topic, partition: at });
    for (const { record, at } of placed) {
      const partition = this.partition({ topic: record.topic, partition: at });
      partition.records.push({
        topic: record.topic,
        partition: at,
        offset: endOf(partition),
        timestamp: record.timestamp ?? this.clock.now(),
        key: bytes(record.key),
        value: bytes(record.value),
        headers: (record.headers ?? []).map(([name, value]) => [name, bytes(value) as Buffer]),
      });
    }
    this.wake();
  }

  producer(): LogProducer {
    let closed = false;
    return {
      send: async (records) => {
        if (closed) throw new LogError('producer is closed', { retriable: false });
        if (this.sendsFail) throw new LogError('brokers are away', { retriable: true });
        this.append(records);
      },
      close: async () => {
        closed = true;
      },
    };
  }

  admin(): LogAdmin {
    return {
      ensureTopics: async (specs) =>
        specs.filter((spec) => this.ensure(spec.name, spec.partitions)).map((spec) => spec.name),
      listTopics: async () => [...this.topics.keys()].sort(),
      partitionCount: async (topic) => this.topic(topic).length,
      endOffsets: async (topic) =>
        new Map(this.topic(topic).map((partition, index) => [index, endOf(partition)])),
      startOffsets: async (topic) => new Map(this.topic(topic).map(({ start }, index) => [index, start])),
      offsetsAt: async (topic, timestamp) =>
        new Map(
          this.topic(topic).map((partition, index) => {
            const found = partition.records.find((record) => record.timestamp >= timestamp);
            return [index, found?.offset ?? endOf(partition)];
          }),
        ),
      lag: async (group, topics) => topics.flatMap((topic) => this.#lag(group, topic)),
      close: async () => undefined,
    };
  }

  /** One rebalance of a group at a time: everybody gives up, then the range assignment of the members that are left. */
  rebalance(group: Group): Promise<void> {
    group.turn = group.turn.then(async () => {
      await Promise.all([...group.members].map((member) => member.release('revoked')));
      const members = [...group.members];
      for (const topic of new Set(members.flatMap((member) => member.topics))) {
        const subscribers = members.filter((member) => member.topics.includes(topic));
        const count = this.topics.get(topic)?.length ?? 0;
        let next = 0;
        subscribers.forEach((member, index) => {
          const size = Math.floor(count / subscribers.length) + (index < count % subscribers.length ? 1 : 0);
          for (let each = 0; each < size; each++) member.plan({ topic, partition: next++ });
        });
      }
      await Promise.all(members.map((member) => member.takeOver()));
    });
    return group.turn;
  }

  #lag(group: string, topic: string): GroupLag[] {
    return this.topic(topic).map((partition, index) => {
      const committed = this.group(group).committed.get(`${topic}/${index}`) ?? -1;
      const start = Math.max(committed, partition.start);
      const oldest = partition.records[start - partition.start];
      const end = endOf(partition);
      return {
        group,
        topic,
        partition: index,
        committed,
        end,
        records: Math.max(0, end - start),
        oldestTimestamp: oldest?.timestamp ?? null,
      };
    });
  }
}

function bytes(value: Buffer | string | null): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
