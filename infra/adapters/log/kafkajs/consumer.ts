// A life of the consumer on kafkajs, from connect to disconnect, driven by the shared core.
//
// Invariant: kafkajs only fetches and keeps the membership. Positions are resolved as soon as a batch is handed over,
// offsets are committed from the ledger alone, and a join waits until what was delivered has drained.
//
// Surprise: kafkajs has no hook before a rejoin, commits a default offset by itself when an offset is out of range, keeps
// partitions paused over rebalances, and holds all partitions of a broker until the slowest handler of a fetch returns.
// `intercept` puts the first two right through its cluster object; eachBatch hands over and returns, which settles the last.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { Assignment, ConsumerOptions, TopicPartition } from '@tocsin/topologies/ports/log.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { CommitOffset } from '../core/commit-pump.ts';
import {
  ConsumerCore,
  DEFAULT_DRAIN_MS,
  DEFAULT_MAX_BUFFERED_BYTES,
  DEFAULT_MAX_BYTES_PER_PARTITION,
} from '../core/consumer-core.ts';
import { answerOutOfRange } from '../core/out-of-range.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import type { ConsumerLife } from '../core/supervised-consumer.ts';
import { toLogError } from './errors.ts';
import { interceptCluster } from './intercept.ts';
import { createKafka, type RawBroker, type RawCluster, type RawMessage } from './library.ts';
import { rangeAssigner } from './range-assigner.ts';
import { toBatches } from './records.ts';

const DEFAULT_SESSION_TIMEOUT_MS = 30_000;
const HEARTBEAT_MS = 1_000;
const MAX_WAIT_MS = 250;

/** One kafkajs consumer from connect to disconnect. */
export class KafkaJsConsumerLife implements ConsumerLife {
  readonly #core: ConsumerCore;
  readonly #settings: LogConnection;
  readonly #options: ConsumerOptions;
  readonly #fatal = Promise.withResolvers<never>();
  readonly #kafka: Kafka;
  readonly #consumer: Consumer;
  readonly #maxBytesPerPartition: number;
  #cluster: RawCluster | null = null;
  #coordinator: RawBroker | null = null;
  /** The handler accepts the partitions of the last join. Batches wait for it. */
  #assigning: Promise<void> = Promise.resolve();
  #crashed = false;
  #onJoined: () => void = () => undefined;

