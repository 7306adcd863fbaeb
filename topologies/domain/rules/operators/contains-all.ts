// contains_all: one element is a text that has every one of the texts in it, in any case.
import { fold } from '../fold.ts';
import type { Operator } from './operator.ts';
import { parseTexts } from './values.ts';

export interface ContainsAllTest {
  readonly op: 'contains_all';
  /** Folded. */
  readonly texts: readonly string[];
}

export const containsAllOperator: Operator<ContainsAllTest> = {
  parse(part) {
    const texts = parseTexts(part);
    return texts && { op: 'contains_all', texts };
  },
  compile({ texts }) {
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = fold(element);
      return texts.every((wanted) => text.includes(wanted));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};
