// kafkajs messages as the port's RecordBatch.
//
// Surprise: kafkajs hands out one object per record and headers as a map of arrays. They are written into one buffer in
// Kafka's own record format and read back by the shared decoder, so that every batch in the system has one shape. The
// order of headers of different names is the order of the map (integer-like names first).
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { ColumnBatch } from '../core/record-batch.ts';
import { emptyBatch } from '../core/record-batch.ts';
import { decodeSection } from '../core/record-decode.ts';
import { encodeBatch } from '../core/record-encode.ts';
import type { RawMessage } from './library.ts';

/**
 * @param fromOffset records below it are dropped: a broker sends the whole batch that holds the offset
 * @param nextOffset offset after the last record of the answer, control records included
 */
export function toBatches(
  topic: string,
  partition: number,
  messages: readonly RawMessage[],
  fromOffset: number,
  nextOffset: number,
): ColumnBatch[] {
  const wanted = messages.filter(
    (message) => !message.isControlRecord && Number(message.offset) >= fromOffset,
  );
  const batches: ColumnBatch[] = [];
  if (wanted.length > 0) {
    const base = Number(wanted[0]!.offset);
    const section = encodeBatch(
      wanted.map((message) => ({
        key: message.key,
        value: message.value,
        headers: headersOf(message.headers),
        timestamp: Number(message.timestamp),
        offsetDelta: Number(message.offset) - base,
      })),
      () => 0,
      undefined,
      base,
    );
    batches.push(
      ...decodeSection(topic, partition, section, fromOffset, {
        crc32c: null,
        maxDecompressedBytes: section.length,
      }).batches,
    );
  }
  const reached = batches.at(-1)?.nextOffset ?? fromOffset;
  if (nextOffset > reached) batches.push(emptyBatch(topic, partition, nextOffset));
  return batches;
}

function headersOf(headers: RawMessage['headers']): OutRecord['headers'] {
  if (headers === undefined) return [];
  const list: [string, Buffer | string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const each of Array.isArray(value) ? value : [value]) list.push([name, each ?? '']);
  }
  return list;
}
