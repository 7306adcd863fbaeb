// other_than: some element is a value and differs from what follows: a value, a list of values, or operators on elements.
//
// The surprise: of a list one element that differs is enough, where `not` asks that none is equal. Objects are no values.
import type { Operator } from './operator.ts';
import { compileTests, parseTests, type Test } from './operators.ts';

export interface OtherThanTest {
  readonly op: 'other_than';
  /** On elements only. */
  readonly tests: readonly Test[];
}

const onTheField = new Set<Test['op']>(['exists', 'not', 'all', 'none', 'other_than']);

export const otherThanOperator: Operator<OtherThanTest> = {
  parse(part) {
    const tests = parseTests(part);
    if (tests === null) return null;
    const wrong = tests.find(({ op }) => onTheField.has(op));
    if (wrong !== undefined) return part.refuse(`${wrong.op} is not about one element and not possible here`);
    return { op: 'other_than', tests };
  },
  compile({ tests }) {
    const { holds } = compileTests(tests);
    return {
      on: 'element',
      holds: (element, context, subject) =>
        (element === null || typeof element !== 'object') && !holds([element], context, subject),
      holdsAbsent: false,
    };
  },
};
