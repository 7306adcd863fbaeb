// all: every listed value equals some element. On a single value it holds only when the list has one value.
import { type Comparable, type Comparison, comparableElement } from '../comparison.ts';
import type { Operator } from './operator.ts';
import { parseValues } from './values.ts';

export interface AllTest {
  readonly op: 'all';
  readonly comparison: Comparison;
  readonly values: readonly Comparable[];
}

export const allOperator: Operator<AllTest> = {
  parse(part) {
    const values = parseValues(part);
    return values && { op: 'all', comparison: part.comparison, values };
  },
  compile({ comparison, values }) {
    const comparable = comparableElement[comparison];
    const holds = (elements: readonly unknown[]): boolean => {
      const present = new Set(elements.map(comparable));
      return values.every((value) => present.has(value));
    };
    return { on: 'field', holds, holdsAbsent: false };
  },
};
