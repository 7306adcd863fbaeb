// The linter is sound: what it says never or always holds does so for generated events, and what it says follows follows.
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
import { context } from '../../../testing/rules.ts';
import { compileCondition } from '../compile.ts';
import { type Outline, outlineRule } from '../explain/outline.ts';
import { parseRule } from '../parse-rule.ts';
import type { Subject } from '../path.ts';
import { type LintFinding, lintRule } from './lint.ts';

const rules = 800;

function placesOf(outline: Outline, places = new Map<string, Outline>()): Map<string, Outline> {
  // A single value of an alias stands at the place of the alias itself.
  if (!places.has(outline.path)) places.set(outline.path, outline);
  for (const part of outline.parts) placesOf(part, places);
  return places;
}

function createCheck() {
  const claims = { 'never-holds': 0, 'always-holds': 0, 'no-effect': 0 };

  function claim(finding: LintFinding, places: ReadonlyMap<string, Outline>, subject: Subject): void {
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
    check(document: Rule, subjects: readonly Subject[]): void {
      const { rule } = parseRule(document);
      if (rule === null) return;
      const findings = lintRule(document);
      const places = placesOf(outlineRule(rule));
      for (const finding of findings) {
        if (finding.code in claims) claims[finding.code as keyof typeof claims] += 1;
        for (const subject of subjects) claim(finding, places, subject);
        if (finding.path !== '/when') continue;
        // The whole rule is also put to the reference evaluator.
        for (const { fields, search } of subjects) {
          const matches = oracleMatches(document, { fields, ...(search ? { search } : {}) });
          if (finding.code === 'never-holds') expect(matches).toBe(false);
          if (finding.code === 'always-holds') expect(matches).toBe(true);
        }
      }
    },
  };
}

test('rules over events', () => {
  const { claims, check } = createCheck();
  const events = fc.array(eventArbitrary, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(eventRuleArbitrary, events, (document, given) =>
      check(
        document,
        given.map((fields) => ({ source: 'events', fields, search: null })),
      ),
    ),
    { numRuns: rules },
  );
  // A linter that claims nothing would be sound too.
  for (const [code, count] of Object.entries(claims)) expect([code, count > 3]).toEqual([code, true]);
});

test('rules over rows', () => {
  const { claims, check } = createCheck();
  const rows = fc.array(fc.tuple(rowArbitrary, rowArbitrary), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(rowRuleArbitrary, rows, (document, given) =>
      check(
        document,
        given.map(([fields, search]) => ({ source: 'search-results', fields, search })),
      ),
    ),
    { numRuns: rules },
  );
  for (const [code, count] of Object.entries(claims)) expect([code, count > 3]).toEqual([code, true]);
});
