// Keeps one fetch in flight per broker for the partitions that want records.
//
// Invariant: an answer is used only if its partition is still owned and still stands at the offset that was asked
// for; nothing is asked for while the byte budget is used up. A partition whose lane is full is left out of the
// request and holds nobody back.
//
// Surprise: a long poll cannot be told that a left-out partition has room again, so while one is left out the wait
// is short.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { ByteBudget } from '../core/byte-budget.ts';
import { MAX_DECOMPRESSED_BYTES } from '../core/codecs.ts';
import type { OwnedPartition } from '../core/owned-partition.ts';
import { decodeSection, type UnreadableRange } from '../core/record-decode.ts';
import { checksum } from './checksum.ts';
import { type Cluster, EARLIEST, LATEST } from './cluster.ts';
import { describe, isFatalConnectionError, isRetriableCode, OFFSET_OUT_OF_RANGE } from './errors.ts';
import { type Loan, lend } from './loan.ts';
import type { FetchAnswer } from './wire.ts';

export interface FetcherOptions {
  readonly cluster: Cluster;
  readonly partitions: () => Iterable<OwnedPartition>;
  readonly budget: ByteBudget;
  readonly maxBytesPerPartition: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly onRetry: (message: string, owned?: OwnedPartition) => void;
  readonly onOutOfRange: (owned: OwnedPartition, earliest: number, end: number) => void;
  readonly onUnreadable: (owned: OwnedPartition, range: UnreadableRange) => void;
  /** The fetch cannot ever succeed (rights, credentials). */
  readonly onFatal: (error: Error) => void;
}

const LONG_POLL_MS = 500;
const SHORT_POLL_MS = 25;
const MAX_RESPONSE_BYTES = 2 * 1024 * 1024;
/** Reads of the same broken batch before it counts as unreadable: the first may be a flipped bit on the way. */
const UNREADABLE_TRIES = 3;

