// Every operator once, and how what stands behind a path (a value, a list, an object of operators) becomes tests.
//
// Invariant: tests on elements hold together for one and the same element; tests on the field hold beside that.
import { type AllTest, allOperator } from './all.ts';
import { casedOperator } from './cased.ts';
import { type CasedTextTest, compileCasedText, parseCasedText } from './cased-text.ts';
import { type CidrTest, cidrOperator } from './cidr.ts';
import { type ClockTest, clockNames, clockOperator } from './clock.ts';
import { type ContainsTest, containsOperator } from './contains.ts';
import { type ContainsAllTest, containsAllOperator } from './contains-all.ts';
import { type ExistsTest, existsOperator } from './exists.ts';
import { type FieldTest, fieldOperator } from './field.ts';
import { type InTest, inOperator } from './in.ts';
import { type InListTest, inListOperator } from './in-list.ts';
import { type NoneTest, noneOperator } from './none.ts';
import { type NotTest, notOperator } from './not.ts';
import type { HoldsFor, Part, Predicate } from './operator.ts';
import { type OtherThanTest, otherThanOperator } from './other-than.ts';
import { type PrefixTest, prefixOperator } from './prefix.ts';
import { boundNames, type RangeTest, rangeOperator } from './range.ts';
import { type RegexTest, regexNames, regexOperator } from './regex.ts';
import { type SuffixTest, suffixOperator } from './suffix.ts';
import { type TimeTest, timeNames, timeOperator } from './time.ts';
import { type TypeTest, typeOperator } from './type.ts';
import { type WildcardTest, wildcardOperator } from './wildcard.ts';

export type Test =
  | AllTest
  | CasedTextTest
  | CidrTest
  | ClockTest
  | ContainsAllTest
  | ContainsTest
  | ExistsTest
  | FieldTest
  | InListTest
  | InTest
  | NoneTest
  | NotTest
  | OtherThanTest
  | PrefixTest
  | RangeTest
  | RegexTest
  | SuffixTest
  | TimeTest
  | TypeTest
  | WildcardTest;

type Parser = (part: Part) => Test | null;

// Functions, because not.ts needs this file and this file needs not.ts.
const parsers: Readonly<Record<string, Parser>> = {
  all: (part) => allOperator.parse(part),
  any: (part) => inOperator.parse(part),
  cased: (part) => casedOperator.parse(part),
  cidr: (part) => cidrOperator.parse(part),
  contains: (part) => containsOperator.parse(part),
  contains_all: (part) => containsAllOperator.parse(part),
  exists: (part) => existsOperator.parse(part),
  field: (part) => fieldOperator.parse(part),
  in: (part) => inOperator.parse(part),
  in_list: (part) => inListOperator.parse(part),
  none: (part) => noneOperator.parse(part),
  not: (part) => notOperator.parse(part),
  other_than: (part) => otherThanOperator.parse(part),
  prefix: (part) => prefixOperator.parse(part),
  suffix: (part) => suffixOperator.parse(part),
  type: (part) => typeOperator.parse(part),
  wildcard: (part) => wildcardOperator.parse(part),
};

/** Names that are one test together: these parsers take the whole object of operators. */
const groups: readonly (readonly [names: readonly string[], parse: Parser])[] = [
  [boundNames, (part) => rangeOperator.parse(part)],
  [regexNames, (part) => regexOperator.parse(part)],
  [timeNames, (part) => timeOperator.parse(part)],
  [clockNames, (part) => clockOperator.parse(part)],
];

/** The tests for what stands behind a path; null after issues were reported. */
export function parseTests(part: Part): Test[] | null {
  const { value } = part;
  if (!isOperators(value)) {
    const test = part.count() ? inOperator.parse(part) : null;
    return test && [test];
  }
  const names = Object.keys(value);
  if (names.length === 0) return part.refuse('an operator is missing');
  const tests: (Test | null)[] = [];
  for (const name of names) {
    if (!part.count()) return null;
    if (groups.some(([grouped]) => grouped.includes(name))) continue;
    const operand = part.at(name, value[name]);
    if (name === 'cased' && isOperators(operand.value)) {
      tests.push(...(parseCasedText(operand) ?? [null]));
      continue;
    }
    const parse = Object.hasOwn(parsers, name) ? parsers[name] : undefined;
    tests.push(parse === undefined ? operand.refuse('unknown operator') : parse(operand));
  }
  for (const [grouped, parse] of groups)
    if (names.some((name) => grouped.includes(name))) tests.push(parse(part));
  return tests.includes(null) ? null : (tests as Test[]);
}

function isOperators(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One function for all tests of a field. `holds` is for a field that is there, with its elements. */
export interface CompiledTests {
  readonly holds: HoldsFor<readonly unknown[]>;
  readonly holdsAbsent: boolean;
}

export function compileTests(tests: readonly Test[]): CompiledTests {
  const predicates = tests.map(compileTest);
  const onElement = predicates.flatMap((predicate) => (predicate.on === 'element' ? [predicate.holds] : []));
  const onField = predicates.flatMap((predicate) => (predicate.on === 'field' ? [predicate.holds] : []));
  return {
    holds: (elements, context, subject) =>
      (onElement.length === 0 ||
        elements.some((element) => onElement.every((holds) => holds(element, context, subject)))) &&
      onField.every((holds) => holds(elements, context, subject)),
    holdsAbsent: predicates.every(({ holdsAbsent }) => holdsAbsent),
  };
}

const compilers: { readonly [Op in Test['op']]: (test: Extract<Test, { op: Op }>) => Predicate } = {
  all: (test) => allOperator.compile(test),
  cased_text: compileCasedText,
  cidr: (test) => cidrOperator.compile(test),
  clock: (test) => clockOperator.compile(test),
  contains: (test) => containsOperator.compile(test),
  contains_all: (test) => containsAllOperator.compile(test),
  exists: (test) => existsOperator.compile(test),
  field: (test) => fieldOperator.compile(test),
  in: (test) => inOperator.compile(test),
  in_list: (test) => inListOperator.compile(test),
  none: (test) => noneOperator.compile(test),
  not: (test) => notOperator.compile(test),
  other_than: (test) => otherThanOperator.compile(test),
  prefix: (test) => prefixOperator.compile(test),
  range: (test) => rangeOperator.compile(test),
  regex: (test) => regexOperator.compile(test),
  suffix: (test) => suffixOperator.compile(test),
  time: (test) => timeOperator.compile(test),
  type: (test) => typeOperator.compile(test),
  wildcard: (test) => wildcardOperator.compile(test),
};

function compileTest(test: Test): Predicate {
  return (compilers[test.op] as (test: Test) => Predicate)(test);
}
