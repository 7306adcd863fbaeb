// in_list: an element is in the named list, as that list is when the rule is asked.
//
// The surprise: a list that does not exist is an empty one here; saving such a rule is refused elsewhere.
import type { Operator } from './operator.ts';

export interface InListTest {
  readonly op: 'in_list';
  /** Id of a list. */
  readonly list: string;
  /** list: as the list says. identifier: as identifiers, whatever the list says. */
  readonly comparison: 'list' | 'identifier';
}

export const inListOperator: Operator<InListTest> = {
  parse: (part) => part.refuse('the operator in_list is not supported in this version'),
  compile: ({ list, comparison }) => ({
    on: 'element',
    holds: (element, { lists }) => lists.get(list)?.has(element, comparison) ?? false,
    holdsAbsent: false,
  }),
};
