// The linter is sound: what it says never or always holds does so for generated events, and what it says follows follows.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  contextArbitrary,
  eventArbitrary,
  eventRuleArbitrary,
  rowArbitrary,
  rowRuleArbitrary,
} from '../../../testing/oracle/arbitraries.ts';
import { denseEventArbitrary, denseRuleArbitrary } from '../../../testing/oracle/dense.ts';
import { compileCondition } from '../compile.ts';
import type { MatchContext } from '../context.ts';
import { type Outline, outlineRule } from '../explain/outline.ts';
import { buildNamedLists } from '../named-list.ts';
import { parseRule } from '../parse-rule.ts';
import type { Subject } from '../path.ts';
import { referenceMatches } from '../reference/match-rule.ts';
import type { ReferenceContext } from '../reference/one-element.ts';
import { type LintFinding, lintRule } from './lint.ts';

// TOCSIN_PROPERTY_RUNS is the number of rules that meet every event, in all; 600 without it.
const rules = Number(process.env['TOCSIN_PROPERTY_RUNS'] ?? 600);
const perCase = 6;
const numRuns = Math.ceil(rules / 3 / perCase);
const limit = { timeout: 30_000 + rules * 20 };

function placesOf(outline: Outline, places = new Map<string, Outline>()): Map<string, Outline> {
  // A single value of an alias stands at the place of the alias itself.
  if (!places.has(outline.path)) places.set(outline.path, outline);
  for (const part of outline.parts) placesOf(part, places);
  return places;
}

function createCheck() {
  const claims = { 'never-holds': 0, 'always-holds': 0, 'no-effect': 0 };

  function claim(
    finding: LintFinding,
    places: ReadonlyMap<string, Outline>,
    subject: Subject,
    context: MatchContext,
  ): void {
    const place = places.get(finding.path);
    if (place === undefined) return;
    const holds = compileCondition(place.condition)(subject, context);
    if (finding.code === 'never-holds') expect(holds, finding.path).toBe(false);
    if (finding.code === 'always-holds') expect(holds, finding.path).toBe(true);
    const other = finding.because === undefined ? undefined : places.get(finding.because);
    if (finding.code !== 'no-effect' || other === undefined) return;
    const otherHolds = compileCondition(other.condition)(subject, context);
    if (finding.message.startsWith('is covered') && holds) expect(otherHolds, finding.path).toBe(true);
    if (finding.message.startsWith('is implied') && otherHolds) expect(holds, finding.path).toBe(true);
  }

  return {
    claims,
    check(document: Rule, subjects: readonly Subject[], given: ReferenceContext): void {
      const { rule } = parseRule(document);
      if (rule === null) return;
      const context = { now: given.now, lists: buildNamedLists(given.lists).lists };
      const places = placesOf(outlineRule(rule));
      for (const finding of lintRule(document)) {
        if (finding.code in claims) claims[finding.code as keyof typeof claims] += 1;
        for (const subject of subjects) claim(finding, places, subject, context);
        if (finding.path !== '/when') continue;
        // The whole rule is also put to the reference evaluator.
        for (const { fields, search } of subjects) {
          const matches = referenceMatches(document, { fields, ...(search ? { search } : {}) }, given);
          if (finding.code === 'never-holds') expect(matches).toBe(false);
          if (finding.code === 'always-holds') expect(matches).toBe(true);
        }
      }
    },
  };
}

function several<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength: perCase, maxLength: perCase });
}

function checkAll(documents: fc.Arbitrary<Rule>, subjects: fc.Arbitrary<Subject>): void {
  const { claims, check } = createCheck();
  const property = fc.property(
    several(documents),
    several(subjects),
    contextArbitrary,
    (given, asked, context) => {
      for (const document of given) check(document, asked, context);
    },
  );
  fc.assert(property, { numRuns });
  // A linter that claims nothing would be sound too.
  for (const [code, count] of Object.entries(claims)) expect([code, count > 0]).toEqual([code, true]);
}

/** Rules over one field, together in a block: they contradict and cover each other often. */
const denseBlocks = fc
  .tuple(denseRuleArbitrary, denseRuleArbitrary, fc.constantFrom('any', 'all'), fc.boolean(), fc.boolean())
  .map(([one, two, block, first, second]): Rule => {
    const part = ({ when }: Rule, negated: boolean) => (negated ? { not: when } : when);
    return { ...one, when: { [block]: [part(one, first), part(two, second), part(one, second)] } };
  });

const event = (fields: Record<string, unknown>): Subject => ({ source: 'events', fields, search: null });

test('rules over events', limit, () => checkAll(eventRuleArbitrary, eventArbitrary.map(event)));

test('conditions on one field', limit, () => checkAll(denseBlocks, denseEventArbitrary.map(event)));

test('rules over rows', limit, () =>
  checkAll(
    rowRuleArbitrary,
    fc
      .tuple(rowArbitrary, rowArbitrary)
      .map(([fields, search]) => ({ source: 'search-results', fields, search })),
  ),
);
