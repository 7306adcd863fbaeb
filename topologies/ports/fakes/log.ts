// The log in memory: topics, consumer groups with rebalances and crashes, producers, tables; no network and no timers.
//
// Invariant: same contract as the adapters, so a flow tested here behaves the same there. Every completion that moves the
// watermark is committed at once, so `committed` can be read without waiting.
//
// Surprise: the ledger here is a plain set of offsets on purpose: it is the second opinion on the adapters' range ledger.
// Byte limits and the watchdog are not modelled.
import type { Clock } from '../clock.ts';
import {
  type Assignment,
  type ConsumerNotice,
  type ConsumerOptions,
  type GroupLag,
  type LogAdmin,
  type LogClient,
  type LogConsumer,
  LogError,
  type LogProducer,
  type OutRecord,
  type TableReader,
  type TableReaderOptions,
  type TopicPartition,
} from '../log.ts';
import { choosePartition } from '../partition.ts';
import { type MemoryRecord, memoryBatch } from './record-batch.ts';

export interface FakeLogOptions {
  readonly clock: Clock;
  /** Topics to begin with: name to number of partitions. */
  readonly topics?: Readonly<Record<string, number>>;
  /** Most records in one batch; default 100. */
  readonly batchSize?: number;
}

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

interface Partition {
  start: number;
  records: MemoryRecord[];
}

type Topics = Map<string, Partition[]>;

interface Group {
  readonly members: Set<Member>;
  readonly committed: Map<string, number>;
  turn: Promise<void>;
}

const DEFAULT_DRAIN_MS = 10_000;
const keyOf = (tp: TopicPartition): string => `${tp.topic}/${tp.partition}`;
const endOf = (partition: Partition): number => partition.start + partition.records.length;

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

class World {
  readonly clock: Clock;
  readonly batchSize: number;
  readonly topics: Topics = new Map();
  readonly #groups = new Map<string, Group>();
  readonly #rotation = new Map<string, number>();
  readonly #followers = new Set<() => void>();
  sendsFail = false;

