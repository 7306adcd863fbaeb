// not: the field is there and what follows does not hold for it; for a value or a list that means: no element equals it.
//
// The surprise: an absent field fails it. The block `not` around a condition is the form that holds then.
import type { Operator } from './operator.ts';
import { compileTests, parseTests, type Test } from './operators.ts';

export interface NotTest {
  readonly op: 'not';
  readonly tests: readonly Test[];
}

export const notOperator: Operator<NotTest> = {
  parse(part) {
    const tests = parseTests(part);
    if (tests === null) return null;
    if (tests.some(({ op }) => op === 'exists'))
      return part.refuse('write exists: true or exists: false without not');
    if (tests.some(({ op }) => op === 'not')) return part.refuse('not within not is not possible');
    return { op: 'not', tests };
  },
  compile({ tests }) {
    const { holds } = compileTests(tests);
    return { on: 'field', holds: (...asked) => !holds(...asked), holdsAbsent: false };
  },
};
