// wildcard: a whole text fits a pattern in which `*` is any text, an empty one too, and `?` is one character.
import type { Operator } from './operator.ts';

/** `*`, `?`, or a text that stands there as it is, folded. Never two texts or two stars in a row; a pattern is never empty. */
export type WildcardToken = '*' | '?' | { readonly text: string };

export interface WildcardTest {
  readonly op: 'wildcard';
  readonly patterns: readonly (readonly WildcardToken[])[];
}

export const wildcardOperator: Operator<WildcardTest> = {
  parse: (part) => part.refuse('the operator wildcard is not supported in this version'),
  compile: () => ({ on: 'element', holds: () => false, holdsAbsent: false }),
};
