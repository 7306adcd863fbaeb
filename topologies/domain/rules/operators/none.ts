// none: no element equals any of the values. An empty list of elements passes; an absent field does not.
import { type Comparable, type Comparison, comparableElement } from '../comparison.ts';
import type { Operator } from './operator.ts';
import { parseValues } from './values.ts';

export interface NoneTest {
  readonly op: 'none';
  readonly comparison: Comparison;
  readonly values: readonly Comparable[];
}

export const noneOperator: Operator<NoneTest> = {
  parse(part) {
    const values = parseValues(part);
    return values && { op: 'none', comparison: part.comparison, values };
  },
  compile({ comparison, values }) {
    const refused = new Set<unknown>(values);
    const comparable = comparableElement[comparison];
    const holds = (elements: readonly unknown[]): boolean =>
      !elements.some((element) => refused.has(comparable(element)));
    return { on: 'field', holds, holdsAbsent: false };
  },
};
