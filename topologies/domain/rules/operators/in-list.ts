// in_list: an element is in the named list, as that list is when the rule is asked.
//
// The surprise: a list that does not exist is an empty one here; whoever knows the lists reports it.
import type { Operator } from './operator.ts';

export interface InListTest {
  readonly op: 'in_list';
  /** Id of a list. */
  readonly list: string;
  /** list: as the list says. identifier: as identifiers, whatever the list says. */
  readonly comparison: 'list' | 'identifier';
}

export const inListOperator: Operator<InListTest> = {
  parse(part) {
    const { value, comparison, lists } = part;
    if (comparison !== 'text' && comparison !== 'identifier')
      return part.refuse('this operator does not fit here');
    if (typeof value !== 'string' || !/^[a-z0-9][a-z0-9._-]{0,127}$/.test(value))
      return part.refuse('must be the id of a list');
    const list = lists?.get(value);
    if (lists !== undefined && list === undefined) return part.refuse(`the list ${value} does not exist`);
    if (comparison === 'identifier' && (list?.comparison === 'cidr' || list?.comparison === 'number'))
      return part.refuse(
        `the list ${value} is compared as ${list.comparison}; here it must hold identifiers`,
      );
    return { op: 'in_list', list: value, comparison: comparison === 'text' ? 'list' : 'identifier' };
  },
  compile({ list, comparison }) {
    return {
      on: 'element',
      holds: (element, { lists }) => lists.get(list)?.has(element, comparison) ?? false,
      holdsAbsent: false,
    };
  },
};
