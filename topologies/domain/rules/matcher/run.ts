// What is known of the event at hand: its true atoms, the numbers of its fields, and the answers of programs.
//
// Invariant: nothing is cleared between events; an entry counts only when it carries the number of this event (`epoch`).
import { type Elements, elementKind } from '@tocsin/schemas/codecs/scan/elements.ts';
import type { MatchContext } from '../context.ts';
import type { Subject } from '../path.ts';
import type { Exotics } from './exotics.ts';
import type { FieldIndex, FieldTable } from './fields.ts';
import { grownDoubles, grownInts } from './ints.ts';
import { type ProgramTable, programOp } from './programs.ts';

/** Elements by slot, whoever found them: the scanner, or a walk through parsed values. */
export interface ElementSource {
  readonly elements: Elements;
  /** Text of string entry `index`. */
  text(index: number): string;
}

export interface Run {
  epoch: number;
  /** True atoms of this event, each once. */
  trueAtoms: Int32Array;
  trueCount: number;
  /** By field: event in which it was seen, elements, last true atom that leads to rules + 1, last number + 1; those atoms. */
  seen: Int32Array;
  elements: Int32Array;
  lastTrue: Int32Array;
  lastNumber: Int32Array;
  trueByField: Int32Array;
  numbers: Float64Array;
  nextNumber: Int32Array;
  numberCount: number;
  /** Elements, bytes, needles, candidates and numbers looked at: what bounds on work are tested with. */
  work: number;
  context: MatchContext;
  source: ElementSource;
  fieldsOf: readonly (readonly FieldIndex[])[];
  /** By field, made when a test outside the tables first asks: the event they belong to, and its elements as values. */
  valued: Int32Array;
  readonly values: unknown[][];
  /** The parsed event, made when a test first asks that needs more than the elements of its field. */
  parse: () => Subject;
  subject: Subject | null;
}

const noElements: Elements = {
  count: 0,
  slot: new Int32Array(0),
  kind: new Uint8Array(0),
  flags: new Uint8Array(0),
  start: new Int32Array(0),
  end: new Int32Array(0),
  hash: new Int32Array(0),
  owner: new Int32Array(0),
  value: new Float64Array(0),
  memory: Buffer.alloc(0),
};

const noSubject = (): never => {
  throw new Error('no event is being matched');
};

export function createRun(): Run {
  return {
    epoch: 0,
    trueAtoms: new Int32Array(64),
    trueCount: 0,
    seen: new Int32Array(16),
    elements: new Int32Array(16),
    lastTrue: new Int32Array(16),
    lastNumber: new Int32Array(16),
    trueByField: new Int32Array(16),
    numbers: new Float64Array(16),
    nextNumber: new Int32Array(16),
    numberCount: 0,
    work: 0,
    context: { now: 0, lists: new Map() },
    source: { elements: noElements, text: () => '' },
    fieldsOf: [],
    valued: new Int32Array(16),
    values: [],
    parse: noSubject,
    subject: null,
  };
}

/** Event numbers end below 2^30, since twice the number must fit; then everything that carries one is cleared. */
const lastEpoch = 2 ** 30 - 1;

export function beginEvent(run: Run, table: FieldTable, programs: ProgramTable): void {
  if (run.epoch >= lastEpoch) {
    run.epoch = 0;
    run.seen.fill(0);
    run.valued.fill(0);
    table.atoms.epoch.fill(0);
    programs.memo.fill(0);
  }
  run.epoch += 1;
  run.trueCount = 0;
  run.numberCount = 0;
  run.subject = null;
  if (run.seen.length < table.fields.length)
    for (const name of ['seen', 'valued', 'elements', 'lastTrue', 'lastNumber', 'trueByField'] as const)
      run[name] = grownInts(run[name], table.fields.length);
}

/** The atom is true in this event. */
export function hit(run: Run, table: FieldTable, field: number, atom: number): void {
  const { atoms } = table;
  if (atoms.epoch[atom] === run.epoch) return;
  atoms.epoch[atom] = run.epoch;
  if (run.trueCount === run.trueAtoms.length) run.trueAtoms = grownInts(run.trueAtoms, run.trueCount + 1);
  run.trueAtoms[run.trueCount] = atom;
  run.trueCount += 1;
  if (atoms.bucket[atom] === 0) return;
  atoms.nextTrue[atom] = run.lastTrue[field] as number;
  run.lastTrue[field] = atom + 1;
  (run.trueByField[field] as number) += 1;
}

/** The field is there; call it before anything else that concerns the field. */
export function see(run: Run, table: FieldTable, field: FieldIndex): void {
  const { id } = field;
  if (run.seen[id] === run.epoch) return;
  run.seen[id] = run.epoch;
  run.elements[id] = 0;
  run.lastTrue[id] = 0;
  run.lastNumber[id] = 0;
  run.trueByField[id] = 0;
  hit(run, table, id, field.present);
}

