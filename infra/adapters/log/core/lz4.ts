// LZ4 frames (the framing Kafka uses) with a limit on the output.
//
// Source: LZ4 frame format 1.6.4 and block format, github.com/lz4/lz4/tree/dev/doc. Checksums in the frame are not
// checked: the record batch around it has its own CRC-32C.

const MAGIC = 0x184d2204;
const BLOCK_MAX = [0, 0, 0, 0, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024];

/** @throws RangeError when the frame is broken or holds more than `maxOutput` bytes */
export function decodeLz4Frame(input: Buffer, maxOutput: number): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) throw new RangeError('no lz4 frame');
  const flags = input[4]!;
  const blockMax = BLOCK_MAX[(input[5]! >>> 4) & 7]!;
  if (flags >>> 6 !== 1 || blockMax === 0) throw new RangeError('unknown lz4 frame version');
  const blockChecksum = (flags & 0x10) !== 0;
  const hasSize = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  if (hasDictionary) throw new RangeError('lz4 dictionaries are not supported');
  let at = 6 + (hasSize ? 8 : 0) + 1;
  let output = Buffer.allocUnsafe(Math.min(maxOutput, Math.max(4096, input.length * 4)));
  let length = 0;
  for (;;) {
    if (at + 4 > input.length) throw new RangeError('lz4 frame is cut short');
    const header = input.readUInt32LE(at);
    at += 4;
    if (header === 0) return output.subarray(0, length);
    const size = header & 0x7fffffff;
    if (size > blockMax || at + size > input.length) throw new RangeError('lz4 block runs past the end');
    const needed = Math.min(maxOutput, length + blockMax);
    if (output.length < needed) {
      const larger = Buffer.allocUnsafe(Math.min(maxOutput, Math.max(needed, output.length * 2)));
      output.copy(larger, 0, 0, length);
      output = larger;
    }
    if (header >>> 31 === 1) {
      if (length + size > output.length) throw new RangeError('lz4 output is too large');
      input.copy(output, length, at, at + size);
      length += size;
    } else {
      length = decodeBlock(input, at, at + size, output, length);
    }
    at += size + (blockChecksum ? 4 : 0);
  }
}

/** Decodes one block behind `start` of `output` (earlier blocks may be referenced); returns the new end. */
function decodeBlock(input: Buffer, from: number, end: number, output: Buffer, start: number): number {
  let at = from;
  let to = start;
  while (at < end) {
    const token = input[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let byte: number;
      do {
        if (at >= end) throw new RangeError('lz4 literal length is cut short');
        byte = input[at++]!;
        literals += byte;
      } while (byte === 255);
    }
    if (at + literals > end || to + literals > output.length)
      throw new RangeError('lz4 literals run past the end');
    if (literals > 0) {
      input.copy(output, to, at, at + literals);
      at += literals;
      to += literals;
    }
    if (at >= end) return to;
    if (at + 2 > end) throw new RangeError('lz4 offset is cut short');
    const distance = input[at]! | (input[at + 1]! << 8);
    at += 2;
    let match = (token & 15) + 4;
    if (match === 19) {
      let byte: number;
      do {
        if (at >= end) throw new RangeError('lz4 match length is cut short');
        byte = input[at++]!;
        match += byte;
      } while (byte === 255);
    }
    if (distance === 0 || distance > to) throw new RangeError('lz4 match begins before the output');
    if (to + match > output.length) throw new RangeError('lz4 output is too large');
    if (distance >= match) {
      output.copy(output, to, to - distance, to - distance + match);
      to += match;
    } else {
      // Overlap: the match repeats what it writes.
      for (let left = match; left > 0; left--, to++) output[to] = output[to - distance]!;
    }
  }
  return to;
}
