// field: an element equals an element of another field: of the same event or row, and within `each` of the same object.
//
// The surprise: two fields that are absent, null or objects are not equal. With `at` the element is a text that starts
// with, ends with or has the other text in it; an empty text is in every text.
import { type Comparison, comparableElement } from '../comparison.ts';
import { elementsAt, type Path, parsePath } from '../path.ts';
import type { Operator, Part } from './operator.ts';

const relations = {
  prefix: (text: string, other: string) => text.startsWith(other),
  suffix: (text: string, other: string) => text.endsWith(other),
  contains: (text: string, other: string) => text.includes(other),
};

export interface FieldTest {
  readonly op: 'field';
  readonly path: Path;
  readonly comparison: Comparison;
  /** How the element relates to the other field; without it they are equal. */
  readonly at?: keyof typeof relations;
}

export const fieldOperator: Operator<FieldTest> = {
  parse(part) {
    const { value } = part;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return parseOther(part);
    const { path, at, ...rest } = value as Readonly<Record<string, unknown>>;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) return part.at(unknown, null).refuse('unknown field');
    if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
    if (typeof at !== 'string' || !Object.hasOwn(relations, at))
      return part.at('at', at).refuse(`must be one of ${Object.keys(relations).join(', ')}`);
    const test = parseOther(part.at('path', path));
    return test && { ...test, at: at as keyof typeof relations };
  },
  compile({ path, comparison, at }) {
    const comparable = comparableElement[comparison];
    const paths = [path];
    const fits =
      at === undefined
        ? (value: unknown, other: unknown) => value === other
        : (value: unknown, other: unknown) =>
            typeof value === 'string' && typeof other === 'string' && relations[at](value, other);
    return {
      on: 'element',
      holds(element, _context, subject) {
        const value = comparable(element);
        if (value === undefined) return false;
        return elementsAt(subject, paths)?.some((other) => fits(value, comparable(other))) ?? false;
      },
      holdsAbsent: false,
    };
  },
};

function parseOther(part: Part): FieldTest | null {
  if (typeof part.value !== 'string') return part.refuse('must be a path, or {path, at}');
  const path = parsePath(part.value, part.scope);
  if ('error' in path) return part.refuse(path.error);
  return { op: 'field', path, comparison: part.comparison };
}