export function keepNumber(run: Run, field: number, value: number): void {
  const at = run.numberCount;
  if (at === run.nextNumber.length) {
    run.numbers = grownDoubles(run.numbers, at + 1);
    run.nextNumber = grownInts(run.nextNumber, run.numbers.length);
  }
  run.numbers[at] = value;
  run.nextNumber[at] = run.lastNumber[field] as number;
  run.lastNumber[field] = at + 1;
  run.numberCount += 1;
}

/** Whether the operand holds for this event. */
export function holds(
  run: Run,
  table: FieldTable,
  programs: ProgramTable,
  exotics: Exotics,
  operand: number,
): boolean {
  if (operand < 0) return table.atoms.epoch[~operand] === run.epoch;
  if (operand < 2) return operand === 0;
  const memo = programs.memo[operand] as number;
  if (memo >> 1 === run.epoch) return (memo & 1) === 1;
  const result = evaluate(run, table, programs, exotics, operand);
  programs.memo[operand] = run.epoch * 2 + (result ? 1 : 0);
  return result;
}

function evaluate(
  run: Run,
  table: FieldTable,
  programs: ProgramTable,
  exotics: Exotics,
  program: number,
): boolean {
  const { pool } = programs;
  const at = programs.start[program] as number;
  const head = pool[at] as number;
  const end = at + (head >>> 3);
  const first = pool[at + 1] as number;
  switch (head & 7) {
    case programOp.all:
      for (let i = at + 1; i <= end; i++)
        if (!holds(run, table, programs, exotics, pool[i] as number)) return false;
      return true;
    case programOp.any:
      return holdsAny(run, table, programs, exotics, at + 1, end);
    case programOp.not:
      return !holds(run, table, programs, exotics, first);
    case programOp.range:
      return hasNumber(run, table, first, pool[at + 2] as number);
    default: {
      const field = pool[at + 2] as number;
      if ((head & 7) === programOp.together && run.seen[field] === run.epoch && run.elements[field] === 1)
        return true;
      return exotics.holds(first, run, field);
    }
  }
}

// A list of thousands of values is searched for the few true atoms rather than the other way round. Operands are sorted:
// atoms first.
function holdsAny(
  run: Run,
  table: FieldTable,
  programs: ProgramTable,
  exotics: Exotics,
  from: number,
  to: number,
): boolean {
  const { pool } = programs;
  let i = from;
  if (to - from > 16 && (to - from) >> 4 > run.trueCount) {
    for (let t = 0; t < run.trueCount; t++) {
      const wanted = ~(run.trueAtoms[t] as number);
      let low = from;
      let high = to;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((pool[middle] as number) < wanted) low = middle + 1;
        else high = middle;
      }
      if (pool[low] === wanted) return true;
    }
    while (i <= to && (pool[i] as number) < 0) i++;
  }
  for (; i <= to; i++) if (holds(run, table, programs, exotics, pool[i] as number)) return true;
  return false;
}

function hasNumber(run: Run, table: FieldTable, field: number, atom: number): boolean {
  if (run.seen[field] !== run.epoch) return false;
  const { numbers, offset } = table.atoms;
  const low = numbers[offset[atom] as number] as number;
  const high = numbers[(offset[atom] as number) + 1] as number;
  for (let entry = run.lastNumber[field] as number; entry !== 0; ) {
    const value = run.numbers[entry - 1] as number;
    run.work += 1;
    if (low <= value && value <= high) return true;
    entry = run.nextNumber[entry - 1] as number;
  }
  return false;
}

/** The event as values. */
export function subjectOf(run: Run): Subject {
  run.subject ??= run.parse();
  return run.subject;
}

/** The elements of a field as values; null when it is absent. Objects are there as one without members. */
export function valuesOf(run: Run, field: number): readonly unknown[] | null {
  if (run.seen[field] !== run.epoch) return null;
  if (run.valued[field] === run.epoch) return run.values[field] as unknown[];
  const values: unknown[] = [];
  const { elements } = run.source;
  run.work += elements.count;
  for (let i = 0; i < elements.count; i++) {
    if (!run.fieldsOf[elements.slot[i] as number]?.some(({ id }) => id === field)) continue;
    const kind = elements.kind[i] as number;
    if (kind !== elementKind.emptyList) values.push(valueAt(run.source, i, kind));
  }
  run.valued[field] = run.epoch;
  run.values[field] = values;
  return values;
}

const someObject: unknown = Object.freeze({});

function valueAt(source: ElementSource, index: number, kind: number): unknown {
  switch (kind) {
    case elementKind.string:
      return source.text(index);
    case elementKind.number:
      return source.elements.value[index];
    case elementKind.null:
      return null;
    case elementKind.object:
      return someObject;
    default:
      return kind === elementKind.true;
  }
}