  constructor(settings: LogConnection, options: ConsumerOptions, clock: Clock) {
    this.#settings = settings;
    this.#options = options;
    this.#fatal.promise.catch(() => undefined);
    const { sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS, drainMs = DEFAULT_DRAIN_MS } = options;
    this.#maxBytesPerPartition = options.maxBytesPerPartition ?? DEFAULT_MAX_BYTES_PER_PARTITION;
    this.#core = new ConsumerCore({
      // kafkajs sends no heartbeat while a join waits for the drain: it must end within the session.
      consumer: { ...options, drainMs: Math.min(drainMs, Math.floor(sessionTimeoutMs * 0.8)) },
      clock,
      commit: (offsets) => this.#commit(offsets),
      onWanted: () => this.#applyPauses(),
      onFatal: this.#fatal.reject,
    });
    this.#kafka = createKafka(settings);
    this.#consumer = this.#kafka.consumer({
      groupId: options.group,
      partitionAssigners: [rangeAssigner((cluster) => this.#intercept(cluster))],
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, drainMs + 20_000),
      heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor(sessionTimeoutMs / 6)),
      maxBytesPerPartition: this.#maxBytesPerPartition,
      maxBytes: Math.min(8 * 1024 * 1024, options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES),
      maxWaitTimeInMs: MAX_WAIT_MS,
      metadataMaxAge: settings.metadataRefreshMs ?? DEFAULT_METADATA_REFRESH_MS,
      allowAutoTopicCreation: false,
      // Its read_committed filter lets aborted records through; nothing here relies on it.
      readUncommitted: true,
      // Our supervisor restarts; a restart by kafkajs would run beside it.
      retry: { retries: 5, restartOnFailure: async () => false },
    });
  }

  async run(joined: () => void, signal: AbortSignal): Promise<void> {
    this.#onJoined = joined;
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const { CRASH, GROUP_JOIN } = this.#consumer.events;
    this.#consumer.on(CRASH, ({ payload }) => {
      this.#crashed = true;
      this.#fatal.reject(toLogError('kafkajs consumer crashed', payload.error));
    });
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    this.#core.start();
    try {
      const running = (async () => {
        await this.#consumer.connect();
        await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
        await this.#consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: 16,
          eachBatch: (payload) => this.#eachBatch(payload),
        });
      })();
      await Promise.race([running, this.#fatal.promise, stopped]);
      await Promise.race([stopped, this.#fatal.promise]);
      const revoked = this.#core.revoke('revoked');
      this.#applyPauses();
      await revoked;
    } catch (error) {
      if (!this.#crashed) await this.#core.flush();
      await this.#core.revoke('lost');
      throw error instanceof LogError || isBug(error) ? error : toLogError('kafkajs consumer', error);
    } finally {
      this.#core.stop();
      await this.#consumer.disconnect().catch(() => undefined);
    }
  }

  assignments(): readonly Assignment[] {
    return this.#core.assignments();
  }

  pause(tp: TopicPartition): void {
    this.#core.pause(tp);
    this.#applyPauses();
  }

  resume(tp: TopicPartition): void {
    this.#core.resume(tp);
  }

  seek(tp: TopicPartition, offset: number): void {
    if (this.#core.find(tp) === undefined) return;
    this.#consumer.seek({ topic: tp.topic, partition: tp.partition, offset: String(offset) });
    this.#core.seek(tp, offset);
  }

  /** Fetch exactly the partitions that want records: kafkajs remembers pauses by itself, so they are always set anew. */
  #applyPauses(): void {
    if (this.#crashed || this.#cluster === null) return;
    const paused = new Set(
      this.#consumer
        .paused()
        .flatMap(({ topic, partitions }) => partitions.map((each) => `${topic}/${each}`)),
    );
    for (const owned of this.#core.partitions()) {
      const fetch = owned.wants(this.#maxBytesPerPartition) && this.#core.budget.free > 0;
      const isPaused = paused.has(`${owned.topic}/${owned.partition}`);
      const where = [{ topic: owned.topic, partitions: [owned.partition] }];
      if (fetch && isPaused) this.#consumer.resume(where);
      else if (!fetch && !isPaused) this.#consumer.pause(where);
    }
  }

  #intercept(cluster: RawCluster): void {
    this.#cluster = cluster;
    interceptCluster(cluster, {
      beforeJoin: async () => {
        await this.#assigning.catch(() => undefined);
        await this.#core.revoke('revoked');
      },
      onCoordinator: (coordinator) => {
        this.#coordinator = coordinator;
      },
      onOutOfRange: (tp) => this.#outOfRange(tp),
      onUnreadable: (range) => {
        const owned = this.#core.find(range);
        if (owned === undefined || owned.stopped !== null) return;
        void this.#core.skipUnreadable(owned, range).then(() => {
          if (owned.stopped === null)
            this.#consumer.seek({
              topic: owned.topic,
              partition: owned.partition,
              offset: String(owned.position),
            });
          this.#applyPauses();
        });
        this.#applyPauses();
      },
      onControlOnly: (tp, nextOffset) => {
        const owned = this.#core.find(tp);
        if (owned !== undefined && nextOffset > owned.position) owned.skipTo(nextOffset);
      },
      onRetry: (message, tp) => this.#core.notice('fetch-retry', message, tp),
    });
  }

  #joined(assignment: Record<string, number[]>): void {
    // A partition that was paused, lost and regained would stay paused for ever.
    this.#consumer.resume(this.#consumer.paused());
    this.#assigning = this.#assign(assignment);
    this.#assigning.catch((error: unknown) => this.#fatal.reject(toLogError('assignment', error)));
  }

  async #assign(assignment: Record<string, number[]>): Promise<void> {
    const topics = Object.entries(assignment).map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map((partition) => ({ partition })),
    }));
    const positions: CommitOffset[] = [];
    if (topics.length > 0) {
      const { responses } = await this.#coordinator!.offsetFetch({ groupId: this.#options.group, topics });
      for (const { topic, partitions } of responses) {
        const missing = partitions
          .filter(({ offset }) => Number(offset) < 0)
          .map(({ partition }) => ({ partition }));
        const [first] =
          missing.length === 0
            ? []
            : await this.#cluster!.fetchTopicsOffset([{ topic, partitions: missing, fromBeginning: true }]);
        const earliest = new Map(
          first?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
        );
        for (const { partition, offset } of partitions) {
          positions.push({
            topic,
            partition,
            offset: Number(offset) >= 0 ? Number(offset) : (earliest.get(partition) ?? 0),
          });
        }
      }
    }
    for (const { topic, partition, offset } of await this.#core.assign(positions))
      this.#consumer.seek({ topic, partition, offset: String(offset) });
    this.#onJoined();
  }

  async #eachBatch({ batch, resolveOffset, isStale, isRunning }: EachBatchPayload): Promise<void> {
    await this.#assigning;
    const owned = this.#core.find({ topic: batch.topic, partition: batch.partition });
    if (owned === undefined || owned.revoked || owned.stopped !== null || isStale() || !isRunning()) return;
    const last = batch.lastOffset();
    const next = Number(last) + 1;
    if (next > owned.position) {
      owned.accept(
        toBatches(batch.topic, batch.partition, batch.messages as RawMessage[], owned.position, next),
        next,
      );
    }
    resolveOffset(last);
    this.#applyPauses();
  }

  async #commit(offsets: readonly CommitOffset[]): Promise<void> {
    // Once its runner has ended, kafkajs answers a commit with success and does nothing.
    if (this.#crashed) throw new LogError('consumer has crashed', { retriable: true });
    await this.#consumer.commitOffsets(
      offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset: String(offset) })),
    );
  }

  async #outOfRange(tp: TopicPartition): Promise<void> {
    const owned = this.#core.find(tp);
    if (owned === undefined || owned.stopped !== null || this.#cluster === null) return;
    const { position } = owned;
    const at = async (fromBeginning: boolean) => {
      const [topic] = await this.#cluster!.fetchTopicsOffset([
        { topic: tp.topic, partitions: [{ partition: tp.partition }], fromBeginning },
      ]);
      return Number(topic?.partitions[0]?.offset ?? Number.NaN);
    };
    const earliest = await at(true);
    const end = await at(false);
    if (owned.revoked || owned.position !== position || (position >= earliest && position <= end)) return;
    const next = answerOutOfRange(this.#core, owned, earliest, end, this.#settings.onOffsetOutOfRange);
    if (next !== null)
      this.#consumer.seek({ topic: owned.topic, partition: owned.partition, offset: String(next) });
    this.#applyPauses();
  }
}

/** Errors of the handler and the watchdog: plain errors without kafkajs's marks. */
function isBug(error: unknown): boolean {
  return error instanceof Error && !error.name.startsWith('KafkaJS') && !('code' in error);
}
