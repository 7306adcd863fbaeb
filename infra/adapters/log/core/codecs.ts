// Decompression of record batches, each codec with a limit on its output.
//
// Invariant: no input, however crafted, makes one call allocate more than `maxOutput` bytes plus its own size.
// A codec that only learns its output size by producing it (lz4) is decoded here with a check per copy.
//
// Surprise: snappy comes in two framings. Java writes the xerial stream (magic 0x82 "SNAPPY" 0, then length-prefixed
// blocks), librdkafka writes one raw block.
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { snappyDecompress } from '@platformatic/wasm-utils';
import { decodeLz4Frame } from './lz4.ts';

export const CODEC_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Default limit for one decompressed record batch, bytes. */
export const MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024;

export class CodecError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CodecError';
  }
}

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);

/**
 * Decompress the records of one batch.
 * @param codec bits 0-2 of the batch attributes: 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @throws CodecError when the data is broken, the codec is unknown or the output is larger than `maxOutput` bytes
 */
export function decompress(codec: number, input: Buffer, maxOutput: number = MAX_DECOMPRESSED_BYTES): Buffer {
  try {
    switch (codec) {
      case 1:
        return gunzipSync(input, { maxOutputLength: maxOutput });
      case 2:
        return decodeSnappy(input, maxOutput);
      case 3:
        return decodeLz4Frame(input, maxOutput);
      case 4:
        return zstdDecompressSync(input, { maxOutputLength: maxOutput });
    }
  } catch (error) {
    throw new CodecError(
      `cannot decompress ${CODEC_NAMES[codec]} within ${maxOutput} bytes: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  throw new CodecError(`unknown compression codec ${codec}`);
}

function decodeSnappy(input: Buffer, maxOutput: number): Buffer {
  if (!input.subarray(0, 8).equals(XERIAL_MAGIC)) return decodeSnappyBlock(input, maxOutput);
  const blocks: Buffer[] = [];
  let total = 0;
  let at = 16;
  while (at < input.length) {
    const length = input.readInt32BE(at);
    if (length < 0 || at + 4 + length > input.length) throw new CodecError('snappy block runs past the end');
    const block = decodeSnappyBlock(input.subarray(at + 4, at + 4 + length), maxOutput - total);
    total += block.length;
    blocks.push(block);
    at += 4 + length;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, total);
}

function decodeSnappyBlock(input: Buffer, maxOutput: number): Buffer {
  // The block begins with its uncompressed length (unsigned varint): the decoder allocates that much, so look first.
  let length = 0;
  let shift = 0;
  for (let at = 0; ; at++) {
    const byte = input[at];
    if (byte === undefined || shift > 28) throw new CodecError('snappy length is cut short');
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  if (length > maxOutput) throw new CodecError(`snappy block of ${length} bytes`);
  // A snappy element of at most 64 output bytes takes at least 2 input bytes: more than that is a lie in the header.
  if (length > input.length * 64) throw new CodecError('snappy length does not fit the data');
  return length === 0 ? Buffer.alloc(0) : snappyDecompress(input);
}
