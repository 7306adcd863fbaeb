// field: an element equals an element of another field: of the same event or row, and within `each` of the same object.
//
// The surprise: two fields that are absent, null or objects are not equal.
import { type Comparison, comparableElement } from '../comparison.ts';
import { elementsAt, type Path, parsePath } from '../path.ts';
import type { Operator } from './operator.ts';

export interface FieldTest {
  readonly op: 'field';
  readonly path: Path;
  readonly comparison: Comparison;
}

export const fieldOperator: Operator<FieldTest> = {
  parse(part) {
    if (typeof part.value !== 'string') return part.refuse('must be a path');
    const path = parsePath(part.value, part.scope);
    if ('error' in path) return part.refuse(path.error);
    return { op: 'field', path, comparison: part.comparison };
  },
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
