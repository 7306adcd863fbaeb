// What the members of a consumer group tell each other: subscriptions, assignments, and Kafka's range assignment.
//
// Invariant: the same members, topics and partition counts give the same assignment on every member and in both
// clients, so a group may mix clients during a rolling change. Partition n of two topics with the same partition count
// goes to the same member when all members subscribe to both: co-partitioned topics stay together.
//
// Source: ConsumerProtocolSubscription/Assignment version 0 in kafka/clients/src/main/resources/common/message, and
// org.apache.kafka.clients.consumer.RangeAssignor (sorted member ids, contiguous chunks, the first ones larger by one).

export const RANGE_PROTOCOL = 'range';

export interface GroupMember {
  readonly memberId: string;
  readonly topics: readonly string[];
}

export type TopicPartitions = ReadonlyMap<string, readonly number[]>;

/** Range assignment. Topics without a known partition count are left out. */
export function assignRange(
  members: readonly GroupMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, Map<string, number[]>> {
  const assignment = new Map<string, Map<string, number[]>>();
  for (const member of members) assignment.set(member.memberId, new Map());
  for (const [topic, count] of partitionCounts) {
    const subscribers = members
      .filter((member) => member.topics.includes(topic))
      .map((member) => member.memberId)
      .sort();
    if (subscribers.length === 0) continue;
    const each = Math.floor(count / subscribers.length);
    const larger = count % subscribers.length;
    let next = 0;
    subscribers.forEach((memberId, index) => {
      const size = each + (index < larger ? 1 : 0);
      if (size > 0)
        assignment.get(memberId)!.set(
          topic,
          Array.from({ length: size }, (_, at) => next + at),
        );
      next += size;
    });
  }
  return assignment;
}

export function encodeSubscription(topics: readonly string[]): Buffer {
  const parts: Buffer[] = [int16(0), int32(topics.length)];
  for (const topic of topics) parts.push(string(topic));
  parts.push(int32(-1));
  return Buffer.concat(parts);
}

/** Reads the topics of a subscription of any version (later versions append fields). Throws RangeError when cut short. */
export function decodeSubscription(data: Buffer): string[] {
  const topics: string[] = [];
  let at = 6;
  for (let left = data.readInt32BE(2); left > 0; left--) {
    const length = data.readInt16BE(at);
    topics.push(data.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return topics;
}

export function encodeAssignment(topics: TopicPartitions): Buffer {
  const parts: Buffer[] = [int16(0), int32(topics.size)];
  for (const [topic, partitions] of topics) {
    parts.push(string(topic), int32(partitions.length));
    for (const partition of partitions) parts.push(int32(partition));
  }
  parts.push(int32(-1));
  return Buffer.concat(parts);
}

/** An empty buffer (a member without an assignment) is an empty assignment. */
export function decodeAssignment(data: Buffer): Map<string, number[]> {
  const topics = new Map<string, number[]>();
  if (data.length === 0) return topics;
  let at = 6;
  for (let left = data.readInt32BE(2); left > 0; left--) {
    const length = data.readInt16BE(at);
    const topic = data.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
    const partitions: number[] = [];
    let count = data.readInt32BE(at);
    at += 4;
    for (; count > 0; count--) {
      partitions.push(data.readInt32BE(at));
      at += 4;
    }
    topics.set(topic, partitions);
  }
  return topics;
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
