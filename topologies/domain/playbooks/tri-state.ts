// Conditions of a playbook: the rule language's, with a third answer for fields that are not there.
//
// Invariant: where every field is there the answer is that of the rule language. Kleene's logic: a missing field makes a condition
// unknown unless the rest decides it alone. Surprise: `exists` asks whether a field is there, so it is never unknown; null is a value.
import { compileCondition } from '../rules/compile.ts';
import type { Condition } from '../rules/condition.ts';
import type { MatchContext } from '../rules/context.ts';
import { elementsAt, type Subject } from '../rules/path.ts';

export type Verdict = boolean | null;

export type Ask = (subject: Subject, context: MatchContext) => Verdict;

/** The condition as a function; null is unknown. Never throws. */
export function compileVerdict(condition: Condition): Ask {
  switch (condition.kind) {
    case 'all':
    case 'any': {
      const decisive = condition.kind === 'any';
      const parts = condition.of.map(compileVerdict);
      return (subject, context) => {
        let verdict: Verdict = !decisive;
        for (const part of parts) {
          const one = part(subject, context);
          if (one === decisive) return decisive;
          if (one === null) verdict = null;
        }
        return verdict;
      };
    }
    case 'not': {
      const part = compileVerdict(condition.of);
      return (subject, context) => {
        const verdict = part(subject, context);
        return verdict === null ? null : !verdict;
      };
    }
    case 'each': {
      const holds = compileCondition(condition);
      const { paths } = condition;
      return (subject, context) => (elementsAt(subject, paths) === null ? null : holds(subject, context));
    }
    case 'field': {
      const holds = compileCondition(condition);
      const { paths, tests } = condition;
      const asksWhether = tests.some(({ op }) => op === 'exists');
      const others = tests.flatMap((test) => (test.op === 'field' ? [[test.path]] : []));
      return (subject, context) => {
        if (!asksWhether && elementsAt(subject, paths) === null) return null;
        if (others.some((other) => elementsAt(subject, other) === null)) return null;
        return holds(subject, context);
      };
    }
    default:
      return condition satisfies never;
  }
}
