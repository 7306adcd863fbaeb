// Whether a rule asks for something that must be found in an event. A rule that does not is asked about every event.
import type { Condition, FieldCondition } from '../condition.ts';

/**
 * Does the condition hold only where some value, text or field is there to be looked up? Negations, null, exists: false and
 * `match_all` give nothing to look up; of `any` every part must.
 */
export function hasWitness(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
      return condition.of.some(hasWitness);
    case 'any':
      return condition.of.every(hasWitness);
    case 'not':
      return condition.of.kind === 'not' && hasWitness(condition.of.of);
    case 'each':
      return true;
    case 'field':
      return fieldHasWitness(condition);
    default:
      return condition satisfies never;
  }
}

function fieldHasWitness({ tests }: FieldCondition): boolean {
  return tests.some((test) => {
    if (test.op === 'none' || test.op === 'not') return false;
    if (test.op === 'exists') return test.there;
    return test.op !== 'in' || !test.orNull;
  });
}
