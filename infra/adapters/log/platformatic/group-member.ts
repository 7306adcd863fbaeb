// Membership in a consumer group: join, heartbeat, commit, leave, by the classic group protocol (KIP-62).
//
// Invariant: every commit carries the generation under which its partitions were owned, so the coordinator refuses
// it once they belong to somebody else.
//
// Surprise: the client's own Consumer rejoins the moment a heartbeat reports a rebalance, while handlers still run.
// Holding the rejoin until handlers have drained needs the requests themselves, so they are sent from here.
import { heartbeatV4, joinGroupV9, leaveGroupV5, offsetCommitV8, syncGroupV5 } from '@platformatic/kafka';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { CommitOffset } from '../core/commit-pump.ts';
import {
  assignRange,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type GroupMember as Member,
  RANGE_PROTOCOL,
} from '../core/group-protocol.ts';
import type { Cluster } from './cluster.ts';
import type { Address } from './connections.ts';
import {
  FENCED_INSTANCE_ID,
  isLostMembership,
  MEMBER_ID_REQUIRED,
  protocolCode,
  REBALANCE_IN_PROGRESS,
  responseOf,
  toLogError,
  UNKNOWN_MEMBER_ID,
} from './errors.ts';

export interface GroupMemberOptions {
  readonly cluster: Cluster;
  readonly group: string;
  readonly topics: readonly string[];
  readonly instanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

export type HeartbeatOutcome = 'stable' | 'rebalance' | 'lost';

type JoinResponse = Awaited<ReturnType<typeof joinGroupV9.api.async>>;

export class GroupMember {
  readonly #options: GroupMemberOptions;
  #memberId = '';
  #generation = -1;
  #coordinator: Address | null = null;
  #leaderCounts: ReadonlyMap<string, number> | null = null;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
  }

  /** Partition counts on which this member, as leader, based the assignment; null when it is not the leader. */
  get leaderCounts(): ReadonlyMap<string, number> | null {
    return this.#leaderCounts;
  }

