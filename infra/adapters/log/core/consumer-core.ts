// What both adapters share: partitions owned in this epoch with their ledgers and lanes, draining on revoke,
// commits, the watchdog.
//
// Invariant: a partition's records reach the handler in offset order, one batch at a time; its commits follow the
// ledger; once its revoke is over, nothing that the handler still does can change a committed offset.
//
// Surprise: an old epoch's handler call may outlive the drain deadline. When the same partition comes back to this
// process, the first batch of the new epoch waits for that call, so that order per key holds inside the process.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type {
  Assignment,
  ConsumerNotice,
  ConsumerOptions,
  TopicPartition,
} from '@tocsin/topologies/ports/log.ts';
import { ByteBudget } from './byte-budget.ts';
import { type CommitOffset, CommitPump } from './commit-pump.ts';
import { OwnedPartition } from './owned-partition.ts';
import type { UnreadableRange } from './record-decode.ts';
import { watch } from './watchdog.ts';

export interface ConsumerCoreOptions {
  readonly consumer: ConsumerOptions;
  readonly clock: Clock;
  /** Sends offsets to the coordinator under the current generation. */
  readonly commit: (offsets: readonly CommitOffset[]) => Promise<void>;
  /** The reader may fetch more: space came free, a partition was resumed, sought or assigned. */
  readonly onWanted: () => void;
  /** The handler failed or hangs: the consumer must stop. */
  readonly onFatal: (error: Error) => void;
}

export const DEFAULT_DRAIN_MS = 10_000;
export const DEFAULT_MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
export const DEFAULT_MAX_BYTES_PER_PARTITION = 1024 * 1024;
export const DEFAULT_COMMIT_INTERVAL_MS = 500;
const FINAL_COMMIT_MS = 3_000;

export class ConsumerCore {
  readonly budget: ByteBudget;
  readonly #options: ConsumerCoreOptions;
  readonly #owned = new Map<string, OwnedPartition>();
  /** Handler calls of earlier epochs that have not settled. */
  readonly #leftovers = new Map<string, Promise<void>>();
  readonly #pump: CommitPump;
  readonly #watching = new AbortController();
  #epoch = 0;
  #revoking: Promise<void> | null = null;

