// The conditions of all rules as one shared graph of small programs in integers.
//
// Invariant: equal programs have one number, so that each is evaluated at most once for an event, however many rules use it. An
// operand below 0 is the atom ~operand; any other is a program. Programs 0 and 1 are true and false.
// Surprise: nothing is kept of a rule but these numbers; closures or trees for each rule would cost kilobytes.
import { grownInts, mix, roomFor, slotsFor, spread } from './ints.ts';

export const programOp = {
  /** Operands, sorted: all or any hold. */
  all: 0,
  any: 1,
  /** One operand, which does not hold. */
  not: 2,
  /** Field, atom of a range: a number of the field lies within. */
  range: 3,
  /** Number of a test outside the tables, field: asked only when everything cheaper holds. */
  exotic: 4,
  /** As exotic, but true without asking when the field has one element: its tests were then all on that one. */
  together: 5,
} as const;

export const always = 0;
export const never = 1;

export interface ProgramTable {
  size: number;
  /** Place of each program in `pool`: op + 8 * operands, then the operands. */
  start: Int32Array;
  /** Twice the number of the last event it was evaluated for, plus 1 if it held. */
  memo: Int32Array;
  pool: Int32Array;
  used: number;
  /** Open addressing: program + 1. */
  slots: Int32Array;
}

/** Empty, with room for as much as `like` holds. */
export function createProgramTable(like: ProgramTable | null): ProgramTable {
  const room = roomFor(like?.size ?? 0, 16);
  return {
    size: 2,
    start: new Int32Array(room),
    memo: new Int32Array(room),
    pool: new Int32Array(roomFor(like?.used ?? 0, 64)),
    // The first two words are those of the constants, which nobody reads.
    used: 2,
    slots: new Int32Array(slotsFor(like?.size ?? 0, 64)),
  };
}

/** All of the operands; nested alls are opened, constants are resolved. */
export function allOf(programs: ProgramTable, operands: readonly number[]): number {
  return gather(programs, programOp.all, operands, always, never);
}

export function anyOf(programs: ProgramTable, operands: readonly number[]): number {
  return gather(programs, programOp.any, operands, never, always);
}

export function negated(programs: ProgramTable, operand: number): number {
  if (operand === always) return never;
  if (operand === never) return always;
  if (opOf(programs, operand) === programOp.not) return operandsOf(programs, operand)[0] as number;
  return intern(programs, programOp.not, [operand]);
}

/** One of programOp, or -1 for atoms and constants. */
export function opOf({ start, pool }: ProgramTable, operand: number): number {
  return operand < 2 ? -1 : (pool[start[operand] as number] as number) & 7;
}

export function operandsOf({ start, pool }: ProgramTable, program: number): Int32Array {
  const at = start[program] as number;
  return pool.subarray(at + 1, at + 1 + ((pool[at] as number) >>> 3));
}

/** The program of these words, made when it is new. */
export function intern(programs: ProgramTable, op: number, operands: readonly number[]): number {
  const hash = hashOf(op, operands);
  let at = hash & (programs.slots.length - 1);
  for (; programs.slots[at] !== 0; at = (at + 1) & (programs.slots.length - 1)) {
    const program = (programs.slots[at] as number) - 1;
    if (isSame(programs, program, op, operands)) return program;
  }
  const program = programs.size;
  programs.size += 1;
  programs.start = grownInts(programs.start, program + 1);
  programs.memo = grownInts(programs.memo, program + 1);
  programs.pool = grownInts(programs.pool, programs.used + 1 + operands.length);
  programs.start[program] = programs.used;
  programs.pool[programs.used] = op + 8 * operands.length;
  programs.pool.set(operands, programs.used + 1);
  programs.used += 1 + operands.length;
  programs.slots[at] = program + 1;
  if (programs.size * 3 > programs.slots.length * 2) rehash(programs);
  return program;
}

export function programTableBytes({ start, memo, pool, slots }: ProgramTable): number {
  return start.byteLength + memo.byteLength + pool.byteLength + slots.byteLength;
}

function gather(
  programs: ProgramTable,
  op: number,
  operands: readonly number[],
  neutral: number,
  absorbing: number,
): number {
  const gathered: number[] = [];
  for (const operand of operands) {
    if (operand === absorbing) return absorbing;
    if (operand === neutral) continue;
    if (opOf(programs, operand) === op) gathered.push(...operandsOf(programs, operand));
    else gathered.push(operand);
  }
  if (gathered.length === 0) return neutral;
  if (gathered.length === 1) return gathered[0] as number;
  // Atoms come first, as negative numbers: reading one is cheaper than evaluating a program. Tests outside the tables come last.
  const last = (operand: number): number => (opOf(programs, operand) >= programOp.exotic ? 1 : 0);
  gathered.sort((a, b) => last(a) - last(b) || a - b);
  const distinct = gathered.filter((operand, i) => i === 0 || operand !== gathered[i - 1]);
  return distinct.length === 1 ? (distinct[0] as number) : intern(programs, op, distinct);
}

function hashOf(op: number, operands: ArrayLike<number>): number {
  let hash = spread(op + 1);
  for (let i = 0; i < operands.length; i++) hash = mix(hash, operands[i] as number);
  return hash;
}

function isSame(
  { start, pool }: ProgramTable,
  program: number,
  op: number,
  operands: readonly number[],
): boolean {
  const at = start[program] as number;
  if (pool[at] !== op + 8 * operands.length) return false;
  for (let i = 0; i < operands.length; i++) if (pool[at + 1 + i] !== operands[i]) return false;
  return true;
}

function rehash(programs: ProgramTable): void {
  const slots = new Int32Array(programs.slots.length * 2);
  const mask = slots.length - 1;
  for (let program = 2; program < programs.size; program++) {
    let at = hashOf(opOf(programs, program), operandsOf(programs, program)) & mask;
    while (slots[at] !== 0) at = (at + 1) & mask;
    slots[at] = program + 1;
  }
  programs.slots = slots;
}
