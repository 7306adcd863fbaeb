// Reads the record section of one partition in a Fetch response: record batches of format v2 into column batches.
//
// Invariant: a batch whose CRC-32C, length or structure is wrong, or that decompresses beyond the limit, yields no
// record; decoding stops there and says which offsets it could not read. Records below `fromOffset` are dropped
// (a broker answers with the whole batch that holds the offset). Control records are dropped, their offsets counted.
//
// Surprise: nothing is filtered by transaction state. This system never relies on read_committed; fetches use
// read_uncommitted, so records of aborted transactions are delivered like any other.
//
// Source: kafka.apache.org/documentation/#recordbatch; a cut-off last batch is normal.
import { decompress } from './codecs.ts';
import { ColumnBatch, emptyBatch } from './record-batch.ts';
import { readVarint, type VarintCursor } from './varint.ts';

/** Offsets that exist in the log and cannot be read. */
export interface UnreadableRange {
  readonly firstOffset: number;
  /** Offset after the range. */
  readonly nextOffset: number;
  readonly reason: string;
}

export interface DecodedSection {
  readonly batches: readonly ColumnBatch[];
  /** Where the next fetch begins; equal to `fromOffset` when nothing was read. */
  readonly nextOffset: number;
  readonly unreadable: UnreadableRange | null;
}

export interface DecodeOptions {
  /** null: the caller has checked, or its client cannot. */
  readonly crc32c: ((data: Buffer) => number) | null;
  readonly maxDecompressedBytes: number;
}

interface Segment {
  start: number;
  end: number;
  readonly count: number;
  readonly baseOffset: number;
  readonly baseTimestamp: number;
  /** Broker's time for the whole batch, or -1. */
  readonly appendTime: number;
}

const HEADER_BYTES = 61;
/** A record takes at least seven bytes; a count above that is a lie that would make us allocate. */
const MIN_RECORD_BYTES = 7;

export function decodeSection(
  topic: string,
  partition: number,
  section: Buffer,
  fromOffset: number,
  options: DecodeOptions,
): DecodedSection {
  try {
    return decodeBatches(topic, partition, section, fromOffset, options, false);
  } catch {
    // One batch is malformed. Walk every record first, so that the good batches before it are still delivered.
    return decodeBatches(topic, partition, section, fromOffset, options, true);
  }
}