interface Asked {
  readonly owned: OwnedPartition;
  readonly offset: number;
  readonly seeks: number;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #stopped = new AbortController();
  readonly #inFlight = new Map<number, Promise<void>>();
  readonly #failures = new Map<number, number>();
  readonly #broken = new WeakMap<OwnedPartition, { offset: number; tries: number }>();
  #scheduled = false;
  #refreshing: Promise<void> | null = null;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Look again at who wants records. Cheap; may be called at any time. */
  poke(): void {
    if (this.#scheduled || this.#stopped.signal.aborted) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#tick();
    });
  }

  /** No further requests. Requests in flight end with their connection. */
  stop(): void {
    this.#stopped.abort();
  }

  #tick(): void {
    const { cluster, budget, maxBytesPerPartition } = this.#options;
    if (this.#stopped.signal.aborted || budget.free === 0) return;
    const wanting = new Map<number, OwnedPartition[]>();
    const leftOut = new Set<number>();
    let lost = false;
    for (const owned of this.#options.partitions()) {
      const leader = cluster.leader(owned.topic, owned.partition);
      if (!owned.wants(maxBytesPerPartition)) {
        if (owned.lane.bytes > 0) leftOut.add(leader);
        continue;
      }
      if (leader < 0) {
        lost = true;
        continue;
      }
      const group = wanting.get(leader);
      if (group === undefined) wanting.set(leader, [owned]);
      else group.push(owned);
    }
    if (lost) this.#refresh();
    for (const [leader, partitions] of wanting) {
      if (this.#inFlight.has(leader)) continue;
      const waitMs = leftOut.has(leader) ? SHORT_POLL_MS : LONG_POLL_MS;
      const request = this.#fetch(leader, partitions, waitMs).finally(() => {
        this.#inFlight.delete(leader);
        this.poke();
      });
      this.#inFlight.set(leader, request);
    }
  }

  async #fetch(leader: number, partitions: readonly OwnedPartition[], maxWaitMs: number): Promise<void> {
    const { cluster, budget, maxBytesPerPartition } = this.#options;
    const asked = new Map<string, Asked>();
    // The broker fills its answer in the order of the request: begin somewhere else each time, so that nobody starves.
    const shift = Math.floor(this.#options.random() * partitions.length);
    for (let index = 0; index < partitions.length; index++) {
      const owned = partitions[(index + shift) % partitions.length]!;
      asked.set(`${owned.topic}/${owned.partition}`, { owned, offset: owned.position, seeks: owned.seeks });
    }
    try {
      const response = await cluster.connections.fetch(cluster.broker(leader), {
        maxWaitMs,
        maxBytes: Math.max(1, Math.min(budget.free, MAX_RESPONSE_BYTES)),
        maxBytesPerPartition: Math.min(maxBytesPerPartition, Math.max(1, budget.free)),
        partitions: [...asked.values()].map(({ owned, offset }) => ({
          topic: owned.topic,
          partition: owned.partition,
          offset,
        })),
      });
      this.#failures.delete(leader);
      const loan = lend(response.frame, (frame) => cluster.connections.buffers.give(frame));
      let stale = false;
      for (const answer of response.answers) {
        const question = asked.get(`${answer.topic}/${answer.partition}`);
        if (question === undefined) continue;
        const { owned, offset, seeks } = question;
        if (owned.revoked || owned.seeks !== seeks || owned.position !== offset) continue;
        if (answer.errorCode === 0) this.#take(owned, answer, loan);
        else stale = (await this.#refused(owned, answer)) || stale;
      }
      loan.end();
      if (stale) {
        this.#refresh();
        await this.#pause(leader);
      }
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      if (isFatalConnectionError(error)) {
        this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      this.#options.onRetry(`fetch from broker ${leader} failed: ${describe(error)}`);
      this.#dropConnection(leader);
      this.#refresh();
      await this.#pause(leader);
    }
  }

  #take(owned: OwnedPartition, answer: FetchAnswer, loan: Loan): void {
    if (answer.records.length === 0) return;
    const decoded = decodeSection(owned.topic, owned.partition, answer.records, owned.position, {
      crc32c: checksum,
      maxDecompressedBytes: this.#options.cluster.settings.maxDecompressedBytes ?? MAX_DECOMPRESSED_BYTES,
    });
    for (const batch of decoded.batches) loan.add(batch);
    if (decoded.nextOffset > owned.position) owned.accept(decoded.batches, decoded.nextOffset);
    if (decoded.unreadable === null) return;
    const seen = this.#broken.get(owned);
    const tries = seen?.offset === decoded.unreadable.firstOffset ? seen.tries + 1 : 1;
    this.#broken.set(owned, { offset: decoded.unreadable.firstOffset, tries });
    if (tries < UNREADABLE_TRIES) {
      this.#options.onRetry(
        `cannot read offset ${decoded.unreadable.firstOffset}: ${decoded.unreadable.reason}`,
        owned,
      );
    } else {
      this.#broken.delete(owned);
      this.#options.onUnreadable(owned, decoded.unreadable);
    }
  }

  /** Deals with an error of one partition; true when the leaders must be looked up again. */
  async #refused(owned: OwnedPartition, answer: FetchAnswer): Promise<boolean> {
    if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
      const { cluster } = this.#options;
      const position = owned.position;
      const earliest = (await cluster.listOffsets(owned.topic, [owned.partition], EARLIEST)).get(
        owned.partition,
      );
      const end = (await cluster.listOffsets(owned.topic, [owned.partition], LATEST)).get(owned.partition);
      if (earliest === undefined || end === undefined || owned.revoked || owned.position !== position)
        return true;
      // A leader that has just changed may lag behind for a moment; then the offset is inside the range again.
      if (position >= earliest && position <= end) return true;
      this.#options.onOutOfRange(owned, earliest, end);
      return false;
    }
    if (isRetriableCode(answer.errorCode)) {
      this.#options.onRetry(`broker answered ${answer.errorCode}`, owned);
      return true;
    }
    this.#options.onFatal(
      new Error(`fetch of ${owned.topic}/${owned.partition} is refused: Kafka error ${answer.errorCode}`),
    );
    return false;
  }

  #dropConnection(leader: number): void {
    const { cluster } = this.#options;
    try {
      cluster.connections.dropFetch(cluster.broker(leader));
    } catch {
      // The broker left the cluster; its connection closes by itself.
    }
  }

  async #pause(leader: number): Promise<void> {
    const failures = (this.#failures.get(leader) ?? 0) + 1;
    this.#failures.set(leader, failures);
    const full = Math.min(5_000, 50 * 2 ** Math.min(failures, 10));
    await this.#options.clock
      .sleep(full / 2 + this.#options.random() * (full / 2), this.#stopped.signal)
      .catch(() => undefined);
  }

  /** Looks leaders up again, once at a time, and goes on fetching after it. */
  #refresh(): void {
    if (this.#refreshing !== null) return;
    const { cluster, clock } = this.#options;
    const topics = [...new Set([...this.#options.partitions()].map((owned) => owned.topic))];
    this.#refreshing = cluster
      .refresh(topics)
      .then(() => undefined)
      .catch((error: unknown) => this.#options.onRetry(`metadata failed: ${describe(error)}`))
      .then(() => clock.sleep(200, this.#stopped.signal))
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = null;
        this.poke();
      });
  }
}
