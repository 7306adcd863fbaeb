// What a rule is found by: atoms of which at least one is true whenever the rule holds, as seldom as possible.
//
// Invariant: if the program holds for an event, one of the atoms of its witness is true there. No witness is better than a wrong
// one: what holds through the absence of something has none.
import { type AtomTable, atomSort } from './atoms.ts';
import { operandsOf, opOf, type ProgramTable, programOp } from './programs.ts';

export interface Witness {
  /** Operands: atoms, or programs that are one range. */
  readonly keys: readonly number[];
  /** Estimate of the share of events in which one of them is true. */
  readonly cost: number;
}

/** A longer list of keys would cost more memory than it saves time. */
const mostKeys = 20_000;

/** The cheapest witness of a program; null when it has none. */
export function witnessOf(atoms: AtomTable, programs: ProgramTable, operand: number): Witness | null {
  if (operand < 0) return { keys: [operand], cost: shareOf(atoms, ~operand) };
  switch (opOf(programs, operand)) {
    case programOp.range:
      return { keys: [operand], cost: shareOf(atoms, operandsOf(programs, operand)[1] as number) };
    case programOp.all: {
      let best: Witness | null = null;
      for (const part of operandsOf(programs, operand)) {
        const witness = witnessOf(atoms, programs, part);
        if (witness !== null && (best === null || witness.cost < best.cost)) best = witness;
      }
      return best;
    }
    case programOp.any: {
      const keys = new Set<number>();
      let cost = 0;
      for (const part of operandsOf(programs, operand)) {
        const witness = witnessOf(atoms, programs, part);
        if (witness === null) return null;
        for (const key of witness.keys) keys.add(key);
        cost += witness.cost;
        if (keys.size > mostKeys) return null;
      }
      return { keys: [...keys], cost };
    }
    default:
      return null;
  }
}

/** Whether the operand is one key, or one of several: then a true key is all of it. */
export function isKeys(programs: ProgramTable, operand: number): boolean {
  if (operand < 0) return true;
  const op = opOf(programs, operand);
  if (op === programOp.range) return true;
  return op === programOp.any && operandsOf(programs, operand).every((part) => isKeys(programs, part));
}

/** The atom of a key. */
export function atomOfKey(programs: ProgramTable, key: number): number {
  return key < 0 ? ~key : (operandsOf(programs, key)[1] as number);
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
