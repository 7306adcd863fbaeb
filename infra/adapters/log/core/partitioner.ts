// Which partition a record goes to: the one it names, the one of its key, or the next in turn.
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { partitionOfKey } from './murmur2.ts';

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
