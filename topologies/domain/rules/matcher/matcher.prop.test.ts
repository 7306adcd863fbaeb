// The matcher agrees with the reference evaluator on sets of generated rules under changes: hostile events as bytes and as values,
// rows of search results.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../../testing/oracle/arbitraries.ts';
import { oracleMatches } from '../../../testing/oracle/match-rule.ts';
import { parseRule, type RuleRevision } from '../parse-rule.ts';
import { createMatcher, type Matcher } from './matcher.ts';

const context = { now: Date.UTC(2026, 10, 20), lists: new Map() };
const runs = Number(process.env['MATCHER_RUNS'] ?? 400);

function create(): Matcher {
  return createMatcher({ createScanner, hashText, seed: 77 });
}

function revise(document: Rule, id: string, priority: number): RuleRevision | null {
  const named = { ...document, id, priority };
  const { rule } = parseRule(named);
  return rule && { ...rule, revision: 1 };
}

const ids = (rules: readonly RuleRevision[]): string[] => rules.map(({ document }) => document.id);

function expected(rules: Iterable<RuleRevision>, source: string, holds: (rule: Rule) => boolean): string[] {
  return [...rules]
    .map(({ document }) => document)
    .filter((document) => (document.source ?? 'events') === source && holds(document))
    .sort((a, b) => (b.priority ?? 50) - (a.priority ?? 50) || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}

/** A change: a rule under one of a few ids, or the removal of one. */
const change = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
  fc.integer({ min: 49, max: 51 }),
);

test('events as bytes and as values agree with the reference evaluator, whatever was put and removed', () => {
  const seen = { ok: 0, irregular: 0, held: 0, missed: 0 };
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('put' as const), change, eventRuleArbitrary) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('remove' as const), change, fc.constant(null)) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('ask' as const), change, eventArbitrary) },
  );
  const property = fc.property(fc.array(step, { minLength: 8, maxLength: 60 }), (steps) => {
    const matcher = create();
    const rules = new Map<string, RuleRevision>();
    for (const [kind, [id, priority], what] of steps) {
      if (kind === 'put') {
        const rule = revise(what as Rule, id, priority);
        if (rule === null) continue;
        matcher.put(rule);
        rules.set(id, rule);
      } else if (kind === 'remove') {
        expect(matcher.remove(id)).toBe(rules.delete(id));
      } else {
        // Names that the scanner leaves to the other way are rare in the world and common here.
        const text = JSON.stringify(what);
        const bytes = Buffer.from(
          priority === 50
            ? text
            : text.replaceAll('"__proto__":', '"b":').replaceAll('"constructor":', '"tags":'),
        );
        const parsed = parseJson(bytes);
        if (!parsed.ok) continue;
        const fields = parsed.value;
        const wanted = expected(rules.values(), 'events', (rule) => oracleMatches(rule, { fields }));
        expect(ids(matcher.match({ source: 'events', fields, search: null }, context))).toEqual(wanted);
        const padded = Buffer.concat([Buffer.from('}{'), bytes, Buffer.from('"')]);
        const found = matcher.matchBytes(padded, 2, padded.length - 1, context);
        seen[found.verdict] += 1;
        if (found.verdict === 'ok') expect(ids(found.rules)).toEqual(wanted);
        seen.held += wanted.length;
        seen.missed += rules.size - wanted.length;
      }
      expect(matcher.size).toBe(rules.size);
    }
  });
  fc.assert(property, { numRuns: runs });
  // A generator that makes events which are all left to the other way, or rules that never hold, would prove nothing.
  expect(seen.ok).toBeGreaterThan(seen.irregular / 4);
  expect(seen.held).toBeGreaterThan(seen.missed / 10);
  expect(seen.missed).toBeGreaterThan(seen.held / 10);
});

test('rows agree with the reference evaluator', () => {
  const property = fc.property(
    fc.array(rowRuleArbitrary, { minLength: 1, maxLength: 20 }),
    fc.array(fc.tuple(rowArbitrary, rowArbitrary), { minLength: 1, maxLength: 6 }),
    (documents, rows) => {
      const matcher = create();
      const rules = documents.flatMap((document, index) => revise(document, `r${index}`, 50) ?? []);
      for (const rule of rules) matcher.put(rule);
      for (const [fields, search] of rows) {
        const wanted = expected(rules, 'search-results', (rule) => oracleMatches(rule, { fields, search }));
        expect(ids(matcher.match({ source: 'search-results', fields, search }, context))).toEqual(wanted);
      }
    },
  );
  fc.assert(property, { numRuns: runs });
});
