// Atoms: the smallest statements about a field that one element can make true, each stored once for all rules.
//
// Invariant: an atom is found by hash and confirmed by its bytes (or its number), so a crafted collision costs time and never a
// wrong match. `epoch` of an atom is the number of the last event that made it true.
// Surprise: texts are kept folded as UTF-8, so that ASCII elements, nearly all of them, are compared byte by byte as they
// stand in the event.
import { foldByte, grownBytes, grownDoubles, grownInts, mix, roomFor, slotsFor } from './ints.ts';

/** What an atom says about an element of its field. */
export const atomSort = {
  /** Equal text in any case, exact text, identifier without spaces in any case. */
  text: 0,
  exact: 1,
  identifier: 2,
  /** Rank of a severity word; the number is the rank. */
  severity: 3,
  number: 4,
  prefix: 5,
  suffix: 6,
  contains: 7,
  /** A network; the bytes are family, prefix length and the masked address. */
  cidr: 8,
  /** A number within bounds; the two doubles from `offset` on. */
  range: 9,
  true: 10,
  false: 11,
  null: 12,
  /** The field is there, be it with an empty list. */
  present: 13,
} as const;

export interface AtomTable {
  size: number;
  /** Open addressing: pairs of hash and atom + 1. */
  slots: Int32Array;
  /** Of each atom: hash, field * 16 + sort, place and length of its bytes (or the place of its number). */
  hash: Int32Array;
  kind: Int32Array;
  offset: Int32Array;
  length: Int32Array;
  /** Number of the last event that made it true, and the bucket of rules it leads to (0: none, -1: only below others). */
  epoch: Int32Array;
  bucket: Int32Array;
  /** The atom that became true before it in the same event and field, plus 1. */
  nextTrue: Int32Array;
  bytes: Uint8Array;
  bytesUsed: number;
  numbers: Float64Array;
  numbersUsed: number;
  /** Atoms of each field and sort, at field * 16 + sort: how many values rules tell apart there. */
  distinct: Int32Array;
}

/** Empty, with room for as much as `like` holds. */
export function createAtomTable(like: AtomTable | null): AtomTable {
  const room = roomFor(like?.size ?? 0, 16);
  return {
    size: 0,
    slots: new Int32Array(2 * slotsFor(like?.size ?? 0, 64)),
    hash: new Int32Array(room),
    kind: new Int32Array(room),
    offset: new Int32Array(room),
    length: new Int32Array(room),
    epoch: new Int32Array(room),
    bucket: new Int32Array(room),
    nextTrue: new Int32Array(room),
    bytes: new Uint8Array(roomFor(like?.bytesUsed ?? 0, 256)),
    bytesUsed: 0,
    numbers: new Float64Array(roomFor(like?.numbersUsed ?? 0, 4)),
    numbersUsed: 0,
    distinct: new Int32Array(64),
  };
}

/** The atom whose bytes are `memory[start, end)` once ASCII is folded; -1 without one. `hash` is any hash both sides agree on. */
export function findFolded(
  atoms: AtomTable,
  kind: number,
  hash: number,
  memory: Uint8Array,
  start: number,
  end: number,
): number {
  const key = mix(hash, kind);
  const slots = atoms.slots;
  const mask = slots.length - 2;
  for (let at = (key << 1) & mask; ; at = (at + 2) & mask) {
    const entry = slots[at + 1] as number;
    if (entry === 0) return -1;
    if (slots[at] !== key) continue;
    const atom = entry - 1;
    if (atoms.kind[atom] !== kind || atoms.length[atom] !== end - start) continue;
    const shift = (atoms.offset[atom] as number) - start;
    const bytes = atoms.bytes;
    let i = start;
    while (i < end && foldByte[memory[i] as number] === bytes[i + shift]) i++;
    if (i === end) return atom;
  }
}

/** As `findFolded`, for bytes as they are. */
export function findExact(
  atoms: AtomTable,
  kind: number,
  hash: number,
  memory: Uint8Array,
  start: number,
  end: number,
): number {
  const key = mix(hash, kind);
  const slots = atoms.slots;
  const mask = slots.length - 2;
  for (let at = (key << 1) & mask; ; at = (at + 2) & mask) {
    const entry = slots[at + 1] as number;
    if (entry === 0) return -1;
    if (slots[at] !== key) continue;
    const atom = entry - 1;
    if (atoms.kind[atom] !== kind || atoms.length[atom] !== end - start) continue;
    const shift = (atoms.offset[atom] as number) - start;
    const bytes = atoms.bytes;
    let i = start;
    while (i < end && memory[i] === bytes[i + shift]) i++;
    if (i === end) return atom;
  }
}

