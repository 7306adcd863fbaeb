// Kafka's range assignment for kafkajs, and the way to its cluster object and its join.
//
// Surprise: an assigner is the one place where kafkajs hands its cluster out. `onCluster` gets it before the first join.
import type { PartitionAssigner } from 'kafkajs';
import { assignRange, decodeSubscription, encodeAssignment, RANGE_PROTOCOL } from '../core/group-protocol.ts';
import { kafkajs, type RawCluster } from './library.ts';

export function rangeAssigner(onCluster: (cluster: RawCluster) => void): PartitionAssigner {
  return ({ cluster }) => {
    const raw = cluster as unknown as RawCluster;
    onCluster(raw);
    return {
      name: RANGE_PROTOCOL,
      version: 0,
      protocol: ({ topics }) => ({
        name: RANGE_PROTOCOL,
        metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
          version: 0,
          topics,
          userData: Buffer.alloc(0),
        }),
      }),
      assign: async ({ members, topics }) => {
        const counts = new Map(topics.map((topic) => [topic, raw.findTopicPartitionMetadata(topic).length]));
        const subscribed = members.map(({ memberId, memberMetadata }) => ({
          memberId,
          topics: decodeSubscription(memberMetadata),
        }));
        return [...assignRange(subscribed, counts)].map(([memberId, partitions]) => ({
          memberId,
          memberAssignment: encodeAssignment(partitions),
        }));
      },
    };
  };
}
