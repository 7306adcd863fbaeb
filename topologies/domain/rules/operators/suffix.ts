// suffix: an element is a text that ends with one of the texts, in any case.
import { fold } from '../fold.ts';
import type { Operator } from './operator.ts';
import { parseTexts } from './values.ts';

export interface SuffixTest {
  readonly op: 'suffix';
  /** Folded. */
  readonly texts: readonly string[];
}

export const suffixOperator: Operator<SuffixTest> = {
  parse(part) {
    const texts = parseTexts(part);
    return texts && { op: 'suffix', texts };
  },
  compile({ texts }) {
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = fold(element);
      return texts.some((wanted) => text.endsWith(wanted));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};
