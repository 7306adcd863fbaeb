// regex: an element is a text in which one of the patterns is found, in RE2 syntax and linear time.
import type { Operator } from './operator.ts';

export interface RegexPattern {
  readonly source: string;
  /** Each of i, m, s at most once, in this order. */
  readonly flags: string;
}

/** The patterns see the text as it is, not folded. */
export interface RegexTest {
  readonly op: 'regex';
  readonly patterns: readonly RegexPattern[];
}

export const regexOperator: Operator<RegexTest> = {
  parse: (part) => part.refuse('the operator regex is not supported in this version'),
  compile: () => ({ on: 'element', holds: () => false, holdsAbsent: false }),
};
