// The compiled rules agree with the naive reference evaluator on generated rules, hostile events, rows and lists.
//
// TOCSIN_PROPERTY_RUNS is the number of comparisons in all, 5,000 without it.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertMixed } from '../../testing/assert-mixed.ts';
import {
  contextArbitrary,
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../testing/oracle/arbitraries.ts';
import { denseEventArbitrary, denseRuleArbitrary } from '../../testing/oracle/dense.ts';
import { compileRules, type RuleSet } from './compile.ts';
import { buildNamedLists } from './named-list.ts';
import { parseRule } from './parse-rule.ts';
import type { Subject } from './path.ts';
import { referenceMatches } from './reference/match-rule.ts';

const comparisons = Number(process.env['TOCSIN_PROPERTY_RUNS'] ?? 5_000);
/** Rules and subjects of one case: every rule meets every subject, because making them is what takes time. */
const perCase = 4;
const limit = { timeout: 30_000 + comparisons * 10 };

interface Compiled {
  readonly document: Rule;
  readonly ruleSet: RuleSet;
}

/** Rules that are refused say nothing and are left out here, so that every comparison counts. */
function compiled(rule: fc.Arbitrary<Rule>): fc.Arbitrary<Compiled> {
  return rule
    .map((document) => ({ document, rule: parseRule(document).rule }))
    .filter((parsed) => parsed.rule !== null)
    .map(({ document, rule }) => ({
      document,
      ruleSet: compileRules(rule === null ? [] : [{ ...rule, revision: 1 }]),
    }));
}

function several<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength: perCase, maxLength: perCase });
}

/** `part` of all comparisons. */
function expectAgreement(part: number, rule: fc.Arbitrary<Rule>, subject: fc.Arbitrary<Subject>): void {
  const numRuns = Math.ceil((comparisons * part) / perCase ** 2);
  const counts = { held: 0, missed: 0 };
  const property = fc.property(
    several(compiled(rule)),
    several(subject),
    contextArbitrary,
    (rules, subjects, context) => {
      const { lists, problems } = buildNamedLists(context.lists);
      expect(problems.size).toBe(0);
      for (const { document, ruleSet } of rules) {
        for (const asked of subjects) {
          const input = { fields: asked.fields, ...(asked.search ? { search: asked.search } : {}) };
          const held = ruleSet.match(asked, { now: context.now, lists }).length === 1;
          counts[held ? 'held' : 'missed'] += 1;
          if (held !== referenceMatches(document, input, context))
            expect.fail(`${held} for ${JSON.stringify({ when: document.when, ...input })}`);
        }
      }
    },
  );
  assertMixed(property, numRuns, () => {
    const all = counts.held + counts.missed;
    expect(all).toBeGreaterThanOrEqual(comparisons * part);
    // A generator that makes rules which never or always hold would prove nothing.
    expect(counts.held / all).toBeGreaterThan(0.05);
    expect(counts.missed / all).toBeGreaterThan(0.05);
  });
}

function asEvent(fields: Record<string, unknown>): Subject {
  return { source: 'events', fields, search: null };
}

test('rules over events agree with the reference evaluator', limit, () =>
  expectAgreement(0.25, eventRuleArbitrary, eventArbitrary.map(asEvent)),
);

test('rules over one field and over the elements of one list agree with it', limit, () =>
  expectAgreement(0.5, denseRuleArbitrary, denseEventArbitrary.map(asEvent)),
);

test('rules over rows agree with the reference evaluator', limit, () =>
  expectAgreement(
    0.25,
    rowRuleArbitrary,
    fc
      .tuple(rowArbitrary, rowArbitrary)
      .map(([fields, search]) => ({ source: 'search-results', fields, search })),
  ),
);
