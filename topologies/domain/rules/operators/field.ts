// field: an element equals an element of another field of the same event, row or element.
import { type Comparison, comparableElement } from '../comparison.ts';
import { elementsAt, type Path } from '../path.ts';
import type { Operator } from './operator.ts';

export interface FieldTest {
  readonly op: 'field';
  readonly path: Path;
  readonly comparison: Comparison;
}

export const fieldOperator: Operator<FieldTest> = {
  parse: (part) => part.refuse('the operator field is not supported in this version'),
  compile({ path, comparison }) {
    const comparable = comparableElement[comparison];
    const paths = [path];
    return {
      on: 'element',
      holds(element, _context, subject) {
        const value = comparable(element);
        if (value === undefined) return false;
        return elementsAt(subject, paths)?.some((other) => comparable(other) === value) ?? false;
      },
      holdsAbsent: false,
    };
  },
};