function decodeBatches(
  topic: string,
  partition: number,
  section: Buffer,
  fromOffset: number,
  options: DecodeOptions,
  walk: boolean,
): DecodedSection {
  const batches: ColumnBatch[] = [];
  let nextOffset = fromOffset;
  let plain: Segment[] = [];
  let packed: { segment: Segment; data: Buffer }[] = [];

  const flushPlain = () => {
    if (plain.length === 0) return;
    batches.push(
      readColumns(
        topic,
        partition,
        section,
        plain,
        fromOffset,
        nextOffset,
        plain[0]!.start,
        plain[plain.length - 1]!.end,
      ),
    );
    plain = [];
  };
  const flushPacked = () => {
    if (packed.length === 0) return;
    let at = 0;
    for (const { segment, data } of packed) {
      segment.start = at;
      at += data.length;
      segment.end = at;
    }
    const buffer =
      packed.length === 1
        ? packed[0]!.data
        : Buffer.concat(
            packed.map(({ data }) => data),
            at,
          );
    batches.push(
      readColumns(
        topic,
        partition,
        buffer,
        packed.map(({ segment }) => segment),
        fromOffset,
        nextOffset,
        0,
        at,
      ),
    );
    packed = [];
  };
  let packedBytes = 0;
  let unreadable: UnreadableRange | null = null;

  let at = 0;
  while (at + HEADER_BYTES <= section.length) {
    const baseOffset = readInt64(section, at);
    const length = section.readInt32BE(at + 8);
    const end = at + 12 + length;
    if (length >= HEADER_BYTES - 12 && end > section.length) break;
    const lastOffset = baseOffset + section.readInt32BE(at + 23);
    const next = lastOffset + 1;
    let problem: string | null = null;
    if (length < HEADER_BYTES - 12) problem = `record batch length ${length}`;
    else if (section[at + 16] !== 2) problem = `record batch format ${section[at + 16]}`;
    else if (next > Number.MAX_SAFE_INTEGER) problem = `offset above 2^53`;
    else if (
      options.crc32c !== null &&
      options.crc32c(section.subarray(at + 21, end)) >>> 0 !== section.readUInt32BE(at + 17)
    )
      problem = 'CRC-32C does not match';
    if (problem === null && next > fromOffset) {
      const attributes = section.readInt16BE(at + 21);
      const count = section.readInt32BE(at + 57);
      const codec = attributes & 7;
      const segment: Segment = {
        start: at + HEADER_BYTES,
        end,
        count,
        baseOffset,
        baseTimestamp: readInt64(section, at + 27),
        appendTime: (attributes & 8) !== 0 ? readInt64(section, at + 35) : -1,
      };
      try {
        if ((attributes & 0x20) === 0 && count > 0) {
          if (codec === 0) {
            checkCount(count, end - segment.start);
            if (walk) checkRecords(section, segment);
            flushPacked();
            plain.push(segment);
          } else {
            const data = decompress(
              codec,
              section.subarray(segment.start, end),
              options.maxDecompressedBytes,
            );
            checkCount(count, data.length);
            segment.start = 0;
            segment.end = data.length;
            if (walk) checkRecords(data, segment);
            flushPlain();
            // Joined small batches make one large one; a joined buffer must not outgrow the limit of a single one.
            if (packedBytes + data.length > options.maxDecompressedBytes) {
              flushPacked();
              packedBytes = 0;
            }
            packed.push({ segment, data });
            packedBytes += data.length;
          }
        }
        nextOffset = next;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    if (problem !== null) {
      unreadable = describeUnreadable(section, at, Math.max(baseOffset, fromOffset), problem);
      break;
    }
    at = end;
  }
  flushPlain();
  flushPacked();
  if (batches.length > 0) {
    // Control records at the end belong to the last batch, so that completing it moves past them.
    const last = batches[batches.length - 1]!;
    if (last.nextOffset < nextOffset) batches.push(emptyBatch(topic, partition, nextOffset));
  } else if (nextOffset > fromOffset) {
    batches.push(emptyBatch(topic, partition, nextOffset));
  }
  return { batches, nextOffset, unreadable };
}

function checkCount(count: number, bytes: number): void {
  if (count * MIN_RECORD_BYTES > bytes) throw new RangeError(`${count} records do not fit in ${bytes} bytes`);
}

/** Walks the record lengths: a batch is read whole or not at all. */
function checkRecords(buffer: Buffer, segment: Segment): void {
  const cursor: VarintCursor = { at: segment.start };
  for (let left = segment.count; left > 0; left--) {
    const length = readVarint(buffer, cursor);
    const end = cursor.at + length;
    if (length < 0 || end > segment.end) throw new RangeError('record runs past its batch');
    cursor.at++;
    readVarint(buffer, cursor);
    if (readVarint(buffer, cursor) < 0) throw new RangeError('record has a negative offset');
    skipBytes(buffer, cursor, end);
    skipBytes(buffer, cursor, end);
    const headers = readVarint(buffer, cursor);
    if (headers < 0 || cursor.at > end) throw new RangeError('record headers are broken');
    for (let header = headers; header > 0; header--) {
      skipBytes(buffer, cursor, end);
      skipBytes(buffer, cursor, end);
    }
    if (cursor.at !== end) throw new RangeError('record has another length than it says');
  }
}

function skipBytes(buffer: Buffer, cursor: VarintCursor, end: number): void {
  const length = readVarint(buffer, cursor);
  if (length > 0) cursor.at += length;
  if (cursor.at > end) throw new RangeError('field runs past its record');
}

function describeUnreadable(
  section: Buffer,
  at: number,
  firstOffset: number,
  reason: string,
): UnreadableRange {
  // The header itself may be damaged. The base offset of the following batch, when it is there, is the better witness.
  const length = section.readInt32BE(at + 8);
  const following = at + 12 + length;
  let nextOffset = firstOffset + 1;
  if (length >= HEADER_BYTES - 12 && following + 17 <= section.length && section[following + 16] === 2) {
    nextOffset = Math.max(nextOffset, readInt64(section, following));
  } else {
    const delta = section.readInt32BE(at + 23);
    // No producer puts more records than bytes into a batch.
    if (delta >= 0 && delta <= Math.max(length, 0))
      nextOffset = Math.max(nextOffset, readInt64(section, at) + delta + 1);
  }
  return { firstOffset, nextOffset, reason };
}

function readColumns(
  topic: string,
  partition: number,
  buffer: Buffer,
  segments: readonly Segment[],
  fromOffset: number,
  nextOffset: number,
  startByte: number,
  endByte: number,
): ColumnBatch {
  let total = 0;
  for (const segment of segments) total += segment.count;
  const valueStart = new Int32Array(total);
  const valueEnd = new Int32Array(total);
  const keyStart = new Int32Array(total);
  const keyEnd = new Int32Array(total);
  const headersStart = new Int32Array(total);
  const timestamps = new Float64Array(total);
  let offsets: Float64Array | null = null;
  let firstOffset = nextOffset;
  const cursor: VarintCursor = { at: 0 };
  let index = 0;
  for (const segment of segments) {
    const { baseOffset, baseTimestamp, appendTime } = segment;
    cursor.at = segment.start;
    for (let left = segment.count; left > 0; left--) {
      const length = readVarint(buffer, cursor);
      const end = cursor.at + length;
      if (length < MIN_RECORD_BYTES - 1 || end > segment.end)
        throw new RangeError('record runs past its batch');
      cursor.at++;
      const timestampDelta = readVarint(buffer, cursor);
      const offset = baseOffset + readVarint(buffer, cursor);
      if (offset < fromOffset) {
        cursor.at = end;
        continue;
      }
      const keyLength = readVarint(buffer, cursor);
      if (keyLength < 0) keyStart[index] = -1;
      else {
        keyStart[index] = cursor.at;
        cursor.at += keyLength;
        keyEnd[index] = cursor.at;
      }
      const valueLength = readVarint(buffer, cursor);
      if (valueLength < 0) {
        valueStart[index] = -1;
        valueEnd[index] = -1;
      } else {
        valueStart[index] = cursor.at;
        cursor.at += valueLength;
        valueEnd[index] = cursor.at;
      }
      if (cursor.at >= end) throw new RangeError('field runs past its record');
      headersStart[index] = cursor.at;
      timestamps[index] = appendTime >= 0 ? appendTime : baseTimestamp + timestampDelta;
      if (index === 0) firstOffset = offset;
      else if (offsets === null && offset !== firstOffset + index) {
        offsets = new Float64Array(total);
        for (let earlier = 0; earlier < index; earlier++) offsets[earlier] = firstOffset + earlier;
      }
      if (offsets !== null) offsets[index] = offset;
      index++;
      cursor.at = end;
    }
  }
  return new ColumnBatch({
    topic,
    partition,
    count: index,
    nextOffset,
    byteLength: endByte - startByte,
    buffer,
    valueStart: index === total ? valueStart : valueStart.subarray(0, index),
    valueEnd: index === total ? valueEnd : valueEnd.subarray(0, index),
    keyStart,
    keyEnd,
    headersStart,
    timestamps,
    firstOffset,
    offsets,
  });
}

/** A 64-bit big-endian integer as a double: exact up to 2^53. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4294967296 + buffer.readUInt32BE(at + 4);
}
