// Conditions that no lookup structure answers: they are asked of values, once per event, when all else holds.
//
// Invariant: equal conditions have one number, so that many rules with the same list or pattern ask once.
// Surprise: most need the elements of their own field only; the whole event is parsed for the others (each, field, texts below
// a path) and for candidates alone.
import { compileCondition } from '../compile.ts';
import type { Condition } from '../condition.ts';
import { compileTests, type Test } from '../operators/operators.ts';
import type { Subject } from '../path.ts';
import { type Run, subjectOf, valuesOf } from './run.ts';

export interface Exotics {
  /** The number of the condition. */
  intern(condition: Condition): number;
  /** `field` is that of the condition's paths. */
  holds(exotic: number, run: Run, field: number): boolean;
}

type Holds = (run: Run, field: number) => boolean;

export function createExotics(): Exotics {
  const byKey = new Map<string, number>();
  const conditions: Condition[] = [];
  const compiled: (Holds | undefined)[] = [];
  return {
    intern(condition) {
      const key = JSON.stringify(condition);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      byKey.set(key, conditions.length);
      conditions.push(condition);
      compiled.push(undefined);
      return conditions.length - 1;
    },
    holds(exotic, run, field) {
      // Compiled when first asked: most patterns are never reached.
      let holds = compiled[exotic];
      if (holds === undefined) {
        holds = compile(conditions[exotic] as Condition);
        compiled[exotic] = holds;
      }
      return holds(run, field);
    },
  };
}

function compile(condition: Condition): Holds {
  if (condition.kind === 'field' && !needsEvent(condition.tests)) {
    if (!condition.paths.some(({ root }) => root === 'texts')) {
      const { holds, holdsAbsent } = compileTests(condition.tests);
      return (run, field) => {
        const values = valuesOf(run, field);
        return values === null ? holdsAbsent : holds(values, run.context, nobody);
      };
    }
  }
  const holds = compileCondition(condition);
  return (run) => holds(subjectOf(run), run.context);
}

/** For tests that do not look at it. */
const nobody: Subject = { source: 'events', fields: {}, search: null };

function needsEvent(tests: readonly Test[]): boolean {
  return tests.some(
    (test) =>
      test.op === 'field' || ((test.op === 'not' || test.op === 'other_than') && needsEvent(test.tests)),
  );
}
