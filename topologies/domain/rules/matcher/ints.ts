// Growing typed arrays and the mixing of hashes: what the tables of the matcher are made of.
//
// Invariant: only 32-bit integers, so that V8 keeps them unboxed.

/** `array` itself, or a copy of at least `length` entries; room grows by half, so that memory stays near what is used. */
export function grownInts(array: Int32Array, length: number): Int32Array {
  if (length <= array.length) return array;
  const grown = new Int32Array(Math.max(length, array.length + (array.length >> 1), 16));
  grown.set(array);
  return grown;
}

export function grownDoubles(array: Float64Array, length: number): Float64Array {
  if (length <= array.length) return array;
  const grown = new Float64Array(Math.max(length, array.length + (array.length >> 1), 16));
  grown.set(array);
  return grown;
}

export function grownBytes(array: Uint8Array, length: number): Uint8Array {
  if (length <= array.length) return array;
  const grown = new Uint8Array(Math.max(length, array.length + (array.length >> 1), 64));
  grown.set(array);
  return grown;
}

/** A quarter more than `used`, for a table that will hold about as much as another. */
export function roomFor(used: number, least: number): number {
  return Math.max(least, used + (used >> 2));
}

/** The power of two that leaves a table with so many entries at most half full. */
export function slotsFor(entries: number, least: number): number {
  return Math.max(least, 2 ** Math.ceil(Math.log2(Math.max(1, 2 * entries))));
}

/** Spreads all bits of `value` over the word (the finalizer of MurmurHash3, public domain, Austin Appleby). */
export function spread(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** One hash of two words. */
export function mix(a: number, b: number): number {
  return spread(Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x01000193) ^ b);
}

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

/** Hash of a double; 0 and -0 hash alike, as they are equal. */
export function hashNumber(value: number): number {
  doubles[0] = value + 0;
  return mix(words[0] as number, words[1] as number);
}

/** The next double above `value`, so that x > value is x >= above(value) (IEEE 754 nextUp). */
export function above(value: number): number {
  if (value === 0) return 5e-324;
  if (value === Number.POSITIVE_INFINITY) return value;
  doubles[0] = value;
  const [low, high] = [words[0] as number, words[1] as number];
  if (value > 0) {
    words[0] = low + 1;
    if (low === -1) words[1] = high + 1;
  } else {
    words[0] = low - 1;
    if (low === 0) words[1] = high - 1;
  }
  return doubles[0] as number;
}

/** The next double below `value`. */
export function below(value: number): number {
  return -above(-value);
}

/** ASCII upper case to lower case, byte by byte; other bytes stay. */
export const foldByte: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
