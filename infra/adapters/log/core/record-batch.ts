// Records of one partition as a struct of arrays over one buffer: the RecordBatch of the port.
//
// Invariant: reading `offset`, `timestamp`, `valueStart`, `valueEnd` allocates nothing; `key`, `value` and `headers`
// make views of `buffer`, never copies. After `release` they throw: the bytes may be another batch's.
import type { Header, HeaderSize, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import { readVarint, type VarintCursor } from './varint.ts';

export interface RecordColumns {
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  readonly nextOffset: number;
  readonly byteLength: number;
  readonly buffer: Buffer;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  /** -1 for a null key. */
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  /** Where the header count of each record begins, in the encoding of record batch v2. */
  readonly headersStart: Int32Array;
  readonly timestamps: Float64Array;
  readonly firstOffset: number;
  /** null when the offsets are firstOffset, firstOffset + 1, and so on. */
  readonly offsets: Float64Array | null;
}

const NO_HEADERS: readonly Header[] = [];
const NO_SIZE: HeaderSize = { count: 0, bytes: 0 };
const EMPTY_INT32 = new Int32Array(0);
const EMPTY_FLOAT64 = new Float64Array(0);
const EMPTY_BUFFER = Buffer.alloc(0);

export class ColumnBatch implements RecordBatch {
  readonly #columns: RecordColumns;
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  readonly nextOffset: number;
  readonly byteLength: number;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  /** Takes the buffer back; set by the owner of the buffer. */
  onRelease: (() => void) | null = null;
  #buffer: Buffer | null;

  constructor(columns: RecordColumns) {
    this.#columns = columns;
    this.topic = columns.topic;
    this.partition = columns.partition;
    this.count = columns.count;
    this.nextOffset = columns.nextOffset;
    this.byteLength = columns.byteLength;
    this.#buffer = columns.buffer;
    this.valueStart = columns.valueStart;
    this.valueEnd = columns.valueEnd;
  }

  get buffer(): Buffer {
    if (this.#buffer === null) throw new Error('the record batch was released');
    return this.#buffer;
  }

  release(): void {
    this.#buffer = null;
    const onRelease = this.onRelease;
    this.onRelease = null;
    onRelease?.();
  }

  /** Whether the offsets have no gap between the first and the last record. */
  get dense(): boolean {
    return this.#columns.offsets === null;
  }

  offset(index: number): number {
    const { offsets, firstOffset } = this.#columns;
    return offsets === null ? firstOffset + index : offsets[index]!;
  }

  timestamp(index: number): number {
    return this.#columns.timestamps[index]!;
  }

  key(index: number): Buffer | null {
    const start = this.#columns.keyStart[index]!;
    return start < 0 ? null : this.buffer.subarray(start, this.#columns.keyEnd[index]!);
  }

  value(index: number): Buffer | null {
    const start = this.valueStart[index]!;
    return start < 0 ? null : this.buffer.subarray(start, this.valueEnd[index]!);
  }

  headers(index: number): readonly Header[] {
    const cursor: VarintCursor = { at: this.#columns.headersStart[index]! };
    const count = readVarint(this.buffer, cursor);
    if (count <= 0) return NO_HEADERS;
    const headers: Header[] = [];
    for (let left = count; left > 0; left--) {
      const nameLength = readVarint(this.buffer, cursor);
      const name = this.buffer.toString('utf8', cursor.at, cursor.at + nameLength);
      cursor.at += nameLength;
      const valueLength = readVarint(this.buffer, cursor);
      // Kafka allows null header values; the port knows only bytes, so null reads as empty.
      const end = cursor.at + Math.max(0, valueLength);
      headers.push([name, this.buffer.subarray(cursor.at, end)]);
      cursor.at = end;
    }
    return headers;
  }

  headerSize(index: number): HeaderSize {
    const cursor: VarintCursor = { at: this.#columns.headersStart[index]! };
    const count = readVarint(this.buffer, cursor);
    if (count <= 0) return NO_SIZE;
    let bytes = 0;
    // A name and a value for each header, each with its length in front; a null value has the length -1.
    for (let left = 2 * count; left > 0; left--) {
      const length = Math.max(0, readVarint(this.buffer, cursor));
      cursor.at += length;
      bytes += length;
    }
    return { count, bytes };
  }
}

/** A batch without records that moves the position to `nextOffset` (control records, compacted ranges). */
export function emptyBatch(topic: string, partition: number, nextOffset: number): ColumnBatch {
  return new ColumnBatch({
    topic,
    partition,
    count: 0,
    nextOffset,
    byteLength: 0,
    buffer: EMPTY_BUFFER,
    valueStart: EMPTY_INT32,
    valueEnd: EMPTY_INT32,
    keyStart: EMPTY_INT32,
    keyEnd: EMPTY_INT32,
    headersStart: EMPTY_INT32,
    timestamps: EMPTY_FLOAT64,
    firstOffset: nextOffset,
    offsets: null,
  });
}
