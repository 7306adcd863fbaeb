// cased: equality with the exact case. Data of its own it has none: it is `in` under another comparison.
import { type InTest, inOperator } from './in.ts';
import type { Operator } from './operator.ts';

export const casedOperator: Operator<InTest> = {
  parse: (part) =>
    part.comparison === 'text'
      ? inOperator.parse(part.with('exact'))
      : part.refuse('this operator does not fit here'),
  compile: inOperator.compile,
};
