// Writes record batches of format v2 without an object per field.
//
// Invariant: what is written here reads back byte for byte through record-decode.ts and through Kafka's own tools.
// Duplicate header names keep their order and number.
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { varintSize, writeVarint } from './varint.ts';

export interface EncodeRecord {
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: OutRecord['headers'];
  /** Epoch ms. */
  readonly timestamp: number;
  /** Offset within the batch; default the position in the array. */
  readonly offsetDelta?: number;
}

export interface BatchIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

const HEADER_BYTES = 61;
const NO_IDENTITY: BatchIdentity = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };

/** Bytes that a record takes in a batch, at most (varints counted at their largest). */
export function recordSizeBound(record: OutRecord): number {
  let size = 32 + bytesOf(record.key) + bytesOf(record.value);
  for (const [name, value] of record.headers ?? []) size += 10 + Buffer.byteLength(name) + bytesOf(value);
  return size;
}

/**
 * One record batch, uncompressed, ready for a Produce request.
 * @throws RangeError when `records` is empty
 */
export function encodeBatch(
  records: readonly EncodeRecord[],
  crc32c: (data: Buffer) => number,
  identity: BatchIdentity = NO_IDENTITY,
  baseOffset = 0,
): Buffer {
  const first = records[0];
  if (first === undefined) throw new RangeError('a record batch needs a record');
  const baseTimestamp = first.timestamp;
  let bound = HEADER_BYTES;
  for (const record of records) bound += 5 + bodySize(record, baseTimestamp, 2 ** 31 - 1);
  const buffer = Buffer.allocUnsafe(bound);
  let at = HEADER_BYTES;
  let maxTimestamp = baseTimestamp;
  let lastDelta = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!;
    lastDelta = record.offsetDelta ?? index;
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp;
    at = writeRecord(buffer, at, record, lastDelta, baseTimestamp);
  }
  buffer.writeBigInt64BE(BigInt(baseOffset), 0);
  buffer.writeInt32BE(at - 12, 8);
  buffer.writeInt32BE(-1, 12);
  buffer[16] = 2;
  buffer.writeInt16BE(0, 21);
  buffer.writeInt32BE(lastDelta, 23);
  buffer.writeBigInt64BE(BigInt(baseTimestamp), 27);
  buffer.writeBigInt64BE(BigInt(maxTimestamp), 35);
  buffer.writeBigInt64BE(identity.producerId, 43);
  buffer.writeInt16BE(identity.producerEpoch, 51);
  buffer.writeInt32BE(identity.baseSequence, 53);
  buffer.writeInt32BE(records.length, 57);
  buffer.writeUInt32BE(crc32c(buffer.subarray(21, at)) >>> 0, 17);
  return buffer.subarray(0, at);
}

function bytesOf(value: Buffer | string | null): number {
  return value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}

function bodySize(record: EncodeRecord, baseTimestamp: number, delta: number): number {
  let size = 1 + varintSize(record.timestamp - baseTimestamp) + varintSize(delta);
  const key = bytesOf(record.key);
  const value = bytesOf(record.value);
  size += (record.key === null ? 1 : varintSize(key)) + key;
  size += (record.value === null ? 1 : varintSize(value)) + value;
  const headers = record.headers ?? [];
  size += varintSize(headers.length);
  for (const [name, content] of headers) {
    const nameBytes = Buffer.byteLength(name);
    const contentBytes = bytesOf(content);
    size += varintSize(nameBytes) + nameBytes + varintSize(contentBytes) + contentBytes;
  }
  return size;
}

function writeRecord(
  buffer: Buffer,
  start: number,
  record: EncodeRecord,
  delta: number,
  baseTimestamp: number,
): number {
  let at = writeVarint(buffer, start, bodySize(record, baseTimestamp, delta));
  buffer[at++] = 0;
  at = writeVarint(buffer, at, record.timestamp - baseTimestamp);
  at = writeVarint(buffer, at, delta);
  at = writeBytes(buffer, at, record.key);
  at = writeBytes(buffer, at, record.value);
  const headers = record.headers ?? [];
  at = writeVarint(buffer, at, headers.length);
  for (const [name, content] of headers) {
    at = writeBytes(buffer, at, name);
    at = writeBytes(buffer, at, content);
  }
  return at;
}

function writeBytes(buffer: Buffer, start: number, value: Buffer | string | null): number {
  if (value === null) return writeVarint(buffer, start, -1);
  const at = writeVarint(buffer, start, bytesOf(value));
  return typeof value === 'string' ? at + buffer.write(value, at) : at + value.copy(buffer, at);
}
