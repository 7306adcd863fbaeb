// type: an element is of one of the kinds of JSON: string, number, boolean, null, object; or value: anything but an object.
//
// The surprise: `type: value` fails for an empty list and for an object, where `exists: true` holds.
import type { Operator } from './operator.ts';
import { entriesOf } from './values.ts';

const kinds = ['string', 'number', 'boolean', 'null', 'object'] as const;
export type ElementKind = (typeof kinds)[number];

export interface TypeTest {
  readonly op: 'type';
  /** Each once, `value` written out. */
  readonly kinds: readonly ElementKind[];
}

export const typeOperator: Operator<TypeTest> = {
  parse(part) {
    if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
    const named = entriesOf(part)?.map((entry) => {
      if (entry.value === 'value') return kinds.filter((kind) => kind !== 'object');
      const kind = kinds.find((known) => known === entry.value);
      return kind === undefined ? entry.refuse(`must be one of ${kinds.join(', ')}, value`) : [kind];
    });
    if (named === undefined || named.includes(null)) return null;
    const chosen = new Set((named as ElementKind[][]).flat());
    return { op: 'type', kinds: kinds.filter((kind) => chosen.has(kind)) };
  },
  compile(test) {
    const chosen = new Set<string>(test.kinds);
    const holds = (element: unknown): boolean => chosen.has(element === null ? 'null' : typeof element);
    return { on: 'element', holds, holdsAbsent: false };
  },
};
