// Asks one condition about one event or row, for the tests that pin the rule language. Only for tests.
import type { Rule } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { compileRules } from '../domain/rules/compile.ts';
import type { MatchContext } from '../domain/rules/context.ts';
import { parseRule } from '../domain/rules/parse-rule.ts';

export type Fields = Record<string, unknown>;

/** 2026-01-15T12:00:00Z, and no lists. */
export const context: MatchContext = { now: 1_768_478_400_000, lists: new Map() };

function compile(document: Partial<Rule>) {
  const full = { kind: 'rule', id: 'r', then: [{ action: 'a' }], ...document };
  const { rule, issues } = parseRule(full);
  expect(issues).toEqual([]);
  return compileRules(rule === null ? [] : [{ ...rule, revision: 1 }]);
}

/** Whether `when` holds for an event with these members of data. */
export function holds(when: Fields, data: Fields, envelope: Fields = {}): boolean {
  const fields = { event: 'finding.new', ...envelope, data };
  return compile({ when }).match({ source: 'events', fields, search: null }, context).length === 1;
}

export function holdsForRow(when: Fields, row: Fields, search: Fields = {}): boolean {
  return (
    compile({ source: 'search-results', when }).match(
      { source: 'search-results', fields: row, search },
      context,
    ).length === 1
  );
}

export type Case = readonly [statement: string, when: Fields, data: Fields, expected: boolean];

export function pin(cases: readonly Case[]): void {
  test.each(cases)('%s: %j on %j', (_statement, when, data, expected) =>
    expect(holds(when, data)).toBe(expected),
  );
}
