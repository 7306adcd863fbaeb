// Fields: what the rules ask about the elements at one set of paths, and how each value is looked up.
//
// Invariant: an atom is in the lookup structure of its field from the moment it exists, so that every true atom of an event is
// found, whether it leads to rules or is only read by programs.
import type { Path } from '../path.ts';
import { severities } from '../severity.ts';
import { type AtomTable, atomSort, createAtomTable, internBytes, internNumbers } from './atoms.ts';
import { addNeedle, type ContainsIndex, containsIndexBytes, createContainsIndex } from './contains.ts';
import { addInterval, createIntervalIndex, type IntervalIndex, intervalIndexBytes } from './intervals.ts';
import { foldByte, hashNumber, mix } from './ints.ts';
import { createSeverityWords, type SeverityWords } from './severity-words.ts';

/** Bits of `FieldIndex.asks`: which lookups an element of the field takes part in. */
export const asks = {
  text: 1,
  exact: 2,
  identifier: 4,
  severity: 8,
  prefix: 16,
  suffix: 32,
  contains: 64,
  cidr: 128,
  /** Numbers are kept for programs that compare them. */
  range: 256,
  /** Some intervals lead to rules. */
  intervals: 512,
  number: 1024,
} as const;

/** Lookups that need the folded text. */
export const foldedAsks = asks.text | asks.prefix | asks.suffix | asks.contains;

export interface FieldIndex {
  readonly id: number;
  readonly paths: readonly Path[];
  asks: number;
  readonly present: number;
  readonly null: number;
  readonly true: number;
  readonly false: number;
  /** Atoms of the ranks, -1 for those no rule names. */
  readonly severities: Int32Array;
  /** Distinct lengths in bytes, ascending. */
  prefixLengths: Int32Array;
  suffixLengths: Int32Array;
  contains: ContainsIndex | null;
  intervals: IntervalIndex | null;
  /** Distinct prefix lengths of networks, plus 1000 for IPv6. */
  networks: Int32Array;
}

export interface FieldTable {
  readonly atoms: AtomTable;
  readonly fields: FieldIndex[];
  readonly byKey: Map<string, FieldIndex>;
  /** Every path once; its index is the slot. */
  readonly slots: Path[];
  readonly slotByKey: Map<string, number>;
  readonly fieldsOfSlot: FieldIndex[][];
  readonly severityWords: SeverityWords;
  /** Those whose paths mean all texts below them. */
  readonly textsFields: FieldIndex[];
  /** Hash of UTF-8 with ASCII folded, the one of the elements. */
  readonly hashText: (text: Uint8Array) => number;
  readonly seed: number;
}

export function createFieldTable(
  hashText: (text: Uint8Array) => number,
  seed: number,
  like: FieldTable | null,
): FieldTable {
  return {
    atoms: createAtomTable(like?.atoms ?? null),
    fields: [],
    byKey: new Map(),
    slots: [],
    slotByKey: new Map(),
    fieldsOfSlot: [],
    severityWords: createSeverityWords(),
    textsFields: [],
    hashText,
    seed,
  };
}

/** The field of these paths; the same paths in any order are the same field. */
export function fieldOf(table: FieldTable, paths: readonly Path[]): FieldIndex {
  const keys = paths.map(pathKey);
  const key = keys.length === 1 ? (keys[0] as string) : [...new Set(keys)].sort().join('\n');
  const known = table.byKey.get(key);
  if (known !== undefined) return known;
  const distinct = new Map(paths.map((path, i) => [keys[i] as string, path]));
  const id = table.fields.length;
  const special = (sort: number): number => internBytes(table.atoms, id * 16 + sort, 0, noBytes);
  const field: FieldIndex = {
    id,
    paths,
    asks: 0,
    present: special(atomSort.present),
    null: special(atomSort.null),
    true: special(atomSort.true),
    false: special(atomSort.false),
    severities: new Int32Array(severities.length).fill(-1),
    prefixLengths: new Int32Array(0),
    suffixLengths: new Int32Array(0),
    contains: null,
    intervals: null,
    networks: new Int32Array(0),
  };
  table.byKey.set(key, field);
  table.fields.push(field);
  if (paths.some(({ root }) => root === 'texts')) table.textsFields.push(field);
  for (const [name, path] of distinct) {
    let slot = table.slotByKey.get(name);
    if (slot === undefined) {
      slot = table.slots.length;
      table.slots.push(path);
      table.slotByKey.set(name, slot);
      table.fieldsOfSlot.push([]);
    }
    (table.fieldsOfSlot[slot] as FieldIndex[]).push(field);
  }
  return field;
}

const noBytes = new Uint8Array(0);

function pathKey({ root, segments }: Path): string {
  return JSON.stringify(segments.length === 1 ? `${root}.${segments[0]}` : `${root}.${segments.join('.')}`);
}