  /** Joins (or rejoins) and returns the assigned partitions. Throws LogError; a retriable one means: call again. */
  async join(): Promise<Map<string, number[]>> {
    const coordinator = await this.#findCoordinator();
    const joined = await this.#joinGroup(coordinator);
    this.#memberId = joined.memberId;
    this.#generation = joined.generationId;
    this.#leaderCounts = null;
    let assignments: { memberId: string; assignment: Buffer }[] = [];
    // A static member that comes back as leader gets the old assignment and must not make a new one (KIP-814).
    const leads = joined.leader === joined.memberId;
    if (leads && !joined.skipAssignment) assignments = await this.#assign(joined);
    try {
      const synced = await this.#call('join', coordinator, () =>
        this.#options.cluster.connections.call(coordinator, 'join', syncGroupV5.api, [
          this.#options.group,
          this.#generation,
          this.#memberId,
          this.#options.instanceId,
          'consumer',
          RANGE_PROTOCOL,
          assignments,
        ]),
      );
      const assigned = decodeAssignment(synced.assignment);
      if (leads && joined.skipAssignment) this.#leaderCounts = await this.#countsBehind(joined, assigned);
      return assigned;
    } catch (error) {
      throw this.#failed('sync group', error);
    }
  }

  async heartbeat(): Promise<HeartbeatOutcome> {
    const coordinator = await this.#findCoordinator();
    const { cluster, group, instanceId } = this.#options;
    try {
      await this.#call('group', coordinator, () =>
        cluster.connections.call(
          coordinator,
          'group',
          heartbeatV4.api,
          [group, this.#generation, this.#memberId, instanceId],
          10_000,
        ),
      );
      return 'stable';
    } catch (error) {
      const code = protocolCode(error);
      if (code === REBALANCE_IN_PROGRESS) return 'rebalance';
      const failure = this.#failed('heartbeat', error);
      if (code !== null && isLostMembership(code) && failure.retriable) return 'lost';
      throw failure;
    }
  }

  async committed(topics: ReadonlyMap<string, readonly number[]>): Promise<Map<string, Map<number, number>>> {
    const coordinator = await this.#findCoordinator();
    try {
      return await this.#call('group', coordinator, () =>
        this.#options.cluster.committed(this.#options.group, topics, coordinator),
      );
    } catch (error) {
      throw this.#failed('committed offsets', error);
    }
  }

  /** Commit under the current generation. Throws LogError when the coordinator did not take all of it. */
  async commit(offsets: readonly CommitOffset[]): Promise<void> {
    const topics = new Map<
      string,
      {
        partitionIndex: number;
        committedOffset: bigint;
        committedLeaderEpoch: number;
        committedMetadata: string;
      }[]
    >();
    for (const { topic, partition, offset } of offsets) {
      const entry = {
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: '',
      };
      topics.set(topic, [...(topics.get(topic) ?? []), entry]);
    }
    const coordinator = await this.#findCoordinator();
    const { cluster, group, instanceId } = this.#options;
    try {
      await this.#call('group', coordinator, () =>
        cluster.connections.call(
          coordinator,
          'group',
          offsetCommitV8.api,
          [
            group,
            this.#generation,
            this.#memberId,
            instanceId,
            [...topics].map(([name, partitions]) => ({ name, partitions })),
          ],
          10_000,
        ),
      );
    } catch (error) {
      throw this.#failed('commit', error);
    }
  }

  /**
   * Tells the coordinator, so that others get the partitions at once. A static member does so too: only one that died
   * keeps its partitions until it is back or its session has ended (KIP-345 leaves the choice to the client).
   */
  async leave(): Promise<void> {
    if (this.#memberId === '') return;
    const memberId = this.#memberId;
    this.#memberId = '';
    try {
      const coordinator = await this.#findCoordinator();
      await this.#options.cluster.connections.call(
        coordinator,
        'group',
        leaveGroupV5.api,
        [
          this.#options.group,
          [{ memberId, groupInstanceId: this.#options.instanceId, reason: 'consumer stopped' }],
        ],
        10_000,
      );
    } catch {
      // The session timeout does the same a little later.
    }
  }

  async #joinGroup(coordinator: Address): Promise<JoinResponse> {
    const { cluster, group, topics, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const protocols = [{ name: RANGE_PROTOCOL, metadata: encodeSubscription(topics) }];
    for (;;) {
      try {
        return await this.#call('join', coordinator, () =>
          cluster.connections.call(
            coordinator,
            'join',
            joinGroupV9.api,
            [
              group,
              sessionTimeoutMs,
              rebalanceTimeoutMs,
              this.#memberId,
              instanceId,
              'consumer',
              protocols,
              'tocsin',
            ],
            // The answer comes when every member has joined, so later than the slowest drain.
            rebalanceTimeoutMs + 30_000,
          ),
        );
      } catch (error) {
        if (protocolCode(error) === MEMBER_ID_REQUIRED) {
          this.#memberId = responseOf<JoinResponse>(error)?.memberId ?? '';
          if (this.#memberId !== '') continue;
        }
        throw this.#failed('join group', error);
      }
    }
  }

  async #assign(joined: JoinResponse): Promise<{ memberId: string; assignment: Buffer }[]> {
    const members: Member[] = joined.members.map((member) => ({
      memberId: member.memberId,
      topics: decodeSubscription(member.metadata),
    }));
    const topics = [...new Set(members.flatMap((member) => member.topics))].sort();
    const layouts = await this.#options.cluster.refresh(topics);
    const counts = new Map(layouts.map((layout) => [layout.name, layout.partitions.length]));
    this.#leaderCounts = counts;
    return [...assignRange(members, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }));
  }

  /**
   * Partition counts behind an assignment that an earlier life of this leader made. Alone in the group it owned all there
   * were, so partitions added since are seen; among others the counts of now are the best that is known.
   */
  async #countsBehind(
    joined: JoinResponse,
    assigned: ReadonlyMap<string, readonly number[]>,
  ): Promise<ReadonlyMap<string, number>> {
    if (joined.members.length <= 1)
      return new Map([...assigned].map(([topic, partitions]) => [topic, partitions.length]));
    const layouts = await this.#options.cluster.refresh(this.#options.topics);
    return new Map(layouts.map((layout) => [layout.name, layout.partitions.length]));
  }

  async #findCoordinator(): Promise<Address> {
    this.#coordinator ??= await this.#options.cluster.coordinator(this.#options.group);
    return this.#coordinator;
  }

  /** A request that failed below the protocol leaves a connection that must not be used again. */
  async #call<T>(purpose: string, coordinator: Address, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (protocolCode(error) === null) this.#options.cluster.connections.drop(coordinator, purpose);
      throw error;
    }
  }

  #failed(what: string, error: unknown): LogError {
    const code = protocolCode(error);
    if (code === FENCED_INSTANCE_ID) {
      return new LogError(
        `${what}: instance ${this.#options.instanceId} of group ${this.#options.group} runs elsewhere`,
        {
          retriable: false,
          cause: error,
        },
      );
    }
    if (code === UNKNOWN_MEMBER_ID) this.#memberId = '';
    if (code === null || !isLostMembership(code)) this.#coordinator = null;
    return toLogError(what, error);
  }
}
