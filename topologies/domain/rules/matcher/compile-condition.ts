// A condition as a program over atoms: what is said about single elements becomes atoms, everything else stays a test that is
// asked for candidates only.
//
// Invariant: the program holds exactly when the condition does. An atom says that some element passes; tests that must pass
// on one and the same element are therefore asked again together, unless the field has one element.
// Surprise: an absent field has no true atom at all, so only what holds for an absent field is written out.
import type { Condition, EachCondition, FieldCondition } from '../condition.ts';
import type { Test } from '../operators/operators.ts';
import type { Path } from '../path.ts';
import { anyValue, elementTest, type TestProgram } from './compile-tests.ts';
import type { Exotics } from './exotics.ts';
import { type FieldIndex, type FieldTable, fieldOf } from './fields.ts';
import { allOf, always, anyOf, intern, negated, never, type ProgramTable, programOp } from './programs.ts';
import { needsPresence } from './witness.ts';

export interface Compiler {
  readonly table: FieldTable;
  readonly programs: ProgramTable;
  readonly exotics: Exotics;
}

/** The operand that holds exactly when the condition does. */
export function compileCondition(compiler: Compiler, condition: Condition): number {
  const { programs } = compiler;
  switch (condition.kind) {
    case 'all':
      return allOf(
        programs,
        condition.of.map((part) => compileCondition(compiler, part)),
      );
    case 'any':
      return anyOf(
        programs,
        condition.of.map((part) => compileCondition(compiler, part)),
      );
    case 'not':
      return negated(programs, compileCondition(compiler, condition.of));
    case 'field':
      return compileField(compiler, condition);
    case 'each':
      return allOf(programs, [
        neededByEach(compiler, condition, null),
        exotic(compiler, programOp.exotic, fieldOf(compiler.table, condition.paths), condition),
      ]);
    default:
      return condition satisfies never;
  }
}

function compileField(compiler: Compiler, condition: FieldCondition): number {
  const { programs } = compiler;
  const field = fieldOf(compiler.table, condition.paths);
  // All texts below a path: no element of a scan stands for them, only what some of them contain can be looked up.
  if (condition.paths.some(({ root }) => root === 'texts'))
    return allOf(programs, [
      needed(compiler, condition, []),
      exotic(compiler, programOp.exotic, field, condition),
    ]);
  const present = ~field.present;
  const tested = compileTests(compiler, field, condition.paths, condition.tests);
  const held = needsPresence(programs, tested) ? tested : allOf(programs, [present, tested]);
  return condition.tests.every(holdsAbsent) ? anyOf(programs, [held, negated(programs, present)]) : held;
}

function holdsAbsent(test: Test): boolean {
  return test.op === 'exists' ? !test.there : test.op === 'in' && test.orNull;
}

/** What holds for a field that is there; says nothing about absence. */
function compileTests(
  compiler: Compiler,
  field: FieldIndex,
  paths: readonly Path[],
  tests: readonly Test[],
): number {
  const { programs } = compiler;
  const onElement = tests.filter((test) => !isOnField(test));
  const parts = onElement.map((test) => elementTest(compiler, field, test));
  const together = togetherOp(parts);
  const asked: FieldCondition = { kind: 'field', paths, tests: onElement };
  return allOf(programs, [
    ...parts.map(({ operand }) => operand),
    ...(together === null ? [] : [exotic(compiler, together, field, asked)]),
    ...tests.filter(isOnField).map((test) => fieldTest(compiler, field, paths, test)),
  ]);
}

// One exact test needs nothing more. Several are right for one element; an inexact one always asks.
function togetherOp(parts: readonly TestProgram[]): number | null {
  if (parts.some(({ exact }) => exact === 'no')) return programOp.exotic;
  if (parts.length > 1 || parts.some(({ exact }) => exact === 'on one element')) return programOp.together;
  return null;
}

function isOnField({ op }: Test): boolean {
  return op === 'exists' || op === 'not' || op === 'all' || op === 'none';
}

function fieldTest(compiler: Compiler, field: FieldIndex, paths: readonly Path[], test: Test): number {
  const { programs } = compiler;
  switch (test.op) {
    case 'exists':
      return test.there ? always : never;
    case 'not':
      return negated(programs, compileTests(compiler, field, paths, test.tests));
    case 'all':
    case 'none': {
      const values = test.values.map((value) => anyValue(compiler, field, test.comparison, [value]));
      if (values.includes(null))
        return exotic(compiler, programOp.exotic, field, { kind: 'field', paths, tests: [test] });
      const operands = values as number[];
      return test.op === 'all' ? allOf(programs, operands) : negated(programs, anyOf(programs, operands));
    }
    default:
      return always;
  }
}

function exotic(
  compiler: Compiler,
  op: number,
  field: FieldIndex,
  condition: FieldCondition | EachCondition,
): number {
  return intern(compiler.programs, op, [compiler.exotics.intern(condition), field.id]);
}

/**
 * What must be true in the whole event for an `each` to hold, so that only such events are asked: what its conditions
 * need at the paths of the list and of the member, one after the other. `bases` are those of an `each` around it.
 */
function neededByEach(compiler: Compiler, each: EachCondition, bases: readonly Path[] | null): number {
  const paths = below(bases, each.paths);
  const present = ~fieldOf(compiler.table, paths).present;
  return allOf(compiler.programs, [present, needed(compiler, each.of, paths)]);
}

function needed(compiler: Compiler, condition: Condition, bases: readonly Path[]): number {
  const { programs, table } = compiler;
  switch (condition.kind) {
    case 'all':
      return allOf(
        programs,
        condition.of.map((part) => needed(compiler, part, bases)),
      );
    case 'any':
      return anyOf(
        programs,
        condition.of.map((part) => needed(compiler, part, bases)),
      );
    case 'not':
      return always;
    case 'each':
      return neededByEach(compiler, condition, bases);
    case 'field': {
      if (condition.tests.every(holdsAbsent)) return always;
      const paths = below(bases, condition.paths);
      if (paths.some(isTooLong)) return always;
      const field = fieldOf(table, paths);
      return allOf(programs, [
        ~field.present,
        ...condition.tests
          .filter((test) => !isOnField(test))
          .map((test) => elementTest(compiler, field, test).operand),
      ]);
    }
    default:
      return condition satisfies never;
  }
}

/** The paths as seen from the event: those inside an element go on from where the element was found. */
function below(bases: readonly Path[] | null, paths: readonly Path[]): Path[] {
  return paths.flatMap((path) =>
    path.root === 'element' && bases !== null
      ? bases.map((base) => ({ root: base.root, segments: [...base.segments, ...path.segments] }))
      : [path],
  );
}

// A scanner refuses paths far longer than the language allows.
function isTooLong({ segments }: Path): boolean {
  return segments.length > 32;
}
