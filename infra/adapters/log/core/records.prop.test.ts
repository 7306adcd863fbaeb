// Encoder, decoder, codecs and varints: round trips, limits, and what must not be applied.
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { crc32c, lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodecError, decompress } from './codecs.ts';
import { decodeSection } from './record-decode.ts';
import { type EncodeRecord, encodeBatch } from './record-encode.ts';
import { readVarint, varintSize, writeVarint } from './varint.ts';

const crc = (data: Buffer): number => crc32c(data);
const options = { crc32c: crc, maxDecompressedBytes: 1024 * 1024 };

const bytes = fc.option(fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each)));
const record: fc.Arbitrary<EncodeRecord> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(
    fc.tuple(
      fc.string({ maxLength: 10 }),
      fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each)),
    ),
    { maxLength: 4 },
  ),
  timestamp: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});

/** Compresses the records of a batch and puts its header right. */
function compressBatch(plain: Buffer, codec: number, compress: (data: Buffer) => Buffer): Buffer {
  const batch = Buffer.concat([plain.subarray(0, 61), compress(plain.subarray(61))]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(codec, 21);
  batch.writeUInt32BE(crc(batch.subarray(21)) >>> 0, 17);
  return batch;
}

/** Java's framing of snappy: magic, versions, then blocks with their lengths. */
function xerial(data: Buffer): Buffer {
  const parts: Buffer[] = [
    Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
  ];
  for (let at = 0; at < data.length; at += 100) {
    const block = snappyCompress(data.subarray(at, at + 100));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

const codecs: [name: string, codec: number, compress: (data: Buffer) => Buffer][] = [
  ['gzip', 1, (data) => gzipSync(data)],
  ['snappy', 2, (data) => snappyCompress(data)],
  ['snappy in Java framing', 2, xerial],
  ['lz4', 3, (data) => lz4Compress(data)],
  ['zstd', 4, (data) => zstdCompressSync(data)],
];

describe('record batches', () => {
  it('read back what was written, in any mixture of batches', () => {
    const part = fc.record({
      records: fc.array(record, { minLength: 1, maxLength: 8 }),
      codec: fc.nat(codecs.length),
      gap: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(30), (parts, from) => {
        const sections: Buffer[] = [];
        const expected: { offset: number; record: EncodeRecord }[] = [];
        let offset = 10;
        for (const { records, codec, gap } of parts) {
          offset += gap;
          const plain = encodeBatch(records, crc, undefined, offset);
          const chosen = codecs[codec - 1];
          sections.push(chosen === undefined ? plain : compressBatch(plain, chosen[1], chosen[2]));
          records.forEach((each, index) => void expected.push({ offset: offset + index, record: each }));
          offset += records.length;
        }
        const decoded = decodeSection('t', 0, Buffer.concat(sections), from, options);
        const read = decoded.batches.flatMap((batch) =>
          Array.from({ length: batch.count }, (_, index) => ({
            offset: batch.offset(index),
            record: {
              key: batch.key(index),
              value: batch.value(index),
              headers: batch.headers(index),
              timestamp: batch.timestamp(index),
            },
          })),
        );
        expect(decoded.unreadable).toBeNull();
        expect(read).toEqual(expected.filter((each) => each.offset >= from));
        expect(decoded.nextOffset).toBe(Math.max(from, offset));
      }),
      { numRuns: 300 },
    );
  });

  it('never apply a batch with a changed byte', () => {
    const batch = (base: number) =>
      encodeBatch(
        [0, 1].map((each) => ({ key: 'k', value: `value ${base + each}`, timestamp: 5 })),
        crc,
        undefined,
        base,
      );
    const section = Buffer.concat([batch(0), batch(2), batch(4)]);
    const length = batch(0).length;
    fc.assert(
      fc.property(fc.integer({ min: 21, max: length - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const damaged = Buffer.from(section);
        damaged[length + at] = damaged[length + at]! ^ (1 << bit);
        const { batches, nextOffset, unreadable } = decodeSection('t', 0, damaged, 0, options);
        expect(batches.reduce((sum, each) => sum + each.count, 0)).toBe(2);
        expect(nextOffset).toBe(2);
        expect(unreadable).toMatchObject({ firstOffset: 2, nextOffset: 4 });
      }),
      { numRuns: 300 },
    );
  });

  it('ignore a batch that is cut off and survive any garbage', () => {
    const whole = encodeBatch([{ key: null, value: 'x', timestamp: 1 }], crc);
    for (let cut = 0; cut < whole.length; cut++) {
      expect(decodeSection('t', 0, whole.subarray(0, cut), 0, options)).toEqual({
        batches: [],
        nextOffset: 0,
        unreadable: null,
      });
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        const broken = Buffer.concat([
          whole,
          compressBatch(Buffer.concat([whole.subarray(0, 61), garbage]), 0, (data) => data),
        ]);
        broken.writeBigInt64BE(1n, whole.length);
        const { batches, nextOffset } = decodeSection('t', 0, broken, 0, options);
        expect(batches[0]?.count).toBeGreaterThanOrEqual(1);
        expect(nextOffset).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe('decompression', () => {
  it.each(codecs)('%s keeps its limit', (_, codec, compress) => {
    const data = Buffer.alloc(2 * 1024 * 1024, 'abc');
    const packed = compress(data);
    expect(decompress(codec, packed, data.length).equals(data)).toBe(true);
    expect(() => decompress(codec, packed, data.length - 1)).toThrow(CodecError);
  });

  it('refuses snappy that lies about its length, unknown codecs and broken data without crashing', () => {
    expect(() => decompress(2, Buffer.from([0xff, 0xff, 0xff, 0x7f, 0]))).toThrow(CodecError);
    expect(() => decompress(5, Buffer.alloc(10))).toThrow(CodecError);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.uint8Array({ maxLength: 100 }), (codec, garbage) => {
        try {
          decompress(codec, Buffer.from(garbage), 1000);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});

it('varints hold every safe integer', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
      const buffer = Buffer.alloc(12);
      const end = writeVarint(buffer, 0, value);
      const cursor = { at: 0 };
      expect(readVarint(buffer, cursor)).toBe(value);
      expect([end, cursor.at]).toEqual([varintSize(value), varintSize(value)]);
    }),
  );
  // Protobuf's own examples of zigzag encoding (protobuf.dev/programming-guides/encoding#signed-ints).
  const encoded = (value: number) => {
    const buffer = Buffer.alloc(12);
    return buffer.subarray(0, writeVarint(buffer, 0, value)).toString('hex');
  };
  expect([0, -1, 1, -2, 0x7fffffff, -0x80000000].map(encoded)).toEqual([
    '00',
    '01',
    '02',
    '03',
    'feffffff0f',
    'ffffffff0f',
  ]);
});