/** The atom with these doubles (one, or two of a range); -1 without one. */
export function findNumbers(atoms: AtomTable, kind: number, hash: number, a: number, b: number): number {
  const key = mix(hash, kind);
  const slots = atoms.slots;
  const mask = slots.length - 2;
  for (let at = (key << 1) & mask; ; at = (at + 2) & mask) {
    const entry = slots[at + 1] as number;
    if (entry === 0) return -1;
    if (slots[at] !== key) continue;
    const atom = entry - 1;
    if (atoms.kind[atom] !== kind) continue;
    const offset = atoms.offset[atom] as number;
    if (atoms.numbers[offset] === a && (atoms.length[atom] === 1 || atoms.numbers[offset + 1] === b))
      return atom;
  }
}

/** The atom of these bytes, made when it is new. `bytes` are stored as given: folded ones for folded sorts. */
export function internBytes(atoms: AtomTable, kind: number, hash: number, bytes: Uint8Array): number {
  const found = findExact(atoms, kind, hash, bytes, 0, bytes.length);
  if (found >= 0) return found;
  atoms.bytes = grownBytes(atoms.bytes, atoms.bytesUsed + bytes.length);
  atoms.bytes.set(bytes, atoms.bytesUsed);
  const atom = addAtom(atoms, kind, hash, atoms.bytesUsed, bytes.length);
  atoms.bytesUsed += bytes.length;
  return atom;
}

/** The atom of one double, or of two when `b` is given. */
export function internNumbers(atoms: AtomTable, kind: number, hash: number, a: number, b?: number): number {
  const found = findNumbers(atoms, kind, hash, a, b ?? 0);
  if (found >= 0) return found;
  const count = b === undefined ? 1 : 2;
  atoms.numbers = grownDoubles(atoms.numbers, atoms.numbersUsed + count);
  atoms.numbers[atoms.numbersUsed] = a;
  if (b !== undefined) atoms.numbers[atoms.numbersUsed + 1] = b;
  const atom = addAtom(atoms, kind, hash, atoms.numbersUsed, count);
  atoms.numbersUsed += count;
  return atom;
}

export function bytesOf(atoms: AtomTable, atom: number): Uint8Array {
  const offset = atoms.offset[atom] as number;
  return atoms.bytes.subarray(offset, offset + (atoms.length[atom] as number));
}

/** Bytes of all tables, for the figure of memory per rule. */
export function atomTableBytes(atoms: AtomTable): number {
  const { slots, hash, kind, offset, length, epoch, bucket, nextTrue, bytes, numbers, distinct } = atoms;
  return [slots, hash, kind, offset, length, epoch, bucket, nextTrue, bytes, numbers, distinct].reduce(
    (sum, array) => sum + array.byteLength,
    0,
  );
}

function addAtom(atoms: AtomTable, kind: number, hash: number, offset: number, length: number): number {
  const atom = atoms.size;
  atoms.size += 1;
  if (atom >= atoms.hash.length)
    for (const name of ['hash', 'kind', 'offset', 'length', 'epoch', 'bucket', 'nextTrue'] as const)
      atoms[name] = grownInts(atoms[name], atom + 1);
  atoms.hash[atom] = mix(hash, kind);
  atoms.kind[atom] = kind;
  atoms.offset[atom] = offset;
  atoms.length[atom] = length;
  atoms.distinct = grownInts(atoms.distinct, kind + 1);
  (atoms.distinct[kind] as number) += 1;
  // At most two thirds full: three words for each entry of two.
  if (atoms.size * 3 > atoms.slots.length) rehash(atoms);
  else place(atoms.slots, atoms.hash[atom] as number, atom);
  return atom;
}

function rehash(atoms: AtomTable): void {
  const slots = new Int32Array(atoms.slots.length * 2);
  for (let atom = 0; atom < atoms.size; atom++) place(slots, atoms.hash[atom] as number, atom);
  atoms.slots = slots;
}

function place(slots: Int32Array, key: number, atom: number): void {
  const mask = slots.length - 2;
  let at = (key << 1) & mask;
  while (slots[at + 1] !== 0) at = (at + 2) & mask;
  slots[at] = key;
  slots[at + 1] = atom + 1;
}
