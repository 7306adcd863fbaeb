// What the cluster looks like: brokers, partition leaders, group coordinators, offsets.
//
// Invariant: requests name explicit API versions that Apache Kafka 3.2 to 4.x serve; topics are never created by
// asking about them.
import { findCoordinatorV4, listOffsetsV7, metadataV12, offsetFetchV8 } from '@platformatic/kafka';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { LogConnection } from '../core/settings.ts';
import { type Address, Connections } from './connections.ts';
import {
  codeError,
  isFatalConnectionError,
  isRetriableCode,
  protocolCode,
  responseOf,
  toLogError,
} from './errors.ts';

export interface PartitionLeader {
  readonly partition: number;
  /** -1 while an election runs. */
  readonly leader: number;
}

export interface TopicLayout {
  readonly name: string;
  /** Ordered by partition; empty when the topic does not exist. */
  readonly partitions: readonly PartitionLeader[];
  readonly internal: boolean;
}

export const EARLIEST = -2;
export const LATEST = -1;

type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>;

export class Cluster {
  readonly settings: LogConnection;
  readonly connections: Connections;
  #brokers = new Map<number, Address>();
  #controller = -1;
  readonly #topics = new Map<string, TopicLayout>();

  constructor(settings: LogConnection) {
    this.settings = settings;
    this.connections = new Connections(settings);
  }

  broker(nodeId: number): Address {
    const address = this.#brokers.get(nodeId);
    if (address === undefined) throw new LogError(`broker ${nodeId} is not known`, { retriable: true });
    return address;
  }

  controller(): Address {
    return this.broker(this.#controller);
  }

  /** Ask again; topics that do not exist come back without partitions. `null` asks for all topics. */
  async refresh(topics: readonly string[] | null): Promise<TopicLayout[]> {
    const metadata = await this.#metadata(topics);
    this.#brokers = new Map(
      metadata.brokers.map((broker) => [broker.nodeId, { host: broker.host, port: broker.port }]),
    );
    this.#controller = metadata.controllerId;
    const layouts: TopicLayout[] = [];
    for (const topic of metadata.topics) {
      if (topic.name === null || topic.name === undefined) continue;
      if (topic.errorCode !== 0 && !isRetriableCode(topic.errorCode))
        throw codeError(`topic ${topic.name}`, topic.errorCode);
      const partitions = topic.partitions
        .map((partition) => ({ partition: partition.partitionIndex, leader: partition.leaderId }))
        .sort((a, b) => a.partition - b.partition);
      const layout = { name: topic.name, partitions, internal: topic.isInternal };
      this.#topics.set(topic.name, layout);
      layouts.push(layout);
    }
    return layouts;
  }

  /** The layout of a topic from memory, asked for when it is not known. Throws a retriable LogError when it does not exist. */
  async topic(name: string): Promise<TopicLayout> {
    const known = this.#topics.get(name);
    if (known !== undefined && known.partitions.length > 0) return known;
    const [layout] = await this.refresh([name]);
    if (layout === undefined || layout.partitions.length === 0) {
      throw new LogError(`topic ${name} does not exist`, { retriable: true });
    }
    return layout;
  }

  leader(topic: string, partition: number): number {
    return this.#topics.get(topic)?.partitions[partition]?.leader ?? -1;
  }

  knownTopic(name: string): TopicLayout | undefined {
    return this.#topics.get(name);
  }

  async coordinator(group: string): Promise<Address> {
    return await this.#anyBroker('find coordinator', async (address) => {
      const response = await this.connections.call(address, 'meta', findCoordinatorV4.api, [0, [group]]);
      const [found] = response.coordinators;
      if (found === undefined || found.errorCode !== 0) {
        throw codeError(`coordinator of group ${group}`, found?.errorCode ?? 15, found?.errorMessage);
      }
      return { host: found.host, port: found.port };
    });
  }

  /** Offset at EARLIEST or LATEST for each partition. */
  async listOffsets(
    topic: string,
    partitions: readonly number[],
    timestamp: number,
  ): Promise<Map<number, number>> {
    await this.topic(topic);
    const byLeader = new Map<number, number[]>();
    for (const partition of partitions) {
      const leader = this.leader(topic, partition);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
    }
    const offsets = new Map<number, number>();
    await Promise.all(
      [...byLeader].map(async ([leader, own]) => {
        try {
          const response = await this.connections.call(this.broker(leader), 'meta', listOffsetsV7.api, [
            -1,
            0,
            [
              {
                name: topic,
                partitions: own.map((partitionIndex) => ({
                  partitionIndex,
                  currentLeaderEpoch: -1,
                  timestamp: BigInt(timestamp),
                })),
              },
            ],
          ]);
          for (const { partitions: answers } of response.topics) {
            for (const answer of answers) offsets.set(answer.partitionIndex, Number(answer.offset));
          }
        } catch (error) {
          // Leaders may have moved: the next try looks them up again.
          this.#topics.delete(topic);
          throw toLogError(`offsets of ${topic}`, error);
        }
      }),
    );
    return offsets;
  }

  /** Committed offsets of a group; partitions without one are left out. */
  async committed(
    group: string,
    topics: ReadonlyMap<string, readonly number[]>,
    coordinator?: Address,
  ): Promise<Map<string, Map<number, number>>> {
    const address = coordinator ?? (await this.coordinator(group));
    const committed = new Map<string, Map<number, number>>();
    try {
      const response = await this.connections.call(address, 'group', offsetFetchV8.api, [
        [
          {
            groupId: group,
            memberEpoch: -1,
            topics: [...topics].map(([name, partitions]) => ({ name, partitionIndexes: [...partitions] })),
          },
        ],
        false,
      ]);
      for (const answer of response.groups) {
        for (const topic of answer.topics) {
          const offsets = new Map<number, number>();
          for (const partition of topic.partitions) {
            if (partition.committedOffset >= 0n)
              offsets.set(partition.partitionIndex, Number(partition.committedOffset));
          }
          committed.set(topic.name, offsets);
        }
      }
    } catch (error) {
      throw toLogError(`committed offsets of ${group}`, error);
    }
    return committed;
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  async #metadata(topics: readonly string[] | null): Promise<Metadata> {
    return await this.#anyBroker('metadata', async (address) => {
      try {
        return await this.connections.call(address, 'meta', metadataV12.api, [
          topics === null ? null : [...topics],
          false,
          false,
        ]);
      } catch (error) {
        // The client turns "this topic does not exist" into an error of the whole answer.
        const response = responseOf<Metadata>(error);
        if (protocolCode(error) !== null && response !== null) return response;
        throw error;
      }
    });
  }

  /** Known brokers first, then the bootstrap addresses; the first that answers wins. */
  async #anyBroker<T>(what: string, ask: (address: Address) => Promise<T>): Promise<T> {
    const tried = new Set<string>();
    let last: unknown = new Error('no broker address');
    for (const address of [...this.#brokers.values(), ...this.connections.bootstrap]) {
      const key = `${address.host}:${address.port}`;
      if (tried.has(key)) continue;
      tried.add(key);
      try {
        return await ask(address);
      } catch (error) {
        last = error;
        if (isFatalConnectionError(error)) break;
        this.connections.drop(address, 'meta');
      }
    }
    throw toLogError(what, last);
  }
}
