// Every operator once, and how what stands behind a path (a value, a list, an object of operators) becomes tests.
//
// Invariant: tests on elements hold together for one and the same element; tests on the field hold beside that.
import { type AllTest, allOperator } from './all.ts';
import { casedOperator } from './cased.ts';
import { type ContainsTest, containsOperator } from './contains.ts';
import { type ContainsAllTest, containsAllOperator } from './contains-all.ts';
import { type ExistsTest, existsOperator } from './exists.ts';
import { type InTest, inOperator } from './in.ts';
import { type NoneTest, noneOperator } from './none.ts';
import { type NotTest, notOperator } from './not.ts';
import type { Part, Predicate } from './operator.ts';
import { type PrefixTest, prefixOperator } from './prefix.ts';
import { boundNames, type RangeTest, rangeOperator } from './range.ts';
import { type SuffixTest, suffixOperator } from './suffix.ts';

export type Test =
  | AllTest
  | ContainsAllTest
  | ContainsTest
  | ExistsTest
  | InTest
  | NoneTest
  | NotTest
  | PrefixTest
  | RangeTest
  | SuffixTest;

// Functions, because not.ts needs this file and this file needs not.ts.
const parsers: Readonly<Record<string, (part: Part) => Test | null>> = {
  all: (part) => allOperator.parse(part),
  any: (part) => inOperator.parse(part),
  cased: (part) => casedOperator.parse(part),
  contains: (part) => containsOperator.parse(part),
  contains_all: (part) => containsAllOperator.parse(part),
  exists: (part) => existsOperator.parse(part),
  in: (part) => inOperator.parse(part),
  none: (part) => noneOperator.parse(part),
  not: (part) => notOperator.parse(part),
  prefix: (part) => prefixOperator.parse(part),
  suffix: (part) => suffixOperator.parse(part),
};

/** Operators of the full language that this version refuses by name. */
const later = new Set([
  'wildcard',
  'regex',
  'flags',
  'cidr',
  'in_list',
  'each',
  'field',
  'after',
  'before',
  'hour',
  'day',
  'weekday',
  'month',
]);

/** The tests for what stands behind a path; null after issues were reported. */
export function parseTests(part: Part): Test[] | null {
  const { value } = part;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const test = part.count() ? inOperator.parse(part) : null;
    return test && [test];
  }
  const names = Object.keys(value);
  if (names.length === 0) return part.refuse('an operator is missing');
  const tests: (Test | null)[] = [];
  let range = false;
  for (const name of names) {
    if (!part.count()) return null;
    const operand = part.at(name, (value as Record<string, unknown>)[name]);
    if ((boundNames as readonly string[]).includes(name)) range = true;
    else if (Object.hasOwn(parsers, name))
      tests.push((parsers[name] as (part: Part) => Test | null)(operand));
    else
      tests.push(
        operand.refuse(
          later.has(name) ? `the operator ${name} is not supported in this version` : 'unknown operator',
        ),
      );
  }
  if (range) tests.push(rangeOperator.parse(part));
  return tests.includes(null) ? null : (tests as Test[]);
}

/** One function for all tests of a field. `holds` is for a field that is there, with its elements. */
export function compileTests(tests: readonly Test[]): {
  holds(elements: readonly unknown[]): boolean;
  readonly holdsAbsent: boolean;
} {
  const predicates = tests.map(compileTest);
  const onElement = predicates.flatMap((predicate) => (predicate.on === 'element' ? [predicate.holds] : []));
  const onField = predicates.flatMap((predicate) => (predicate.on === 'field' ? [predicate.holds] : []));
  return {
    holds: (elements) =>
      (onElement.length === 0 || elements.some((element) => onElement.every((holds) => holds(element)))) &&
      onField.every((holds) => holds(elements)),
    holdsAbsent: predicates.every(({ holdsAbsent }) => holdsAbsent),
  };
}

function compileTest(test: Test): Predicate {
  switch (test.op) {
    case 'all':
      return allOperator.compile(test);
    case 'contains':
      return containsOperator.compile(test);
    case 'contains_all':
      return containsAllOperator.compile(test);
    case 'exists':
      return existsOperator.compile(test);
    case 'in':
      return inOperator.compile(test);
    case 'none':
      return noneOperator.compile(test);
    case 'not':
      return notOperator.compile(test);
    case 'prefix':
      return prefixOperator.compile(test);
    case 'range':
      return rangeOperator.compile(test);
    case 'suffix':
      return suffixOperator.compile(test);
    default:
      return test satisfies never;
  }
}
