// The two requests that decide speed, Fetch and Produce, written and read here instead of by the client.
//
// Invariant: the record sections of a Fetch answer are views of its one contiguous buffer.
//
// Surprise: Fetch v12 and Produce v9 name topics by name, not by id; Apache Kafka 2.7 to 4.x serve both.
// Source: kafka/clients/src/main/resources/common/message/{FetchRequest,FetchResponse,ProduceRequest,ProduceResponse}.json
import { createAPI, Writer } from '@platformatic/kafka';
import { readInt64 } from '../core/record-decode.ts';

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface FetchAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** Record batches, the last one possibly cut off. */
  readonly records: Buffer;
}

export interface FetchResponse {
  readonly errorCode: number;
  readonly answers: readonly FetchAnswer[];
}

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  readonly partitions: readonly FetchPartition[];
}

const NO_RECORDS = Buffer.alloc(0);

class Cursor {
  readonly buffer: Buffer;
  at = 0;
  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }
  int16(): number {
    const value = this.buffer.readInt16BE(this.at);
    this.at += 2;
    return value;
  }
  int32(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }
  int64(): number {
    const value = readInt64(this.buffer, this.at);
    this.at += 8;
    return value;
  }
  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.buffer.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }
  string(): string {
    const length = this.uvarint() - 1;
    const value = this.buffer.toString('utf8', this.at, this.at + length);
    this.at += length;
    return value;
  }
  nullableString(): string | null {
    const length = this.uvarint() - 1;
    if (length < 0) return null;
    const value = this.buffer.toString('utf8', this.at, this.at + length);
    this.at += length;
    return value;
  }
  skipTags(): void {
    for (let tags = this.uvarint(); tags > 0; tags--) {
      this.uvarint();
      const size = this.uvarint();
      this.at += size;
    }
  }
}

function groupByTopic<T extends { readonly topic: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group === undefined) groups.set(item.topic, [item]);
    else group.push(item);
  }
  return groups;
}

/** The body of a Fetch v12 request. */
export function writeFetch(request: FetchRequest): Writer {
  return Writer.create()
    .appendInt32(-1)
    .appendInt32(request.maxWaitMs)
    .appendInt32(1)
    .appendInt32(request.maxBytes)
    .appendInt8(0)
    .appendInt32(0)
    .appendInt32(-1)
    .appendArray([...groupByTopic(request.partitions)], (writer, [topic, partitions]) => {
      writer.appendString(topic).appendArray(partitions, (inner, { partition, offset }) => {
        inner
          .appendInt32(partition)
          .appendInt32(-1)
          .appendInt64(BigInt(offset))
          .appendInt32(-1)
          .appendInt64(-1n)
          .appendInt32(request.maxBytesPerPartition);
      });
    })
    .appendArray([], () => undefined)
    .appendString('')
    .appendTaggedFields();
}

/** Reads the body of a Fetch v12 answer. Throws RangeError when it is cut short. */
export function readFetch(body: Buffer): FetchResponse {
  const cursor = new Cursor(body);
  cursor.int32();
  const errorCode = cursor.int16();
  cursor.int32();
  const answers: FetchAnswer[] = [];
  for (let topics = cursor.uvarint() - 1; topics > 0; topics--) {
    const topic = cursor.string();
    for (let partitions = cursor.uvarint() - 1; partitions > 0; partitions--) {
      const partition = cursor.int32();
      const partitionError = cursor.int16();
      const highWatermark = cursor.int64();
      cursor.int64();
      const logStartOffset = cursor.int64();
      for (let aborted = cursor.uvarint() - 1; aborted > 0; aborted--) {
        cursor.at += 16;
        cursor.skipTags();
      }
      cursor.int32();
      const length = cursor.uvarint() - 1;
      const records = length > 0 ? body.subarray(cursor.at, cursor.at + length) : NO_RECORDS;
      cursor.at += Math.max(0, length);
      cursor.skipTags();
      answers.push({ topic, partition, errorCode: partitionError, highWatermark, logStartOffset, records });
    }
    cursor.skipTags();
  }
  return { errorCode, answers };
}

export const fetchV12 = createAPI<[FetchRequest], FetchResponse>(
  1,
  12,
  writeFetch,
  (_correlation, _key, _version, reader) => readFetch(reader.buffer.slice(reader.position)),
);

export interface ProduceBatch {
  readonly topic: string;
  readonly partition: number;
  /** One record batch. */
  readonly records: Buffer;
}

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

interface ProduceRequest {
  readonly timeoutMs: number;
  readonly batches: readonly ProduceBatch[];
}

function writeProduce(request: ProduceRequest): Writer {
  return Writer.create()
    .appendString(null)
    .appendInt16(-1)
    .appendInt32(request.timeoutMs)
    .appendArray([...groupByTopic(request.batches)], (writer, [topic, batches]) => {
      writer.appendString(topic).appendArray(batches, (inner, { partition, records }) => {
        inner
          .appendInt32(partition)
          .appendUnsignedVarInt(records.length + 1)
          .append(records);
      });
    })
    .appendTaggedFields();
}

/** Reads the body of a Produce v9 answer. */
export function readProduce(body: Buffer): ProduceAnswer[] {
  const cursor = new Cursor(body);
  const answers: ProduceAnswer[] = [];
  for (let topics = cursor.uvarint() - 1; topics > 0; topics--) {
    const topic = cursor.string();
    for (let partitions = cursor.uvarint() - 1; partitions > 0; partitions--) {
      const partition = cursor.int32();
      const errorCode = cursor.int16();
      cursor.at += 24;
      let errorMessage: string | null = null;
      for (let errors = cursor.uvarint() - 1; errors > 0; errors--) {
        cursor.int32();
        const message = cursor.nullableString();
        errorMessage ??= message;
        cursor.skipTags();
      }
      errorMessage = cursor.nullableString() ?? errorMessage;
      cursor.skipTags();
      answers.push({ topic, partition, errorCode, errorMessage });
    }
    cursor.skipTags();
  }
  return answers;
}

export const produceV9 = createAPI<[ProduceRequest], ProduceAnswer[]>(
  0,
  9,
  writeProduce,
  (_correlation, _key, _version, reader) => readProduce(reader.buffer.slice(reader.position)),
);
