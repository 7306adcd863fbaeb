// Rules by witness: a bucket holds the rules that one true atom calls up, and smaller buckets for a second atom beside it.
//
// Invariant: a rule stands in at least one bucket that is reached in every event for which it holds; what is left to check is the
// program beside it, from which the conditions that led there are taken out.
// Surprise: a bucket that grows is split by a further field, so that rules which share "event is finding.new and severity is
// critical" and differ in a tag are told apart by the tag and cost nothing otherwise.
import type { AtomTable } from './atoms.ts';
import { type FieldTable, watchInterval } from './fields.ts';
import { grownInts, mix, roomFor, slotsFor } from './ints.ts';
import { allOf, operandsOf, opOf, type ProgramTable, programOp } from './programs.ts';
import { atomOfKey, isKeys, keysOf, witnessCost } from './witness.ts';

export interface BucketTable {
  size: number;
  /** Of each bucket: place of its rules, rules, room, first split + 1. */
  buckets: Int32Array;
  /** Of each bucket below another: atom, next one below the same + 1, depth. */
  below: Int32Array;
  /** Pairs of rule and program that is left to check. */
  entries: Int32Array;
  used: number;
  /** Free places of 2^n pairs, each leading to the next; first + 1 by n. */
  free: Int32Array;
  /** Of each split: field, children, first child + 1, next split + 1. */
  splits: Int32Array;
  splitCount: number;
  /** Open addressing: parent, atom, child. 0 in the last word means free. */
  children: Int32Array;
  childCount: number;
  /** Bit of a range atom that elements are looked up for. */
  watched: Int32Array;
  /** Rules in the bucket that every event reaches. */
  unwitnessed: number;
}

export const bucketStride = 4;
export const belowStride = 3;
export const splitStride = 4;

/** Rules in one bucket before it is worth telling them apart by another field. */
const crowded = 12;
/** Keys under which one rule may be split; more would multiply its entries. */
const mostSplitKeys = 4;
/** Fields that one bucket is split by, and splits below one another. */
const mostSplits = 6;
const deepest = 4;

/** Empty, with room for as much as `like` holds. */
export function createBucketTable(like: BucketTable | null): BucketTable {
  return {
    // Bucket 0 is the one that every event reaches.
    size: 1,
    buckets: new Int32Array(bucketStride * roomFor(like?.size ?? 0, 16)),
    below: new Int32Array(belowStride * roomFor(like?.size ?? 0, 16)),
    entries: new Int32Array(2 * roomFor(like?.used ?? 0, 32)),
    used: 0,
    free: new Int32Array(32),
    splits: new Int32Array(splitStride * roomFor(like?.splitCount ?? 0, 4)),
    splitCount: 0,
    children: new Int32Array(3 * slotsFor(like?.childCount ?? 0, 16)),
    childCount: 0,
    watched: new Int32Array(16),
    unwitnessed: 0,
  };
}

/** Files `rule`, which holds when `operand` does. */
export function fileRule(
  table: BucketTable,
  fields: FieldTable,
  programs: ProgramTable,
  rule: number,
  operand: number,
): void {
  // One of several: each is filed by what it needs itself.
  if (opOf(programs, operand) === programOp.any && !isKeys(programs, operand)) {
    const parts = [...operandsOf(programs, operand)];
    if (
      parts.length <= 64 &&
      parts.every((part) => Number.isFinite(witnessCost(fields.atoms, programs, part)))
    ) {
      for (const part of parts) fileRule(table, fields, programs, rule, part);
      return;
    }
  }
  const choice = choose(fields.atoms, programs, operand, null);
  if (choice === null) {
    table.unwitnessed += 1;
    addEntry(table, 0, rule, operand);
    return;
  }
  for (const key of choice.keys) {
    const atom = keyAtom(table, fields, programs, key);
    let bucket = fields.atoms.bucket[atom] as number;
    if (bucket <= 0) {
      bucket = newBucket(table, atom);
      fields.atoms.bucket[atom] = bucket;
    }
    enter(table, fields, programs, bucket, rule, choice.rest);
  }
}

export function childOf({ children }: BucketTable, parent: number, atom: number): number {
  const slots = children.length / 3;
  for (let slot = mix(parent, atom) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
    const child = children[3 * slot + 2] as number;
    if (child === 0 || (children[3 * slot] === parent && children[3 * slot + 1] === atom)) return child;
  }
}

export function bucketTableBytes(table: BucketTable): number {
  const { buckets, below, entries, splits, children, watched } = table;
  return [buckets, below, entries, splits, children, watched].reduce(
    (sum, array) => sum + array.byteLength,
    0,
  );
}

