// Conditions that no lookup structure answers: they are asked of the parsed event, once per event, when all else holds.
//
// Invariant: equal conditions have one number, so that many rules with the same list or pattern ask once.
import { compileCondition } from '../compile.ts';
import type { Condition } from '../condition.ts';
import type { MatchContext } from '../context.ts';
import type { Subject } from '../path.ts';

export interface Exotics {
  /** The number of the condition. */
  intern(condition: Condition): number;
  holds(exotic: number, subject: Subject, context: MatchContext): boolean;
  readonly size: number;
}

type Holds = (subject: Subject, context: MatchContext) => boolean;

export function createExotics(): Exotics {
  const byKey = new Map<string, number>();
  const conditions: Condition[] = [];
  const compiled: (Holds | undefined)[] = [];
  return {
    get size() {
      return conditions.length;
    },
    intern(condition) {
      const key = JSON.stringify(condition);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      byKey.set(key, conditions.length);
      conditions.push(condition);
      compiled.push(undefined);
      return conditions.length - 1;
    },
    holds(exotic, subject, context) {
      // Compiled when first asked: most patterns are never reached.
      let holds = compiled[exotic];
      if (holds === undefined) {
        holds = compileCondition(conditions[exotic] as Condition);
        compiled[exotic] = holds;
      }
      return holds(subject, context);
    },
  };
}
