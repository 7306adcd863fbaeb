// Which named lists a condition refers to.
import type { Condition } from './condition.ts';
import type { Test } from './operators/operators.ts';

/** Ids, each once, in the order of the condition. */
export function listsOf(condition: Condition): string[] {
  return [...new Set(idsIn(condition))];
}

function idsIn(condition: Condition): string[] {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.flatMap(idsIn);
    case 'not':
    case 'each':
      return idsIn(condition.of);
    case 'field':
      return condition.tests.flatMap(idsInTest);
    default:
      return condition satisfies never;
  }
}

function idsInTest(test: Test): string[] {
  if (test.op === 'not' || test.op === 'other_than') return test.tests.flatMap(idsInTest);
  return test.op === 'in_list' ? [test.list] : [];
}