/** In the place of the bucket of an atom that has none of its own, only some below those of others. */
const onlyBelow = -1;

interface Choice {
  readonly keys: readonly number[];
  readonly cost: number;
  /** What is left to check when one of the keys is true. */
  readonly rest: number;
}

/** The cheapest witness; with `field`, one of that field alone with few keys. */
function choose(
  atoms: AtomTable,
  programs: ProgramTable,
  operand: number,
  field: number | null,
): Choice | null {
  const parts = opOf(programs, operand) === programOp.all ? operandsOf(programs, operand).slice() : null;
  let best = operand;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < (parts?.length ?? 1); i++) {
    const part = parts === null ? operand : (parts[i] as number);
    const cost = witnessCost(atoms, programs, part);
    if (cost >= least || (field !== null && splitField(atoms, programs, part) !== field)) continue;
    least = cost;
    best = part;
  }
  if (least === Number.POSITIVE_INFINITY) return null;
  const keys = keysOf(atoms, programs, best, []);
  if (!isKeys(programs, best)) return { keys, cost: least, rest: operand };
  const others = parts === null ? [] : [...parts].filter((part) => part !== best);
  return { keys, cost: least, rest: allOf(programs, others) };
}

/** The field that all keys of an operand have in common, if it is nothing but a few keys; otherwise -1. */
function splitField(atoms: AtomTable, programs: ProgramTable, operand: number): number {
  if (!isKeys(programs, operand)) return -1;
  if (operand < 0 || opOf(programs, operand) === programOp.range)
    return (atoms.kind[atomOfKey(programs, operand)] as number) >> 4;
  const { start, pool } = programs;
  const at = start[operand] as number;
  const count = (pool[at] as number) >>> 3;
  if (count > mostSplitKeys) return -1;
  let field = -1;
  for (let i = at + 1; i <= at + count; i++) {
    const one = (atoms.kind[atomOfKey(programs, pool[i] as number)] as number) >> 4;
    if (field !== -1 && field !== one) return -1;
    field = one;
  }
  return field;
}

function keyAtom(table: BucketTable, fields: FieldTable, programs: ProgramTable, key: number): number {
  const atom = atomOfKey(programs, key);
  if (key >= 0) {
    table.watched = grownInts(table.watched, (atom >> 5) + 1);
    const word = table.watched[atom >> 5] as number;
    if ((word & (1 << (atom & 31))) === 0) {
      table.watched[atom >> 5] = word | (1 << (atom & 31));
      watchInterval(fields, atom);
    }
  }
  return atom;
}

function enter(
  table: BucketTable,
  fields: FieldTable,
  programs: ProgramTable,
  bucket: number,
  rule: number,
  rest: number,
): void {
  const split = table.buckets[bucket * bucketStride + 3] as number;
  if (split !== 0 && enterSplit(table, fields, programs, bucket, split, rule, rest)) return;
  addEntry(table, bucket, rule, rest);
  const count = table.buckets[bucket * bucketStride + 1] as number;
  // Tried again only when the number has doubled, so that rules without a further field cost little.
  if (count > crowded && (count & (count - 1)) === 0) splitBucket(table, fields, programs, bucket);
}

/** Files the rule under one of the fields that the bucket is split by; false when it says nothing about them. */
function enterSplit(
  table: BucketTable,
  fields: FieldTable,
  programs: ProgramTable,
  bucket: number,
  firstSplit: number,
  rule: number,
  rest: number,
): boolean {
  for (let split = firstSplit; split !== 0; split = table.splits[(split - 1) * splitStride + 3] as number) {
    const field = table.splits[(split - 1) * splitStride] as number;
    const choice = choose(fields.atoms, programs, rest, field);
    if (choice === null || choice.cost > 0.9) continue;
    for (const key of choice.keys) {
      const atom = keyAtom(table, fields, programs, key);
      const child = childOf(table, bucket, atom) || newChild(table, bucket, split - 1, atom);
      if (fields.atoms.bucket[atom] === 0) fields.atoms.bucket[atom] = onlyBelow;
      enter(table, fields, programs, child, rule, choice.rest);
    }
    return true;
  }
  return false;
}

