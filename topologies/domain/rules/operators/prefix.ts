// prefix: an element is a text that starts with one of the texts, in any case.
import { fold } from '../fold.ts';
import type { Operator } from './operator.ts';
import { parseTexts } from './values.ts';

export interface PrefixTest {
  readonly op: 'prefix';
  /** Folded. */
  readonly texts: readonly string[];
}

export const prefixOperator: Operator<PrefixTest> = {
  parse(part) {
    const texts = parseTexts(part);
    return texts && { op: 'prefix', texts };
  },
  compile({ texts }) {
    const holds = (element: unknown): boolean => {
      if (typeof element !== 'string') return false;
      const text = fold(element);
      return texts.some((wanted) => text.startsWith(wanted));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};
