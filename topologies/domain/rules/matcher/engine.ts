// The rules of one source as tables: rules are added under numbers, and an event gives the set of numbers that hold.
//
// Invariant: the numbers that come out are exactly those whose condition holds for the elements and the subject. Work for an event
// follows its bytes, its true atoms and the rules they call up, not the number of rules.
// Surprise: rules are only added here; who removes one ignores its number and sooner or later builds the tables anew.
import type { Condition } from '../condition.ts';
import type { MatchContext } from '../context.ts';
import type { Subject } from '../path.ts';
import { atomTableBytes } from './atoms.ts';
import {
  type BucketTable,
  belowStride,
  bucketStride,
  bucketTableBytes,
  childOf,
  createBucketTable,
  fileRule,
  splitStride,
} from './buckets.ts';
import { compileCondition } from './compile-condition.ts';
import { createExotics, type Exotics } from './exotics.ts';
import { createFieldTable, type FieldIndex, type FieldTable, fieldTableBytes } from './fields.ts';
import { grownInts } from './ints.ts';
import { lookUp } from './lookup.ts';
import { lookUpTexts } from './lookup-texts.ts';
import { createProgramTable, type ProgramTable, programTableBytes } from './programs.ts';
import { beginEvent, createRun, type ElementSource, holds, type Run } from './run.ts';

export interface Engine {
  readonly fields: FieldTable;
  readonly programs: ProgramTable;
  readonly exotics: Exotics;
  readonly buckets: BucketTable;
  readonly run: Run;
  /** Program of each rule number that is compiled but not filed yet. */
  readonly waiting: Map<number, number>;
  /** Two levels of bits: rules that hold, and words of those that are not 0. */
  held: Int32Array;
  heldWords: Int32Array;
}

/** Empty tables; with room for as much as `like` holds, so that filling them never copies all at once. */
export function createEngine(
  hashText: (text: Uint8Array) => number,
  seed: number,
  like: Engine | null,
): Engine {
  return {
    fields: createFieldTable(hashText, seed, like?.fields ?? null),
    programs: createProgramTable(like?.programs ?? null),
    exotics: createExotics(),
    buckets: createBucketTable(like?.buckets ?? null),
    run: createRun(),
    waiting: new Map(),
    held: new Int32Array(32),
    heldWords: new Int32Array(1),
  };
}

/**
 * Compiles a rule under a number. It counts once it is filed: compile many first, so that the values of all of them
 * tell how selective each is.
 */
export function compileRule(engine: Engine, rule: number, condition: Condition): void {
  const { fields: table, programs, exotics } = engine;
  engine.waiting.set(rule, compileCondition({ table, programs, exotics }, condition));
  const words = (rule >> 5) + 1;
  if (words > engine.held.length) {
    engine.held = grownInts(engine.held, words);
    engine.heldWords = grownInts(engine.heldWords, (engine.held.length + 31) >> 5);
  }
}

/** Files compiled rules, at most `most` of them. Returns how many are left. */
export function fileRules(engine: Engine, most: number): number {
  let done = 0;
  for (const [rule, operand] of engine.waiting) {
    if (done >= most) break;
    fileRule(engine.buckets, engine.fields, engine.programs, rule, operand);
    engine.waiting.delete(rule);
    done += 1;
  }
  return engine.waiting.size;
}

/**
 * Finds the rules that hold; read them with `takeHeld`. `parse` gives the whole event, if a rule has to look at it.
 * `documentEnd`: the elements are those of the document `memory[0, documentEnd)`; -1 when they come from values.
 */
export function matchElements(
  engine: Engine,
  source: ElementSource,
  fieldsOf: readonly (readonly FieldIndex[])[],
  context: MatchContext,
  parse: () => Subject,
  documentEnd: number,
): void {
  const { run, fields, programs } = engine;
  beginEvent(run, fields, programs);
  run.context = context;
  run.parse = parse;
  run.source = source;
  run.fieldsOf = fieldsOf;
  lookUp(run, fields, source, fieldsOf);
  if (documentEnd >= 0)
    for (const field of fields.textsFields)
      lookUpTexts(run, fields, field, source.elements.memory, documentEnd);
  visit(engine, 0);
  const { trueAtoms, trueCount } = run;
  for (let i = 0; i < trueCount; i++) {
    const bucket = fields.atoms.bucket[trueAtoms[i] as number] as number;
    if (bucket > 0) visit(engine, bucket);
  }
  run.subject = null;
  run.work += trueCount;
}

/** Calls `take` with every rule that held, in ascending order, and forgets them. */
export function takeHeld({ held, heldWords }: Engine, take: (rule: number) => void): void {
  for (let s = 0; s < heldWords.length; s++) {
    let words = heldWords[s] as number;
    if (words === 0) continue;
    heldWords[s] = 0;
    while (words !== 0) {
      const word = s * 32 + 31 - Math.clz32(words & -words);
      words &= words - 1;
      let rules = held[word] as number;
      held[word] = 0;
      while (rules !== 0) {
        take(word * 32 + 31 - Math.clz32(rules & -rules));
        rules &= rules - 1;
      }
    }
  }
}

/** Bytes of all tables. */
export function engineBytes({ fields, programs, buckets, held, heldWords }: Engine): number {
  return (
    atomTableBytes(fields.atoms) +
    fieldTableBytes(fields) +
    programTableBytes(programs) +
    bucketTableBytes(buckets) +
    held.byteLength +
    heldWords.byteLength
  );
}

function visit(engine: Engine, bucket: number): void {
  const { run, fields, programs, exotics, buckets, held, heldWords } = engine;
  const at = bucket * bucketStride;
  const { entries } = buckets;
  const start = 2 * (buckets.buckets[at] as number);
  const end = start + 2 * (buckets.buckets[at + 1] as number);
  run.work += (end - start) >> 1;
  for (let i = start; i < end; i += 2) {
    const rest = entries[i + 1] as number;
    if (rest !== 0 && !holds(run, fields, programs, exotics, rest)) continue;
    const rule = entries[i] as number;
    held[rule >> 5] = (held[rule >> 5] as number) | (1 << (rule & 31));
    heldWords[rule >> 10] = (heldWords[rule >> 10] as number) | (1 << ((rule >> 5) & 31));
  }
  const split = buckets.buckets[at + 3] as number;
  if (split !== 0) visitSplits(engine, bucket, split);
}

// Whichever are fewer: the true atoms of the field, or the children. So an event with thousands of true atoms in two fields
// does not try all pairs.
function visitSplits(engine: Engine, bucket: number, first: number): void {
  const { run, fields, buckets } = engine;
  const { splits } = buckets;
  const { atoms } = fields;
  for (let split = first; split !== 0; ) {
    const at = (split - 1) * splitStride;
    split = splits[at + 3] as number;
    const field = splits[at] as number;
    if (run.seen[field] !== run.epoch) continue;
    if ((run.trueByField[field] as number) <= (splits[at + 1] as number)) {
      for (let next = run.lastTrue[field] as number; next !== 0; next = atoms.nextTrue[next - 1] as number) {
        const child = childOf(buckets, bucket, next - 1);
        run.work += 1;
        if (child !== 0) visit(engine, child);
      }
    } else {
      for (let child = (splits[at + 2] as number) - 1; child >= 0; ) {
        const place = child * belowStride;
        run.work += 1;
        if (atoms.epoch[buckets.below[place] as number] === run.epoch) visit(engine, child);
        child = (buckets.below[place + 1] as number) - 1;
      }
    }
  }
}
