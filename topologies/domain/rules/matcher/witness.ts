// What a rule is found by: atoms of which at least one is true whenever the rule holds, as seldom as possible.
//
// Invariant: if the program holds for an event, one of the atoms of its witness is true there. No witness is better than a wrong
// one: what holds through the absence of something has none.
import { type AtomTable, atomSort } from './atoms.ts';
import { operandsOf, opOf, type ProgramTable, programOp } from './programs.ts';

/** A longer list of keys would cost more memory than it saves time. */
const mostKeys = 20_000;

/**
 * Estimate of the share of events in which an atom of the cheapest witness is true; infinite when there is no witness.
 * `keysOf` gives the atoms.
 */
export function witnessCost(atoms: AtomTable, programs: ProgramTable, operand: number): number {
  if (operand < 0) return shareOf(atoms, ~operand);
  if (operand < 2) return Number.POSITIVE_INFINITY;
  const { pool } = programs;
  const at = programs.start[operand] as number;
  const head = pool[at] as number;
  const end = at + (head >>> 3);
  switch (head & 7) {
    case programOp.range:
      return shareOf(atoms, pool[at + 2] as number);
    case programOp.all: {
      let least = Number.POSITIVE_INFINITY;
      for (let i = at + 1; i <= end; i++)
        least = Math.min(least, witnessCost(atoms, programs, pool[i] as number));
      return least;
    }
    case programOp.any: {
      if (end - at > mostKeys) return Number.POSITIVE_INFINITY;
      let sum = 0;
      for (let i = at + 1; i <= end; i++) sum += witnessCost(atoms, programs, pool[i] as number);
      return sum;
    }
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** The keys of the cheapest witness, added to `keys`: atoms as operands, or programs that are one range. */
export function keysOf(atoms: AtomTable, programs: ProgramTable, operand: number, keys: number[]): number[] {
  if (operand < 0 || opOf(programs, operand) === programOp.range) {
    if (!keys.includes(operand)) keys.push(operand);
    return keys;
  }
  const parts = operandsOf(programs, operand);
  if (opOf(programs, operand) === programOp.any) {
    if (isKeys(programs, operand) && keys.length === 0) keys.push(...parts);
    else for (const part of parts) keysOf(atoms, programs, part, keys);
    return keys;
  }
  let best = parts[0] as number;
  for (const part of parts)
    if (witnessCost(atoms, programs, part) < witnessCost(atoms, programs, best)) best = part;
  return keysOf(atoms, programs, best, keys);
}

/** Whether the operand is one key, or one of several: then a true key is all of it. */
export function isKeys(programs: ProgramTable, operand: number): boolean {
  const op = opOf(programs, operand);
  if (operand < 0 || op === programOp.range) return true;
  if (op !== programOp.any) return false;
  const { pool } = programs;
  const at = programs.start[operand] as number;
  for (let i = at + 1; i <= at + ((pool[at] as number) >>> 3); i++) {
    const part = pool[i] as number;
    if (part >= 0 && opOf(programs, part) !== programOp.range) return false;
  }
  return true;
}

/** The atom of a key. */
export function atomOfKey({ start, pool }: ProgramTable, key: number): number {
  return key < 0 ? ~key : (pool[(start[key] as number) + 2] as number);
}

/** Whether something of the field is there whenever the operand holds. */
export function needsPresence(programs: ProgramTable, operand: number): boolean {
  if (operand < 0) return true;
  switch (opOf(programs, operand)) {
    case programOp.range:
      return true;
    case programOp.all:
      return operandsOf(programs, operand).some((part) => needsPresence(programs, part));
    case programOp.any:
      return operandsOf(programs, operand).every((part) => needsPresence(programs, part));
    default:
      return false;
  }
}

/**
 * Estimate of the share of events that make the atom true: the more values rules tell apart in a field, the rarer is
 * each of them; parts of texts by their length; numbers by how much their bounds leave open.
 */
function shareOf(atoms: AtomTable, atom: number): number {
  const kind = atoms.kind[atom] as number;
  const distinct = atoms.distinct[kind] as number;
  const length = atoms.length[atom] as number;
  switch (kind & 15) {
    case atomSort.present:
      return 0.95;
    case atomSort.null:
    case atomSort.true:
    case atomSort.false:
      return 0.5;
    case atomSort.severity:
      return 0.25;
    case atomSort.range: {
      const offset = atoms.offset[atom] as number;
      const bounded =
        Number.isFinite(atoms.numbers[offset]) && Number.isFinite(atoms.numbers[offset + 1] as number);
      return bounded ? 0.3 : 0.5;
    }
    case atomSort.prefix:
    case atomSort.suffix:
    case atomSort.contains:
      return 1 / ((1 + distinct) * (1 + Math.min(length, 32) / 8));
    case atomSort.cidr: {
      const offset = atoms.offset[atom] as number;
      const bits = atoms.bytes[offset + 1] as number;
      return Math.max(2 ** (-bits / 2), 1 / (2 + distinct));
    }
    default:
      return 1 / (1 + distinct);
  }
}
