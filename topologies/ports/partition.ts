// Which partition a record goes to: the one it names, the one of its key, or the next in turn. All writers of a topic must
// agree on this, or records of one key lose their order.
//
// Invariant: a key goes where the Java client sends it: (murmur2(key) & 0x7fffffff) % partitions. The JavaScript clients
// read the hash as unsigned by default, which is another partition for half of the keys.
//
// Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey.
import type { OutRecord } from './log.ts';

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** Signed 32-bit hash, as Java's int. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  let hash = SEED ^ length;
  const blocks = length >>> 2;
  for (let block = 0; block < blocks; block++) {
    const at = block << 2;
    let k = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    k = Math.imul(k, M);
    hash = Math.imul(hash, M) ^ k;
  }
  const tail = blocks << 2;
  const rest = length & 3;
  if (rest === 3) hash ^= data[tail + 2]! << 16;
  if (rest >= 2) hash ^= data[tail + 1]! << 8;
  if (rest >= 1) {
    hash ^= data[tail]!;
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  hash ^= hash >>> 15;
  return hash | 0;
}

/** Partition of a key among `partitions`. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/**
 * @param partitions number of partitions of the topic
 * @param rotation per topic, the partition of the last record without a key; changed by the call
 */
export function choosePartition(
  record: OutRecord,
  partitions: number,
  rotation: Map<string, number>,
): number {
  if (record.partition !== undefined) return record.partition;
  if (record.key !== null)
    return partitionOfKey(typeof record.key === 'string' ? Buffer.from(record.key) : record.key, partitions);
  const next = ((rotation.get(record.topic) ?? -1) + 1) % partitions;
  rotation.set(record.topic, next);
  return next;
}
