// contains: an element is a text that has one of the texts in it, in any case.
import { fold } from '../fold.ts';
import type { Operator } from './operator.ts';
import { parseTexts } from './values.ts';

export interface ContainsTest {
  readonly op: 'contains';
  /** Folded. */
  readonly texts: readonly string[];
}

export const containsOperator: Operator<ContainsTest> = {
  parse(part) {
    const texts = parseTexts(part);
    return texts && { op: 'contains', texts };
  },
  compile({ texts }) {
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = fold(element);
      return texts.some((wanted) => text.includes(wanted));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};
