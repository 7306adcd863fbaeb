// The three-valued answer is the rule language's wherever it is known, and stays what it is whatever a missing field becomes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileCondition } from '../rules/compile.ts';
import { parseWhen } from '../rules/parse-condition.ts';
import { compileVerdict } from './tri-state.ts';

const names = ['a', 'b', 'c'];
const leaf = fc
  .tuple(
    fc.constantFrom(...names),
    fc.constantFrom(1, 2, 'x', { gte: 2 }, { exists: true }, { not: 1 }, { none: [1] }),
  )
  .map(([name, value]) => ({ [`vars.${name}`]: value }) as Record<string, unknown>);
const { tree } = fc.letrec<{ tree: Record<string, unknown> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
    fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
    tie('tree').map((not) => ({ not })),
  ),
}));
const values = fc.record(
  Object.fromEntries(names.map((name) => [name, fc.constantFrom(1, 2, 3, 'x', null)])),
  { requiredKeys: [] },
);
const context = { now: 0, lists: new Map() };
const exists = (when: unknown): boolean => JSON.stringify(when).includes('exists');

test('known is what the rule language says; unknown may become both or needs a field', () => {
  let unknown = 0;
  fc.assert(
    fc.property(tree, values, values, (when, vars, filler) => {
      const { condition, issues } = parseWhen(when, 'run');
      expect(issues).toEqual([]);
      const ask = compileVerdict(condition!);
      const of = (fields: object) => ({ source: 'events', fields: { vars: fields }, search: null }) as const;
      const verdict = ask(of(vars), context);
      if (verdict === null) unknown += 1;
      const complete = { a: 1, b: 1, c: 1, ...filler, ...vars };
      expect(ask(of(complete), context)).toBe(compileCondition(condition!)(of(complete), context));
      if (verdict !== null && !exists(when)) expect(ask(of(complete), context)).toBe(verdict);
    }),
    { numRuns: 2000 },
  );
  expect(unknown).toBeGreaterThan(100);
});
