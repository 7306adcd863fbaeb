// Zigzag variable-length integers of Kafka's record format (protobuf encoding, KIP-98).
//
// Surprise: 64-bit values (timestamp deltas) are computed in doubles; beyond 2^53 they lose precision, which for
// milliseconds is the year 287396.

export interface VarintCursor {
  at: number;
}

/** Reads a zigzag varint of up to 64 bits and moves the cursor. Throws RangeError when it does not end. */
export function readVarint(buffer: Uint8Array, cursor: VarintCursor): number {
  let at = cursor.at;
  let byte = buffer[at++]!;
  if (byte < 0x80) {
    cursor.at = at;
    return (byte >>> 1) ^ -(byte & 1);
  }
  let low = byte & 0x7f;
  let shift = 7;
  // Four bytes hold 28 bits: still inside a 32-bit integer.
  while (shift < 28) {
    byte = buffer[at++]!;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.at = at;
      return (low >>> 1) ^ -(low & 1);
    }
    shift += 7;
  }
  let scale = 2 ** 28;
  let value = low;
  while (shift < 70) {
    const next = buffer[at++];
    if (next === undefined) throw new RangeError('varint runs past the end');
    value += (next & 0x7f) * scale;
    if (next < 0x80) {
      cursor.at = at;
      return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
    }
    scale *= 128;
    shift += 7;
  }
  throw new RangeError('varint longer than 10 bytes');
}

/** Number of bytes that `value` takes. */
export function varintSize(value: number): number {
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (zigzag >= 128) {
    zigzag = Math.floor(zigzag / 128);
    size++;
  }
  return size;
}

/** Writes a zigzag varint at `at` and returns the position after it. */
export function writeVarint(buffer: Uint8Array, at: number, value: number): number {
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1;
  let position = at;
  while (zigzag >= 128) {
    buffer[position++] = (zigzag % 128) | 0x80;
    zigzag = Math.floor(zigzag / 128);
  }
  buffer[position++] = zigzag;
  return position;
}
