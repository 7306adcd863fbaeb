// Many texts looked for in one text: the needles of one field, each found by one rare piece of itself, then confirmed.
//
// Invariant: every needle is registered under one gram of four bytes that it contains (shorter needles under themselves), so a
// text that has the needle has the gram. Work: one step for each byte of the text and length class, plus the needles
// whose gram occurs.
// Surprise: of the grams of a needle the least used one is taken; with thousands of needles the common ones ("http") would
// otherwise lead to long chains.
import { foldByte, grownInts, spread } from './ints.ts';

export interface ContainsIndex {
  /** Bit g: there are needles registered by grams of g bytes, 1 to 4. */
  classes: number;
  needles: number;
  /** One bit for each hash of a gram; clear means no needle. */
  filter: Int32Array;
  /** Open addressing: gram, class, first entry + 1. */
  table: Int32Array;
  grams: number;
  /**
   * Entries of `entryStride`: atom, place of the gram in the needle, length, place of the four bytes farthest from the gram
   * (-1 for needles up to four bytes), those bytes, next entry + 1. What is compared first stands here, because most needles with
   * a common gram differ elsewhere.
   */
  entries: Int32Array;
}

export const entryStride = 6;

export function createContainsIndex(): ContainsIndex {
  return {
    classes: 0,
    needles: 0,
    filter: new Int32Array(32),
    table: new Int32Array(3 * 16),
    grams: 0,
    entries: new Int32Array(entryStride * 4),
  };
}

/** Adds the needle `bytes[offset, offset + length)`, folded and not empty. */
export function addNeedle(
  index: ContainsIndex,
  atom: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  const size = Math.min(4, length);
  let bestGram = 0;
  let bestAt = 0;
  let fewest = Number.POSITIVE_INFINITY;
  // 64 places are enough to find a rare one.
  for (let at = 0; at + size <= length && at < 64 && fewest > 0; at++) {
    const gram = gramAt(bytes, offset + at, size);
    const used = chainLength(index, gram, size);
    if (used >= fewest) continue;
    [bestGram, bestAt, fewest] = [gram, at, used];
  }
  index.entries = grownInts(index.entries, entryStride * (index.needles + 1));
  if (index.grams * 2 > index.table.length / 3) growTable(index);
  const slot = slotOf(index.table, bestGram, size);
  if (index.table[slot + 2] === 0) index.grams += 1;
  const far = length <= 4 ? -1 : bestAt >= length - 4 - bestAt ? 0 : length - 4;
  const farBytes = far === -1 ? 0 : gramAt(bytes, offset + far, 4);
  const next = index.table[slot + 2] as number;
  index.entries.set([atom, bestAt, length, far, farBytes, next], entryStride * index.needles);
  index.table[slot] = bestGram;
  index.table[slot + 1] = size;
  index.table[slot + 2] = index.needles + 1;
  index.needles += 1;
  index.classes |= 1 << size;
  if (index.grams * 16 > index.filter.length * 32 && index.filter.length < 1 << 16) growFilter(index);
  else setFilter(index.filter, bestGram, size);
}

/** The first entry for a gram, plus 1; 0 without one. */
export function entriesOfGram({ table }: ContainsIndex, gram: number, size: number): number {
  return table[slotOf(table, gram, size) + 2] as number;
}

/** Place of a gram in the filter; `filter` has a power of two of words. */
export function filterBit(gram: number, size: number): number {
  const h = Math.imul(gram ^ size, 0x9e3779b1);
  return h ^ (h >>> 15);
}

export function containsIndexBytes({ filter, table, entries }: ContainsIndex): number {
  return filter.byteLength + table.byteLength + entries.byteLength;
}

/** `size` bytes, ASCII folded, as one number. */
export function gramAt(bytes: Uint8Array, at: number, size: number): number {
  let gram = 0;
  for (let i = 0; i < size; i++) gram = (gram << 8) | (foldByte[bytes[at + i] as number] as number);
  return gram;
}

function chainLength(index: ContainsIndex, gram: number, size: number): number {
  let length = 0;
  for (let entry = entriesOfGram(index, gram, size); entry !== 0 && length < 64; length++)
    entry = index.entries[entryStride * (entry - 1) + 5] as number;
  return length;
}

function slotOf(table: Int32Array, gram: number, size: number): number {
  const slots = table.length / 3;
  let slot = spread(gram + size) & (slots - 1);
  while (table[3 * slot + 2] !== 0 && !(table[3 * slot] === gram && table[3 * slot + 1] === size))
    slot = (slot + 1) & (slots - 1);
  return 3 * slot;
}

function growTable(index: ContainsIndex): void {
  const old = index.table;
  const table = new Int32Array(old.length * 2);
  for (let slot = 0; slot < old.length; slot += 3) {
    if (old[slot + 2] === 0) continue;
    const to = slotOf(table, old[slot] as number, old[slot + 1] as number);
    for (let i = 0; i < 3; i++) table[to + i] = old[slot + i] as number;
  }
  index.table = table;
}

function setFilter(filter: Int32Array, gram: number, size: number): void {
  const bit = filterBit(gram, size);
  const word = (bit >>> 5) & (filter.length - 1);
  filter[word] = (filter[word] as number) | (1 << (bit & 31));
}

function growFilter(index: ContainsIndex): void {
  const filter = new Int32Array(index.filter.length * 2);
  for (let slot = 0; slot < index.table.length; slot += 3)
    if (index.table[slot + 2] !== 0)
      setFilter(filter, index.table[slot] as number, index.table[slot + 1] as number);
  index.filter = filter;
}
