// Tests on one element as atoms, where a lookup structure can find them.
//
// Invariant: the operand holds whenever some element passes the test. `exact` says how far the other way is true.
import type { Comparable, Comparison } from '../comparison.ts';
import type { Test } from '../operators/operators.ts';
import type { RangeTest } from '../operators/range.ts';
import type { Compiler } from './compile-condition.ts';
import {
  type FieldIndex,
  networkAtom,
  numberAtom,
  partAtom,
  rangeAtom,
  severityAtom,
  severityRanks,
  textAtom,
} from './fields.ts';
import { above, below } from './ints.ts';
import { regexLiteral, wildcardLiteral } from './literals.ts';
import { allOf, anyOf, intern, programOp } from './programs.ts';

export interface TestProgram {
  readonly operand: number;
  /** yes: holds exactly when some element passes; on one element: only if the field has one; no: the test must be asked. */
  readonly exact: 'yes' | 'on one element' | 'no';
}

export function elementTest(compiler: Compiler, field: FieldIndex, test: Test): TestProgram {
  const { programs } = compiler;
  const asked: TestProgram = { operand: ~field.present, exact: 'no' };
  switch (test.op) {
    case 'in': {
      const values = anyValue(compiler, field, test.comparison, test.values);
      if (values === null) return asked;
      const operand = test.orNull ? anyOf(programs, [values, ~field.null]) : values;
      return { operand, exact: 'yes' };
    }
    case 'prefix':
    case 'suffix':
    case 'contains': {
      const parts = partAtoms(compiler, field, test.op, test.texts);
      return parts === null ? asked : { operand: anyOf(programs, parts), exact: 'yes' };
    }
    case 'contains_all': {
      const parts = partAtoms(compiler, field, 'contains', test.texts);
      if (parts === null) return asked;
      return { operand: allOf(programs, parts), exact: parts.length === 1 ? 'yes' : 'on one element' };
    }
    case 'range':
      return { operand: rangeOperand(compiler, field, test), exact: 'yes' };
    case 'cidr':
      return {
        operand: anyOf(
          programs,
          test.ranges.map((range) => ~networkAtom(compiler.table, field, range)),
        ),
        exact: 'yes',
      };
    case 'wildcard':
      return literals(compiler, field, test.patterns.map(wildcardLiteral));
    case 'regex':
      return literals(compiler, field, test.patterns.map(regexLiteral));
    default:
      return asked;
  }
}

/** Some element equals one of the values; null when a value cannot be an atom. */
export function anyValue(
  { table, programs }: Compiler,
  field: FieldIndex,
  comparison: Comparison,
  values: readonly Comparable[],
): number | null {
  const operands: number[] = [];
  for (const value of values) {
    let atom: number | null;
    if (comparison === 'severity') atom = severityAtom(table, field, value as number);
    else if (typeof value === 'string') atom = textAtom(table, field, comparison, value);
    // An identifier is a text; no element in that form is a number or a boolean.
    else if (comparison === 'identifier') continue;
    else if (typeof value === 'number') atom = numberAtom(table, field, value);
    else atom = value ? field.true : field.false;
    if (atom === null) return null;
    operands.push(~atom);
  }
  return anyOf(programs, operands);
}

function partAtoms(
  { table }: Compiler,
  field: FieldIndex,
  sort: 'prefix' | 'suffix' | 'contains',
  texts: readonly string[],
): number[] | null {
  const atoms = texts.map((text) => partAtom(table, field, sort, text));
  return atoms.includes(null) ? null : (atoms as number[]).map((atom) => ~atom);
}

// Patterns without a literal leave only that the field is there.
function literals(compiler: Compiler, field: FieldIndex, texts: readonly string[]): TestProgram {
  const parts = partAtoms(compiler, field, 'contains', texts);
  return { operand: parts === null ? ~field.present : anyOf(compiler.programs, parts), exact: 'no' };
}

function rangeOperand({ table, programs }: Compiler, field: FieldIndex, { of, bounds }: RangeTest): number {
  const { gt, gte, lt, lte } = bounds;
  const low = gt !== undefined ? above(gt) : (gte ?? Number.NEGATIVE_INFINITY);
  const high = lt !== undefined ? below(lt) : (lte ?? Number.POSITIVE_INFINITY);
  if (of === 'number')
    return intern(programs, programOp.range, [field.id, rangeAtom(table, field, low, high)]);
  const ranks = Array.from({ length: severityRanks }, (_, rank) => rank);
  return anyOf(
    programs,
    ranks.filter((rank) => low <= rank && rank <= high).map((rank) => ~severityAtom(table, field, rank)),
  );
}