/** Moves rules that say something about a further field below it, for as many fields as are worth it. */
function splitBucket(table: BucketTable, fields: FieldTable, programs: ProgramTable, bucket: number): void {
  const at = bucket * bucketStride;
  if ((table.below[bucket * belowStride + 2] as number) >= deepest) return;
  let splits = 0;
  for (
    let s = table.buckets[at + 3] as number;
    s !== 0;
    s = table.splits[(s - 1) * splitStride + 3] as number
  )
    splits += 1;
  for (; splits < mostSplits; splits++) {
    const field = bestField(table, fields, programs, bucket);
    if (field === null) return;
    const split = table.splitCount;
    table.splitCount += 1;
    table.splits = grownInts(table.splits, table.splitCount * splitStride);
    table.splits.set([field, 0, 0, table.buckets[at + 3] as number], split * splitStride);
    table.buckets[at + 3] = split + 1;
    const start = table.buckets[at] as number;
    const count = table.buckets[at + 1] as number;
    const moved = table.entries.slice(2 * start, 2 * (start + count));
    table.buckets[at + 1] = 0;
    for (let i = 0; i < moved.length; i += 2) {
      const rule = moved[i] as number;
      const rest = moved[i + 1] as number;
      if (!enterSplit(table, fields, programs, bucket, split + 1, rule, rest))
        addEntry(table, bucket, rule, rest);
    }
  }
}

/** The field that spares most candidates; null when none spares a good part. */
function bestField(
  table: BucketTable,
  fields: FieldTable,
  programs: ProgramTable,
  bucket: number,
): number | null {
  const at = bucket * bucketStride;
  const start = table.buckets[at] as number;
  const count = table.buckets[at + 1] as number;
  const gains = new Map<number, number>();
  for (let i = start; i < start + count; i++) {
    const rest = table.entries[2 * i + 1] as number;
    const parts = opOf(programs, rest) === programOp.all ? operandsOf(programs, rest) : [rest];
    for (const part of parts) {
      const field = splitField(fields.atoms, programs, part);
      const cost = field === -1 ? 1 : witnessCost(fields.atoms, programs, part);
      if (cost <= 0.8) gains.set(field, (gains.get(field) ?? 0) + 1 - cost);
    }
  }
  let best: number | null = null;
  let most = crowded / 2;
  for (const [field, gain] of gains) if (gain > most) [best, most] = [field, gain];
  return best;
}

function newBucket(table: BucketTable, atom: number): number {
  const bucket = table.size;
  table.size += 1;
  table.buckets = grownInts(table.buckets, table.size * bucketStride);
  table.below = grownInts(table.below, table.size * belowStride);
  table.below[bucket * belowStride] = atom;
  return bucket;
}

function newChild(table: BucketTable, parent: number, split: number, atom: number): number {
  const child = newBucket(table, atom);
  const at = split * splitStride;
  table.below[child * belowStride + 1] = table.splits[at + 2] as number;
  table.below[child * belowStride + 2] = (table.below[parent * belowStride + 2] as number) + 1;
  table.splits[at + 2] = child + 1;
  (table.splits[at + 1] as number) += 1;
  table.childCount += 1;
  if (table.childCount * 3 > (table.children.length / 3) * 2) growChildren(table);
  placeChild(table.children, parent, atom, child);
  return child;
}

function placeChild(children: Int32Array, parent: number, atom: number, child: number): void {
  const slots = children.length / 3;
  let slot = mix(parent, atom) & (slots - 1);
  while (children[3 * slot + 2] !== 0) slot = (slot + 1) & (slots - 1);
  children[3 * slot] = parent;
  children[3 * slot + 1] = atom;
  children[3 * slot + 2] = child;
}

function growChildren(table: BucketTable): void {
  const old = table.children;
  table.children = new Int32Array(old.length * 2);
  for (let i = 0; i < old.length; i += 3)
    if (old[i + 2] !== 0)
      placeChild(table.children, old[i] as number, old[i + 1] as number, old[i + 2] as number);
}

function addEntry(table: BucketTable, bucket: number, rule: number, rest: number): void {
  const at = bucket * bucketStride;
  const count = table.buckets[at + 1] as number;
  const room = table.buckets[at + 2] as number;
  if (count === room) move(table, at, count, Math.max(1, room * 2));
  const entry = 2 * ((table.buckets[at] as number) + count);
  table.entries[entry] = rule;
  table.entries[entry + 1] = rest;
  table.buckets[at + 1] = count + 1;
}

/** Gives the bucket at `at` a place for `room` pairs, and its old place to whoever needs one of that size. */
function move(table: BucketTable, at: number, count: number, room: number): void {
  const from = table.buckets[at] as number;
  const size = 31 - Math.clz32(room);
  let to = (table.free[size] as number) - 1;
  if (to >= 0) table.free[size] = table.entries[2 * to] as number;
  else {
    to = table.used;
    table.used += room;
    table.entries = grownInts(table.entries, 2 * table.used);
  }
  table.entries.copyWithin(2 * to, 2 * from, 2 * (from + count));
  if (count > 0) {
    table.entries[2 * from] = table.free[size - 1] as number;
    table.free[size - 1] = from + 1;
  }
  table.buckets[at] = to;
  table.buckets[at + 2] = room;
}
