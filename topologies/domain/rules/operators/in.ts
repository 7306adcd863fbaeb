// Equality: an element equals one of the values. Also what a plain value or list means, and `cased`.
//
// The surprise: null in the list holds for an absent field too.
import { type Comparable, type Comparison, comparableElement } from '../comparison.ts';
import type { Operator, Part } from './operator.ts';
import { entriesOf, parseValues } from './values.ts';

export interface InTest {
  readonly op: 'in';
  readonly comparison: Comparison;
  readonly values: readonly Comparable[];
  readonly orNull: boolean;
}

export const inOperator: Operator<InTest> = {
  parse(part: Part) {
    const entries = entriesOf(part);
    if (entries === null) return null;
    const rest = entries.filter((entry) => entry.value !== null);
    const values = rest.map(parseOne);
    if (values.includes(null)) return null;
    return {
      op: 'in',
      comparison: part.comparison,
      values: values as Comparable[],
      orNull: rest.length < entries.length,
    };
  },
  compile({ comparison, values, orNull }) {
    const wanted = new Set(values);
    const comparable = comparableElement[comparison];
    const holds = (element: unknown): boolean => {
      if (element === null) return orNull;
      const value = comparable(element);
      return value !== undefined && wanted.has(value);
    };
    return { on: 'element', holds, holdsAbsent: orNull };
  },
};

function parseOne(entry: Part): Comparable | null {
  if (Array.isArray(entry.value)) return entry.refuse('a list in a list is not possible');
  return parseValues(entry)?.[0] ?? null;
}
