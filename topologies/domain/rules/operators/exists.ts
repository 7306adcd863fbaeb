// exists: the field is there, whatever its value: null and an empty list count as there.
import type { Operator } from './operator.ts';

export interface ExistsTest {
  readonly op: 'exists';
  readonly there: boolean;
}

export const existsOperator: Operator<ExistsTest> = {
  parse(part) {
    return typeof part.value === 'boolean'
      ? { op: 'exists', there: part.value }
      : part.refuse('must be true or false');
  },
  compile({ there }) {
    return { on: 'field', holds: () => there, holdsAbsent: !there };
  },
};
