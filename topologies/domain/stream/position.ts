// A place in several topics at once: the next offset of every partition, as one opaque text that clients hand back.
//
// Invariant: `decodePosition` takes what `encodePosition` made and nothing else; a text that was cut or changed is refused.
// Surprise: the checksum is against accidents, not people. A position gives no right that reading from a time does not give.
import { crc32 } from 'node:zlib';

/** Next offset by partition (the index), by topic id. Partitions that are not named came later: they begin at 0. */
export type Position = ReadonlyMap<string, readonly number[]>;

/** The topics that a stream can carry; the number is in positions that clients keep, so it never changes. */
const codes: ReadonlyMap<string, number> = new Map([
  ['findings', 1],
  ['events', 2],
]);
const ids = new Map([...codes].map(([id, code]) => [code, id]));
const version = 1;
const checksumBytes = 4;
/** A header has to hold it, and all headers of a request have 16 KiB. */
const longest = 12 * 1024;
const mostPartitions = 10_000;

/** Unpadded base64url of: version, then topic, number of partitions and offsets as varints, then CRC-32. */
export function encodePosition(position: Position): string {
  const bytes: number[] = [version];
  for (const [id, offsets] of position) {
    const code = codes.get(id);
    if (code === undefined) throw new RangeError(`${id} is no topic of a stream`);
    pushVarint(bytes, code);
    pushVarint(bytes, offsets.length);
    for (const offset of offsets) pushVarint(bytes, offset);
  }
  const sum = crc32(Uint8Array.from(bytes));
  bytes.push(sum >>> 24, (sum >>> 16) & 0xff, (sum >>> 8) & 0xff, sum & 0xff);
  return Buffer.from(bytes).toString('base64url');
}

/** Null when the text is no position. */
export function decodePosition(text: string): Position | null {
  if (text.length > longest || !/^[\w-]+$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64url');
  const end = bytes.length - checksumBytes;
  if (end < 1 || bytes[0] !== version) return null;
  const reader = createReader(bytes, 1, end);
  const position = new Map<string, number[]>();
  while (!reader.done()) {
    const id = ids.get(reader.varint());
    const count = reader.varint();
    if (id === undefined || position.has(id) || !(count <= mostPartitions)) return null;
    const offsets: number[] = [];
    for (let partition = 0; partition < count; partition += 1) offsets.push(reader.varint());
    if (!offsets.every(Number.isSafeInteger)) return null;
    position.set(id, offsets);
  }
  // One text for one position: the checksum, and no other spelling of numbers or of base64.
  return encodePosition(position) === text ? position : null;
}

/** Little-endian base 128, as protobuf has it; by division, because offsets go beyond 32 bits. */
function pushVarint(bytes: number[], value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no offset`);
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
}

function createReader(bytes: Buffer, start: number, end: number) {
  let at = start;
  return {
    done: () => at >= end,
    /** NaN when the bytes end too early. */
    varint(): number {
      let value = 0;
      for (let scale = 1; at < end; scale *= 0x80) {
        const byte = bytes[at++]!;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
      return Number.NaN;
    },
  };
}