  constructor(options: ConsumerCoreOptions) {
    this.#options = options;
    this.budget = new ByteBudget(options.consumer.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES);
    this.#pump = new CommitPump({
      collect: () => this.#uncommitted(),
      commit: options.commit,
      acknowledged: (offsets) => this.#acknowledge(offsets),
      onRetry: (error) => this.notice('commit-retry', `commit failed, will be repeated: ${messageOf(error)}`),
      intervalMs: options.consumer.commitIntervalMs ?? DEFAULT_COMMIT_INTERVAL_MS,
      clock: options.clock,
    });
  }

  start(): void {
    this.#pump.start();
    const limitMs = this.#options.consumer.watchdogMs;
    if (limitMs === undefined) return;
    void watch(
      {
        limitMs,
        clock: this.#options.clock,
        oldest: () => this.#oldestOpenWork(),
        onStall: (ageMs) =>
          this.#options.onFatal(
            new Error(`a record or handler call is open for ${ageMs} ms (limit ${limitMs} ms)`),
          ),
      },
      this.#watching.signal,
    );
  }

  stop(): void {
    this.#pump.stop();
    this.#watching.abort();
  }

  partitions(): Iterable<OwnedPartition> {
    return this.#owned.values();
  }

  assignments(): Assignment[] {
    return [...this.#owned.values()].map((owned) => owned.assignment);
  }

  find(tp: TopicPartition): OwnedPartition | undefined {
    return this.#owned.get(keyOf(tp));
  }

  /**
   * Take over partitions at their positions; resolves when the handler has accepted all of them, with the places where it
   * wants to begin elsewhere.
   */
  async assign(positions: readonly CommitOffset[]): Promise<readonly CommitOffset[]> {
    const epoch = ++this.#epoch;
    const { handler } = this.#options.consumer;
    const fresh: OwnedPartition[] = [];
    for (const { topic, partition, offset } of positions) {
      const key = keyOf({ topic, partition });
      const owned = new OwnedPartition({
        topic,
        partition,
        epoch,
        position: offset,
        budget: this.budget,
        clock: this.#options.clock,
        handler,
        after: this.#leftovers.get(key),
        onSpace: this.#options.onWanted,
        onError: (error) => this.#options.onFatal(error instanceof Error ? error : new Error(String(error))),
      });
      fresh.push(owned);
    }
    for (const owned of fresh) await handler.onAssigned?.(owned.assignment);
    const moved: CommitOffset[] = [];
    for (const owned of fresh) {
      const offset = (await handler.startAt?.(owned.assignment)) ?? null;
      if (offset === null) continue;
      owned.seek(offset);
      moved.push({ topic: owned.topic, partition: owned.partition, offset });
    }
    for (const owned of fresh) this.#owned.set(keyOf(owned), owned);
    if (fresh.length > 0) this.notice('assigned', `epoch ${epoch}: ${fresh.map(keyOf).join(', ')}`);
    this.#options.onWanted();
    return moved;
  }

  /** Give all partitions up. 'revoked' drains and commits; 'lost' only tells the handler. Never rejects. */
  revoke(reason: 'revoked' | 'lost'): Promise<void> {
    this.#revoking ??= this.#revokeAll(reason).finally(() => {
      this.#revoking = null;
    });
    return this.#revoking;
  }

  /** Commit what is complete now; false when the coordinator did not acknowledge. */
  flush(): Promise<boolean> {
    return this.#pump.flush();
  }

  pause(tp: TopicPartition): void {
    this.find(tp)?.lane.pause();
  }

  resume(tp: TopicPartition): void {
    this.find(tp)?.lane.resume();
    this.#options.onWanted();
  }

  seek(tp: TopicPartition, offset: number): void {
    this.find(tp)?.seek(offset);
    this.#options.onWanted();
  }

  /**
   * Offsets of this partition cannot be decoded, and reading them again does not help. With `onUnreadable` the handler
   * answers for them and reading goes on; without it the partition stops.
   */
  async skipUnreadable(owned: OwnedPartition, range: UnreadableRange): Promise<void> {
    const { handler } = this.#options.consumer;
    const what = `offsets ${range.firstOffset} to ${range.nextOffset - 1} cannot be read: ${range.reason}`;
    owned.stop(what);
    this.notice('unreadable', handler.onUnreadable ? what : `${what}; partition stopped`, owned);
    if (handler.onUnreadable === undefined) return;
    try {
      await handler.onUnreadable(
        { topic: owned.topic, partition: owned.partition, ...range },
        owned.assignment,
      );
    } catch (error) {
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.find(owned) !== owned) return;
    owned.skipTo(range.nextOffset);
    this.#options.onWanted();
  }

  notice(kind: ConsumerNotice['kind'], message: string, tp?: TopicPartition): void {
    this.#options.consumer.onNotice?.(
      tp === undefined ? { kind, message } : { kind, message, topic: tp.topic, partition: tp.partition },
    );
  }

  async #revokeAll(reason: 'revoked' | 'lost'): Promise<void> {
    const { consumer, clock } = this.#options;
    const leaving = [...this.#owned.values()];
    if (leaving.length === 0) return;
    this.notice(reason, leaving.map(keyOf).join(', '));
    for (const owned of leaving) owned.beginRevoke();
    if (reason === 'lost') for (const owned of leaving) owned.ledger.close();
    const deadline = new AbortController();
    const told = leaving.map(async (owned) => {
      try {
        await consumer.handler.onRevoked?.(owned.assignment, reason);
      } catch (error) {
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // A handler that knows its own work says when it is done; work that waits for a retry must not hold a rebalance.
    const knows = consumer.handler.onRevoked !== undefined;
    const drained = reason === 'lost' || knows ? told : leaving.map((owned) => owned.drained);
    const expire = clock.sleep(consumer.drainMs ?? DEFAULT_DRAIN_MS, deadline.signal).catch(() => undefined);
    await Promise.race([Promise.all(drained), expire]);
    deadline.abort();
    if (reason === 'revoked') await this.#finalCommit();
    for (const owned of leaving) {
      owned.ledger.close();
      const key = keyOf(owned);
      this.#owned.delete(key);
      const rest = owned.lane.settled.finally(() => {
        if (this.#leftovers.get(key) === rest) this.#leftovers.delete(key);
      });
      this.#leftovers.set(key, rest);
    }
  }

  /**
   * The last commit before partitions change hands. A coordinator that just died must not hold the rejoin for a whole
   * request timeout: what is not committed in time is read again.
   */
  async #finalCommit(): Promise<void> {
    const { clock } = this.#options;
    const deadline = new AbortController();
    const expired = clock.sleep(FINAL_COMMIT_MS, deadline.signal).then(
      () => true,
      () => false,
    );
    let late = false;
    void expired.then((timedOut) => {
      late = timedOut;
    });
    const committing = (async () => {
      for (let tries = 0; tries < 5 && !late; tries++) {
        if (await this.#pump.flush()) return;
        await clock.sleep(200);
      }
    })();
    await Promise.race([committing, expired]);
    deadline.abort();
  }

  #uncommitted(): CommitOffset[] {
    const offsets: CommitOffset[] = [];
    for (const owned of this.#owned.values()) {
      const offset = owned.ledger.watermark;
      if (offset > owned.committed) offsets.push({ topic: owned.topic, partition: owned.partition, offset });
    }
    return offsets;
  }

  #acknowledge(offsets: readonly CommitOffset[]): void {
    for (const committed of offsets) {
      const owned = this.find(committed);
      if (owned !== undefined && committed.offset > owned.committed) owned.committed = committed.offset;
    }
  }

  #oldestOpenWork(): number | null {
    let oldest: number | null = null;
    for (const owned of this.#owned.values()) {
      const began = owned.oldestOpen();
      if (began !== null && (oldest === null || began < oldest)) oldest = began;
    }
    return oldest;
  }
}

export function keyOf(tp: TopicPartition): string {
  return `${tp.topic}/${tp.partition}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