  constructor(options: FakeLogOptions) {
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

/** One partition in one epoch of one member. */
class Owned implements Assignment {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly signal: AbortSignal;
  readonly abort = new AbortController();
  readonly done = new Set<number>();
  position: number;
  watermark: number;
  delivered: number;
  paused = false;
  stopped = false;
  closed = false;
  running: Promise<void> | null = null;
  woken = false;
  drained: () => void = () => undefined;
  readonly #commit: (offset: number) => void;

  constructor(tp: TopicPartition, epoch: number, position: number, commit: (offset: number) => void) {
    this.topic = tp.topic;
    this.partition = tp.partition;
    this.epoch = epoch;
    this.signal = this.abort.signal;
    this.position = position;
    this.watermark = position;
    this.delivered = position;
    this.#commit = commit;
  }

  complete(firstOffset: number, nextOffset: number): void {
    if (this.closed) return;
    for (let offset = firstOffset; offset < Math.min(nextOffset, this.delivered); offset++)
      this.done.add(offset);
    const before = this.watermark;
    while (this.done.delete(this.watermark)) this.watermark++;
    if (this.watermark > before) this.#commit(this.watermark);
    if (this.watermark >= this.delivered) this.drained();
  }
}

class Member implements LogConsumer {
  readonly topics: readonly string[];
  readonly #world: World;
  readonly #options: ConsumerOptions;
  readonly #group: Group;
  readonly #owned = new Map<string, Owned>();
  #planned: TopicPartition[] = [];
  #epoch = 0;
  #unfollow: (() => void) | null = null;
  #failed = false;

  constructor(world: World, options: ConsumerOptions) {
    this.#world = world;
    this.#options = options;
    this.topics = options.topics;
    this.#group = world.group(options.group);
  }

  async start(): Promise<void> {
    if (this.#group.members.has(this)) return;
    this.#group.members.add(this);
    this.#unfollow = this.#world.follow(() => this.#wakeAll());
    await this.#world.rebalance(this.#group);
  }

  async stop(): Promise<void> {
    if (!this.#group.members.has(this)) return;
    await this.release('revoked');
    this.#unfollow?.();
    if (this.#group.members.delete(this)) await this.#world.rebalance(this.#group);
  }

  async crash(): Promise<void> {
    this.#group.members.delete(this);
    this.#unfollow?.();
    for (const owned of this.#owned.values()) {
      owned.closed = true;
      owned.abort.abort(new Error('crashed'));
    }
    this.#owned.clear();
    await this.#world.rebalance(this.#group);
  }

  assignments(): readonly Assignment[] {
    return [...this.#owned.values()];
  }

  pause(tp: TopicPartition): void {
    const owned = this.#owned.get(keyOf(tp));
    if (owned !== undefined) owned.paused = true;
  }

  resume(tp: TopicPartition): void {
    const owned = this.#owned.get(keyOf(tp));
    if (owned === undefined) return;
    owned.paused = false;
    this.#run(owned);
  }

  seek(tp: TopicPartition, offset: number): void {
    const owned = this.#owned.get(keyOf(tp));
    if (owned === undefined) return;
    owned.done.clear();
    owned.position = offset;
    owned.watermark = offset;
    owned.delivered = offset;
    owned.stopped = false;
    owned.drained();
    this.#run(owned);
  }

  plan(tp: TopicPartition): void {
    this.#planned.push(tp);
  }

  /** Take what was planned: positions, `onAssigned`, then records. */
  async takeOver(): Promise<void> {
    const planned = this.#planned;
    this.#planned = [];
    const epoch = ++this.#epoch;
    const { committed } = this.#group;
    const fresh = planned.map((tp) => {
      const position = committed.get(keyOf(tp)) ?? this.#world.partition(tp).start;
      return new Owned(tp, epoch, position, (offset) => {
        if (offset > (committed.get(keyOf(tp)) ?? -1)) committed.set(keyOf(tp), offset);
      });
    });
    for (const owned of fresh) await this.#options.handler.onAssigned?.(owned);
    for (const owned of fresh) {
      this.#owned.set(keyOf(owned), owned);
      this.#notice('assigned', `epoch ${epoch}`, owned);
    }
    this.#wakeAll();
  }

  async release(reason: 'revoked' | 'lost'): Promise<void> {
    const leaving = [...this.#owned.values()];
    for (const owned of leaving) owned.abort.abort(new Error(reason));
    await Promise.all(leaving.map((owned) => this.#drain(owned, reason)));
    for (const owned of leaving) {
      owned.closed = true;
      this.#owned.delete(keyOf(owned));
      this.#notice(reason, '', owned);
    }
  }

  async #drain(owned: Owned, reason: 'revoked' | 'lost'): Promise<void> {
    const told = this.#options.handler.onRevoked?.(owned, reason);
    const settled = (async () => {
      await told;
      if (this.#options.handler.onRevoked !== undefined) return;
      await owned.running;
      if (owned.watermark >= owned.delivered) return;
      await new Promise<void>((resolve) => {
        owned.drained = resolve;
      });
    })();
    const deadline = new AbortController();
    const expired = this.#world.clock
      .sleep(this.#options.drainMs ?? DEFAULT_DRAIN_MS, deadline.signal)
      .catch(() => undefined);
    await Promise.race([settled, expired]);
    deadline.abort();
  }

  #wakeAll(): void {
    for (const owned of this.#owned.values()) this.#run(owned);
  }

  #run(owned: Owned): void {
    if (owned.running !== null) {
      // Records that come between the last look and the end of the delivery must not wait for the next ones.
      owned.woken = true;
      return;
    }
    owned.woken = false;
    owned.running = this.#deliver(owned).finally(() => {
      owned.running = null;
      if (owned.woken) this.#run(owned);
    });
  }

  async #deliver(owned: Owned): Promise<void> {
    while (!owned.paused && !owned.stopped && !owned.signal.aborted && !this.#failed) {
      const partition = this.#world.partition(owned);
      const end = endOf(partition);
      if (owned.position < partition.start || owned.position > end) {
        owned.stopped = true;
        const lost = partition.start - owned.position;
        this.#notice(
          'offset-out-of-range',
          `offset ${owned.position}: ${lost} records lost; partition stopped`,
          owned,
        );
        return;
      }
      const from = owned.position - partition.start;
      const records = partition.records.slice(from, from + this.#world.batchSize);
      if (records.length === 0) return;
      owned.position += records.length;
      owned.delivered = owned.position;
      try {
        await this.#options.handler.onBatch(memoryBatch(owned, records, owned.position), owned);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    void this.crash().then(() => this.#options.onFailure?.(error));
  }

  #notice(kind: ConsumerNotice['kind'], message: string, tp: TopicPartition): void {
    this.#options.onNotice?.({ kind, message, topic: tp.topic, partition: tp.partition });
  }
}

class MemoryTable implements TableReader {
  readonly #world: World;
  readonly #options: TableReaderOptions;
  readonly #positions = new Map<number, number>();
  #unfollow: (() => void) | null = null;

  constructor(world: World, options: TableReaderOptions) {
    this.#world = world;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#world.topic(this.#options.topic);
    this.#unfollow = this.#world.follow(() => this.#read());
    this.#read();
  }

  async stop(): Promise<void> {
    this.#unfollow?.();
  }

  #read(): void {
    const { topic, onBatch } = this.#options;
    this.#world.topic(topic).forEach((stored, partition) => {
      const position = Math.max(this.#positions.get(partition) ?? 0, stored.start);
      const records = stored.records.slice(position - stored.start);
      if (records.length === 0) return;
      const next = position + records.length;
      this.#positions.set(partition, next);
      try {
        onBatch(memoryBatch({ topic, partition }, records, next));
      } catch (error) {
        this.#unfollow?.();
        this.#options.onFailure?.(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}

function bytes(value: Buffer | string | null): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
