// A life of the consumer on the platformatic client: group membership, fetching and the shared core.
//
// Invariant: partitions are given up (drained, committed) before the group is joined again, and heartbeats go on
// while they drain. A coordinator out of reach for longer than the session timeout means the partitions are lost.
import type { Clock, Random } from '@tocsin/topologies/ports/clock.ts';
import type { Assignment, ConsumerOptions, TopicPartition } from '@tocsin/topologies/ports/log.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { CommitOffset } from '../core/commit-pump.ts';
import { ConsumerCore, DEFAULT_DRAIN_MS, DEFAULT_MAX_BYTES_PER_PARTITION } from '../core/consumer-core.ts';
import { answerOutOfRange } from '../core/out-of-range.ts';
import { DEFAULT_METADATA_REFRESH_MS, type LogConnection } from '../core/settings.ts';
import type { ConsumerLife } from '../core/supervised-consumer.ts';
import { Cluster, EARLIEST } from './cluster.ts';
import { Fetcher } from './fetcher.ts';
import { GroupMember } from './group-member.ts';

const DEFAULT_SESSION_TIMEOUT_MS = 30_000;
const HEARTBEAT_MS = 1_000;

export class PlatformaticConsumerLife implements ConsumerLife {
  readonly #settings: LogConnection;
  readonly #options: ConsumerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  #core: ConsumerCore | null = null;

  constructor(settings: LogConnection, options: ConsumerOptions, clock: Clock, random: Random) {
    this.#settings = settings;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
  }

  assignments(): readonly Assignment[] {
    return this.#core?.assignments() ?? [];
  }

  pause(tp: TopicPartition): void {
    this.#core?.pause(tp);
  }

  resume(tp: TopicPartition): void {
    this.#core?.resume(tp);
  }

  seek(tp: TopicPartition, offset: number): void {
    this.#core?.seek(tp, offset);
  }

  async run(joined: () => void, signal: AbortSignal): Promise<void> {
    const {
      group,
      topics,
      instanceId = null,
      sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS,
      drainMs = DEFAULT_DRAIN_MS,
    } = this.#options;
    const cluster = new Cluster(this.#settings);
    const member = new GroupMember({
      cluster,
      group,
      topics,
      instanceId,
      sessionTimeoutMs,
      rebalanceTimeoutMs: Math.max(sessionTimeoutMs, drainMs + 20_000),
    });
    const ending = new AbortController();
    const fatal = Promise.withResolvers<never>();
    fatal.promise.catch(() => undefined);
    const core = new ConsumerCore({
      consumer: this.#options,
      clock: this.#clock,
      commit: (offsets) => member.commit(offsets),
      onWanted: () => fetcher.poke(),
      onFatal: fatal.reject,
    });
    const fetcher = new Fetcher({
      cluster,
      partitions: () => core.partitions(),
      budget: core.budget,
      maxBytesPerPartition: this.#options.maxBytesPerPartition ?? DEFAULT_MAX_BYTES_PER_PARTITION,
      clock: this.#clock,
      random: this.#random,
      onRetry: (message, owned) => core.notice('fetch-retry', message, owned),
      onOutOfRange: (owned, earliest, end) =>
        answerOutOfRange(core, owned, earliest, end, this.#settings.onOffsetOutOfRange),
      onUnreadable: (owned, range) => void core.skipUnreadable(owned, range),
      onFatal: fatal.reject,
    });
    this.#core = core;
    core.start();
    const life = this.#consume(cluster, member, core, joined, AbortSignal.any([signal, ending.signal]));
    try {
      await Promise.race([life, fatal.promise]);
    } catch (error) {
      // What is complete is still worth a commit; what is open will be read again.
      await core.flush();
      await core.revoke('lost');
      throw error;
    } finally {
      ending.abort();
      fetcher.stop();
      core.stop();
      await member.leave();
      await cluster.close();
      await life.catch(() => undefined);
      this.#core = null;
    }
  }

  async #consume(
    cluster: Cluster,
    member: GroupMember,
    core: ConsumerCore,
    joined: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const positions = await this.#join(cluster, member, signal);
      if (positions === null) return;
      await core.assign(positions);
      joined();
      const outcome = await this.#stay(cluster, member, signal);
      await this.#release(member, core, outcome === 'lost' ? 'lost' : 'revoked');
    }
  }

