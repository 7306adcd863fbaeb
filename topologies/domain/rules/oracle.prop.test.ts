// The compiled rules agree with the naive reference evaluator on generated rules, hostile events, rows and lists.
//
// TOCSIN_PROPERTY_RUNS is the number of comparisons in all, 8,000 without it.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  contextArbitrary,
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../testing/oracle/arbitraries.ts';
import { denseEventArbitrary, denseRuleArbitrary } from '../../testing/oracle/dense.ts';
import { oracleMatches } from '../../testing/oracle/match-rule.ts';
import type { OracleContext } from '../../testing/oracle/one-element.ts';
import { compileRules } from './compile.ts';
import { buildNamedLists } from './named-list.ts';
import { parseRule } from './parse-rule.ts';
import type { Subject } from './path.ts';

const comparisons = Number(process.env['TOCSIN_PROPERTY_RUNS'] ?? 8_000);
/** A third of them for each kind of rules and subjects. */
const share = comparisons / 3;
/** Rules and subjects of one case: every rule meets every subject, because making them is what takes time. */
const perCase = 4;
const numRuns = Math.ceil(share / perCase ** 2);
const limit = { timeout: 30_000 + comparisons * 10 };

function createRun() {
  const counts = { rules: 0, refused: 0, held: 0, missed: 0 };
  return {
    counts,
    check(rules: readonly Rule[], subjects: readonly Subject[], context: OracleContext): void {
      const { lists, problems } = buildNamedLists(context.lists);
      expect(problems.size).toBe(0);
      for (const document of rules) {
        counts.rules += 1;
        const { rule } = parseRule(document);
        if (rule === null) {
          counts.refused += 1;
          continue;
        }
        const ruleSet = compileRules([{ ...rule, revision: 1 }]);
        for (const subject of subjects) {
          const input = { fields: subject.fields, ...(subject.search ? { search: subject.search } : {}) };
          const held = ruleSet.match(subject, { now: context.now, lists }).length === 1;
          counts[held ? 'held' : 'missed'] += 1;
          if (held !== oracleMatches(document, input, context))
            expect.fail(`${held} for ${JSON.stringify({ when: document.when, ...input })}`);
        }
      }
    },
  };
}

// A generator that makes rules which never or always hold would prove nothing.
function expectMixed({ rules, refused, held, missed }: ReturnType<typeof createRun>['counts']): void {
  expect(refused / rules).toBeLessThan(0.35);
  expect(held / (held + missed)).toBeGreaterThan(0.1);
  expect(missed / (held + missed)).toBeGreaterThan(0.1);
}

function several<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength: perCase, maxLength: perCase });
}

function eventsAgree(rule: fc.Arbitrary<Rule>, event: fc.Arbitrary<Record<string, unknown>>): void {
  const run = createRun();
  const property = fc.property(several(rule), several(event), contextArbitrary, (rules, events, context) =>
    run.check(
      rules,
      events.map((fields) => ({ source: 'events', fields, search: null })),
      context,
    ),
  );
  fc.assert(property, { numRuns });
  expectMixed(run.counts);
}

test('rules over events agree with the reference evaluator', limit, () =>
  eventsAgree(eventRuleArbitrary, eventArbitrary),
);

test('rules over one field and over the elements of one list agree with it', limit, () =>
  eventsAgree(denseRuleArbitrary, denseEventArbitrary),
);

test('rules over rows agree with the reference evaluator', limit, () => {
  const run = createRun();
  const property = fc.property(
    several(rowRuleArbitrary),
    several(fc.tuple(rowArbitrary, rowArbitrary)),
    contextArbitrary,
    (rules, rows, context) =>
      run.check(
        rules,
        rows.map(([fields, search]) => ({ source: 'search-results', fields, search })),
        context,
      ),
  );
  fc.assert(property, { numRuns });
  expectMixed(run.counts);
});
