// A RecordBatch made from records in memory: their bytes in one buffer, as the adapters hand them out.
//
// Surprise: `release` overwrites the bytes, and reading throws after it, so that a flow which reads too late fails its test.
import type { Header, RecordBatch, TopicPartition } from '../log.ts';

export interface MemoryRecord extends TopicPartition {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

/** `nextOffset` is the offset after the last record. */
export function memoryBatch(
  tp: TopicPartition,
  records: readonly MemoryRecord[],
  nextOffset: number,
): RecordBatch {
  const valueStart = new Int32Array(records.length).fill(-1);
  const valueEnd = new Int32Array(records.length).fill(-1);
  const parts: Buffer[] = [];
  let at = 0;
  records.forEach(({ value }, index) => {
    if (value === null) return;
    parts.push(value);
    valueStart[index] = at;
    at += value.length;
    valueEnd[index] = at;
  });
  const buffer = Buffer.concat(parts);
  let released = false;
  const held = <T>(value: T): T => {
    if (released) throw new Error('the record batch was released');
    return value;
  };
  return {
    topic: tp.topic,
    partition: tp.partition,
    count: records.length,
    nextOffset,
    byteLength: buffer.length,
    get buffer() {
      return held(buffer);
    },
    valueStart,
    valueEnd,
    offset: (index) => records[index]!.offset,
    timestamp: (index) => records[index]!.timestamp,
    key: (index) => held(records[index]!.key),
    value: (index) =>
      held(valueStart[index]! < 0 ? null : buffer.subarray(valueStart[index]!, valueEnd[index]!)),
    headers: (index) => held(records[index]!.headers),
    headerSize: (index) => {
      const headers = held(records[index]!.headers);
      const bytes = headers.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + value.length, 0);
      return { count: headers.length, bytes };
    },
    release() {
      released = true;
      buffer.fill(0xdd);
    },
  };
}
