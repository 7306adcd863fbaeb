// A checked `when` as it is written, beside the conditions it became: what explain and lint walk over.
//
// Invariant: every node of the outline stands for one place of the document (a JSON Pointer) and for exactly the
// condition that the parser made of that place. Where the two do not fit together, the node has no parts.
import type { Condition } from '../condition.ts';
import { clockNames } from '../operators/clock.ts';
import type { Test } from '../operators/operators.ts';
import { boundNames } from '../operators/range.ts';
import { regexNames } from '../operators/regex.ts';
import { timeNames } from '../operators/time.ts';
import type { RuleRevision } from '../parse-rule.ts';

export interface Outline {
  /** JSON Pointer into the rule document. */
  readonly path: string;
  /** The key as it is written, or its place in a list. */
  readonly key: string;
  readonly condition: Condition;
  /** What is written there. */
  readonly value: unknown;
  /** Blocks, entries and listed types within; none for a field. */
  readonly parts: readonly Outline[];
}

/** One operator of a field: the place it is written at, and the tests that it became or is a part of. */
export interface OperatorOutline {
  readonly path: string;
  /** Name as it is written; `equals` for a plain value or list. */
  readonly name: string;
  readonly value: unknown;
  readonly tests: readonly Test[];
}

type Fields = Readonly<Record<string, unknown>>;

/** The outline of a whole rule; the root is `when`, or `match_all` of a rule without conditions. */
export function outlineRule({ document, condition }: Omit<RuleRevision, 'revision'>): Outline {
  if (document.match_all === true)
    return { path: '/match_all', key: 'match_all', condition, value: true, parts: [] };
  const when = document.when ?? {};
  return { path: '/when', key: 'when', condition, value: when, parts: entriesOf('/when', when, condition) };
}

/** The operators behind a field, in the order of the document. */
export function operatorsOf(path: string, value: unknown, tests: readonly Test[]): OperatorOutline[] {
  if (!isObject(value)) return tests.length === 1 ? [{ path, name: 'equals', value, tests }] : [];
  // The parser keeps the order of the document, but for operators that are one test together, which come last.
  const left = tests.filter(({ op }) => groups[op] === undefined);
  const found = Object.entries(value).map(([name, operand]): OperatorOutline => {
    const own = tests.filter(({ op }) => groups[op]?.includes(name));
    const taken = own.length > 0 ? own : left.splice(0, countOf(name, operand, left));
    return { path: `${path}/${token(name)}`, name, value: operand, tests: taken };
  });
  return left.length === 0 && found.every((operator) => operator.tests.length > 0) ? found : [];
}

/** Operators that are one test together. */
const groups: Readonly<Record<string, readonly string[]>> = {
  range: boundNames,
  regex: regexNames,
  time: timeNames,
  clock: clockNames,
};

/** How many of the next tests an operator became: `cased` around another operator is up to two, ended by its own. */
function countOf(name: string, operand: unknown, left: readonly Test[]): number {
  if (name !== 'cased' || !isObject(operand)) return 1;
  return left.findIndex(({ op }) => op === 'cased_text') + 1;
}

function entriesOf(path: string, block: unknown, condition: Condition): Outline[] {
  if (!isObject(block) || condition.kind !== 'all') return [];
  const entries = Object.entries(block);
  if (entries.length !== condition.of.length) return [];
  return entries.map(([key, value], index) =>
    entryOf(`${path}/${token(key)}`, key, value, condition.of[index] as Condition),
  );
}

function entryOf(path: string, key: string, value: unknown, condition: Condition): Outline {
  return { path, key, condition, value, parts: partsOfEntry(path, key, value, condition) };
}

function partsOfEntry(path: string, key: string, value: unknown, condition: Condition): Outline[] {
  switch (condition.kind) {
    case 'field':
      return [];
    case 'each': {
      const match = isObject(value) ? value['match'] : undefined;
      return entriesOf(`${path}/match`, match, condition.of);
    }
    case 'not': {
      if (key === 'not') return entriesOf(path, value, condition.of);
      return condition.of.kind === 'any' ? listedOf(path, value, condition.of.of) : [];
    }
    default:
      return listedOf(path, value, condition.of);
  }
}

/** The blocks of any and all, or the values of an alias that takes a list. */
function listedOf(path: string, value: unknown, conditions: readonly Condition[]): Outline[] {
  const listed = Array.isArray(value) ? value : [value];
  if (listed.length !== conditions.length) return [];
  return listed.map((one: unknown, index) => {
    const at = Array.isArray(value) ? `${path}/${index}` : path;
    const condition = conditions[index] as Condition;
    const parts = entriesOf(at, one, condition);
    return { path: at, key: isObject(one) ? String(index) : String(one), condition, value: one, parts };
  });
}

/** A key as a token of a JSON Pointer, RFC 6901 section 3. */
function token(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