/** The atom for a text in the form that its sort wants; null for a text that UTF-8 cannot say (half a surrogate pair). */
export function textAtom(
  table: FieldTable,
  field: FieldIndex,
  sort: 'text' | 'exact' | 'identifier',
  text: string,
): number | null {
  if (!text.isWellFormed()) return null;
  const bytes = Buffer.from(text);
  const stored = sort === 'identifier' ? bytes.map((byte) => foldByte[byte] as number) : bytes;
  field.asks |= asks[sort];
  return internBytes(table.atoms, field.id * 16 + atomSort[sort], table.hashText(bytes), stored);
}

/** The atom for a part of a text: folded, not empty. null as above. */
export function partAtom(
  table: FieldTable,
  field: FieldIndex,
  sort: 'prefix' | 'suffix' | 'contains',
  text: string,
): number | null {
  if (text === '' || !text.isWellFormed()) return null;
  const { atoms, seed } = table;
  const bytes = Buffer.from(text);
  const hash =
    sort === 'suffix'
      ? hashBackward(seed, bytes, 0, bytes.length)
      : hashForward(seed, bytes, 0, bytes.length);
  const known = atoms.size;
  const atom = internBytes(atoms, field.id * 16 + atomSort[sort], hash, bytes);
  if (atoms.size === known) return atom;
  field.asks |= asks[sort];
  if (sort === 'prefix') field.prefixLengths = withLength(field.prefixLengths, bytes.length);
  else if (sort === 'suffix') field.suffixLengths = withLength(field.suffixLengths, bytes.length);
  else {
    field.contains ??= createContainsIndex();
    addNeedle(field.contains, atom, bytes, 0, bytes.length);
  }
  return atom;
}

export function numberAtom(table: FieldTable, field: FieldIndex, value: number): number {
  field.asks |= asks.number;
  return internNumbers(table.atoms, field.id * 16 + atomSort.number, hashNumber(value), value);
}

export function severityAtom(table: FieldTable, field: FieldIndex, rank: number): number {
  field.asks |= asks.severity;
  const atom = internNumbers(table.atoms, field.id * 16 + atomSort.severity, rank, rank);
  field.severities[rank] = atom;
  return atom;
}

export const severityRanks = severities.length;

/** The atom of a closed interval. It becomes true in an event only once `watchInterval` was called for it. */
export function rangeAtom(table: FieldTable, field: FieldIndex, low: number, high: number): number {
  field.asks |= asks.range;
  const hash = mix(hashNumber(low), hashNumber(high));
  return internNumbers(table.atoms, field.id * 16 + atomSort.range, hash, low, high);
}

/** From now on elements are looked up among the intervals of the field, for an atom that leads to rules. */
export function watchInterval(table: FieldTable, atom: number): void {
  const { atoms } = table;
  const field = table.fields[(atoms.kind[atom] as number) >> 4] as FieldIndex;
  const at = atoms.offset[atom] as number;
  field.asks |= asks.intervals;
  field.intervals ??= createIntervalIndex();
  addInterval(field.intervals, atom, atoms.numbers[at] as number, atoms.numbers[at + 1] as number);
}

export function networkAtom(
  table: FieldTable,
  field: FieldIndex,
  network: { readonly family: 4 | 6; readonly address: ArrayLike<number>; readonly bits: number },
): number {
  const code = network.bits + (network.family === 6 ? 1000 : 0);
  field.asks |= asks.cidr;
  field.networks = withLength(field.networks, code);
  const bytes = Uint8Array.from([network.family, network.bits, ...Array.from(network.address)]);
  return internBytes(
    table.atoms,
    field.id * 16 + atomSort.cidr,
    hashNetwork(table.seed, bytes, bytes.length),
    bytes,
  );
}

/** Hash of family, prefix length and masked address: 6 or 18 bytes. */
export function hashNetwork(seed: number, bytes: Uint8Array, length: number): number {
  let hash = seed;
  for (let i = 0; i < length; i += 2)
    hash = Math.imul(hash ^ (((bytes[i] as number) << 8) | (bytes[i + 1] as number)), 0x9e3779b1);
  return hash;
}

/** Running hash of folded bytes: that of a longer prefix goes on from that of a shorter one. */
export function hashForward(from: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = from;
  for (let i = start; i < end; i++)
    hash = Math.imul(hash ^ (foldByte[bytes[i] as number] as number), 0x01000193);
  return hash;
}

/** As `hashForward`, from the end to the beginning. */
export function hashBackward(from: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = from;
  for (let i = end - 1; i >= start; i--)
    hash = Math.imul(hash ^ (foldByte[bytes[i] as number] as number), 0x01000193);
  return hash;
}

export function fieldTableBytes({ fields }: FieldTable): number {
  let bytes = 0;
  for (const { contains, intervals } of fields)
    bytes +=
      (contains === null ? 0 : containsIndexBytes(contains)) +
      (intervals === null ? 0 : intervalIndexBytes(intervals));
  return bytes;
}

function withLength(lengths: Int32Array, length: number): Int32Array {
  return lengths.includes(length) ? lengths : Int32Array.of(...lengths, length).sort();
}
