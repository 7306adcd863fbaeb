// The matcher agrees with the naive reference evaluator on generated rules and hostile events.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../testing/oracle/arbitraries.ts';
import { oracleMatches } from '../../testing/oracle/match-rule.ts';
import { context } from '../../testing/rules.ts';
import { compileRules } from './compile.ts';
import { parseRule } from './parse-rule.ts';
import type { Subject } from './path.ts';

const cases = 3000;

function createRun() {
  const counts = { refused: 0, held: 0, missed: 0 };
  return {
    counts,
    /** Counts and compares one case; refused rules say nothing. */
    check(document: Rule, subject: Subject): void {
      const { rule } = parseRule(document);
      if (rule === null) {
        counts.refused += 1;
        return;
      }
      const expected = oracleMatches(document, {
        fields: subject.fields,
        ...(subject.search ? { search: subject.search } : {}),
      });
      const held = compileRules([{ ...rule, revision: 1 }]).match(subject, context).length === 1;
      counts[held ? 'held' : 'missed'] += 1;
      expect(held).toBe(expected);
    },
  };
}

// A generator that makes rules which never or always hold would prove nothing.
function expectMixed({ refused, held, missed }: ReturnType<typeof createRun>['counts']): void {
  expect(refused / cases).toBeLessThan(0.25);
  expect(held / (held + missed)).toBeGreaterThan(0.1);
  expect(missed / (held + missed)).toBeGreaterThan(0.1);
}

test('rules over events agree with the reference evaluator', () => {
  const run = createRun();
  const property = fc.property(eventRuleArbitrary, eventArbitrary, (document, fields) =>
    run.check(document, { source: 'events', fields, search: null }),
  );
  fc.assert(property, { numRuns: cases });
  expectMixed(run.counts);
});

test('rules over rows agree with the reference evaluator', () => {
  const run = createRun();
  const property = fc.property(rowRuleArbitrary, rowArbitrary, rowArbitrary, (document, fields, search) =>
    run.check(document, { source: 'search-results', fields, search }),
  );
  fc.assert(property, { numRuns: cases });
  expectMixed(run.counts);
});
