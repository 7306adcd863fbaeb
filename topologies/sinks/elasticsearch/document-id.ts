// Document ids: the same event gets the same id whenever it is sent, so that sending it again changes nothing.
//
// Invariant: two records never share an id unless both carry it themselves.
// Surprise: the id of a record holds its time besides its offset, because a topic that was deleted and made again counts from 0:
// its events would be taken for old ones and lost.
import { createHash } from 'node:crypto';

/** The servers refuse ids above this many bytes of UTF-8. */
export const maxIdBytes = 512;

/** A text as id, in JSON with its quotes. No proper Unicode, or too long, escapes included: a hash of it. */
export function idOf(text: string): string {
  const json = JSON.stringify(text);
  return text.isWellFormed() && Buffer.byteLength(json) <= maxIdBytes + 2
    ? json
    : `"${createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url')}"`;
}

/** The bytes that `writeRecordId` may take. */
export const recordIdBytes = 249 + 4 + 10 + 16 + 16;

/** Writes topic-partition-offset-time at `at`; the position after it. Topic names need no escape ([a-zA-Z0-9._-], 249 at most). */
export function createRecordId(): (
  out: Buffer,
  at: number,
  topic: string,
  partition: number,
  offset: number,
  ms: number,
) => number {
  let lastTopic = '';
  let lastPartition = -1;
  let head = Buffer.alloc(0);
  return (out, start, topic, partition, offset, ms) => {
    if (partition !== lastPartition || topic !== lastTopic) {
      lastTopic = topic;
      lastPartition = partition;
      head = Buffer.from(`${topic}-${partition}-`, 'latin1');
    }
    let at = start;
    for (let k = 0; k < head.length; k++) out[at++] = head[k]!;
    at = writeNumber(out, at, offset);
    out[at++] = 0x2d;
    return writeNumber(out, at, Math.max(0, ms));
  };
}

/** Decimal digits of a whole number from 0 to 2^53. In 32-bit integers: a remainder of doubles costs as much as a frame. */
export function writeNumber(out: Buffer, start: number, value: number): number {
  if (value < 1e8) {
    const whole = value | 0;
    let width = 1;
    for (let above = 10; above <= whole; above *= 10) width += 1;
    return writeDigits(out, start, whole, width);
  }
  const high = Math.floor(value / 1e8);
  return writeDigits(out, writeNumber(out, start, high), (value - high * 1e8) | 0, 8);
}

function writeDigits(out: Buffer, start: number, value: number, width: number): number {
  let rest = value;
  for (let at = start + width - 1; at >= start; at--) {
    const shorter = (rest / 10) | 0;
    out[at] = 0x30 + rest - shorter * 10;
    rest = shorter;
  }
  return start + width;
}
