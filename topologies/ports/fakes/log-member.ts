// One consumer of the log in memory, and the partitions it owns.
//
// Invariant: completions count until the partition is closed; each one that moves the watermark is committed at once.
//
// Surprise: open records are a plain set of offsets, on purpose: the second opinion on the adapters' range ledger.
import type { Assignment, ConsumerNotice, ConsumerOptions, LogConsumer, TopicPartition } from '../log.ts';
import { endOf, type Group, type GroupMember, keyOf, type World } from './log-world.ts';
import { memoryBatch } from './record-batch.ts';

const DEFAULT_DRAIN_MS = 10_000;

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

export class Member implements LogConsumer, GroupMember {
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
      const offset = (await this.#options.handler.startAt?.(owned)) ?? null;
      if (offset === null) continue;
      owned.position = offset;
      owned.watermark = offset;
      owned.delivered = offset;
    }
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