  /** Joins and finds the position of each partition; repeats what may heal for as long as a session lasts. */
  async #join(cluster: Cluster, member: GroupMember, signal: AbortSignal): Promise<CommitOffset[] | null> {
    const { sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS } = this.#options;
    const began = this.#clock.now();
    const aborted = new Promise<null>((resolve) => {
      signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    for (;;) {
      if (signal.aborted) return null;
      try {
        return await Promise.race([this.#joinOnce(cluster, member), aborted]);
      } catch (error) {
        if (!(error instanceof LogError) || !error.retriable || this.#clock.now() - began > sessionTimeoutMs)
          throw error;
        await this.#clock.sleep(100 + this.#random() * 200, signal).catch(() => undefined);
      }
    }
  }

  async #joinOnce(cluster: Cluster, member: GroupMember): Promise<CommitOffset[]> {
    const assigned = await member.join();
    if (assigned.size === 0) return [];
    await cluster.refresh([...assigned.keys()]);
    const committed = await member.committed(assigned);
    const positions: CommitOffset[] = [];
    for (const [topic, partitions] of assigned) {
      const missing = partitions.filter((partition) => committed.get(topic)?.get(partition) === undefined);
      const earliest =
        missing.length === 0
          ? new Map<number, number>()
          : await cluster.listOffsets(topic, missing, EARLIEST);
      for (const partition of partitions) {
        const offset = committed.get(topic)?.get(partition) ?? earliest.get(partition);
        if (offset === undefined)
          throw new LogError(`no offset for ${topic}/${partition}`, { retriable: true });
        positions.push({ topic, partition, offset });
      }
    }
    return positions;
  }

  /** Heartbeats until the group rebalances, membership is lost, partitions were added, or the signal aborts. */
  async #stay(
    cluster: Cluster,
    member: GroupMember,
    signal: AbortSignal,
  ): Promise<'rebalance' | 'lost' | 'stopped'> {
    const { sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS } = this.#options;
    const { metadataRefreshMs = DEFAULT_METADATA_REFRESH_MS } = this.#settings;
    let lastContact = this.#clock.now();
    let lastRefresh = this.#clock.now();
    for (;;) {
      try {
        await this.#clock.sleep(Math.min(HEARTBEAT_MS, sessionTimeoutMs / 6), signal);
      } catch {
        return 'stopped';
      }
      try {
        const outcome = await member.heartbeat();
        if (outcome !== 'stable') return outcome;
        lastContact = this.#clock.now();
        if (this.#clock.now() - lastRefresh >= metadataRefreshMs) {
          lastRefresh = this.#clock.now();
          if (await this.#layoutChanged(cluster, member)) return 'rebalance';
        }
      } catch (error) {
        if (error instanceof LogError && !error.retriable) throw error;
        if (this.#clock.now() - lastContact > sessionTimeoutMs) return 'lost';
      }
    }
  }

  /** Only the leader looks, as in the Java client: its rejoin makes everybody rejoin. */
  async #layoutChanged(cluster: Cluster, member: GroupMember): Promise<boolean> {
    const counts = member.leaderCounts;
    if (counts === null) return false;
    const layouts = await cluster.refresh(this.#options.topics);
    return layouts.some((layout) => layout.partitions.length > (counts.get(layout.name) ?? 0));
  }

  /** Gives partitions up, keeping the membership alive meanwhile. */
  async #release(member: GroupMember, core: ConsumerCore, reason: 'revoked' | 'lost'): Promise<void> {
    const done = new AbortController();
    const beating = reason === 'lost' ? Promise.resolve() : this.#beatUntil(member, done.signal);
    await core.revoke(reason);
    done.abort();
    await beating;
  }

  async #beatUntil(member: GroupMember, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(HEARTBEAT_MS, signal);
        await member.heartbeat();
      } catch {
        // Either drained, or the coordinator is away: the join that follows finds out.
      }
    }
  }
}
