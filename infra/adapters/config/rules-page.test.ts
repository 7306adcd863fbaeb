// docs/rules.md is executed: every YAML block is a document without errors, the tests in it hold, and every row of the
// table of operators holds for what it says and for nothing that it says it does not.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Rule, ValueList } from '@tocsin/schemas/types.ts';
import { compileRules } from '@tocsin/topologies/domain/rules/compile.ts';
import type { MatchContext } from '@tocsin/topologies/domain/rules/context.ts';
import { buildNamedLists } from '@tocsin/topologies/domain/rules/named-list.ts';
import { parseRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import type { Subject } from '@tocsin/topologies/domain/rules/path.ts';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const page = readFileSync(fileURLToPath(new URL('../../../docs/rules.md', import.meta.url)), 'utf8');
const documents = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(
  ([, text]) => parse(text as string) as Rule | ValueList,
);
const rules = documents.filter((document) => document.kind === 'rule');
const listDocuments = documents.filter((document) => document.kind === 'list');
const named = buildNamedLists(new Map(listDocuments.map((list) => [list.id, list])));
const context: MatchContext = { now: Date.parse('2026-01-15T12:00:00Z'), lists: named.lists };

function matches(document: unknown, subject: Subject): boolean {
  const { rule, issues } = parseRule(document, { lists: named.lists });
  expect(issues).toEqual([]);
  return compileRules(rule === null ? [] : [{ ...rule, revision: 1 }]).match(subject, context).length === 1;
}

test('every block is a rule or a list, and every list can be used', () => {
  expect(rules.length + listDocuments.length).toBe(documents.length);
  expect(rules.length).toBeGreaterThan(3);
  expect([named.lists.size, [...named.problems]]).toEqual([listDocuments.length, []]);
});

describe.each(rules.map((rule) => [rule.id, rule] as const))('the rule %s', (_id, rule) => {
  test('has no errors', () => expect(parseRule(rule, { lists: named.lists }).issues).toEqual([]));
  for (const one of rule.tests ?? []) {
    test(`${one.name ?? JSON.stringify(one)}`, () => {
      const subject: Subject =
        'event' in one
          ? { source: 'events', fields: one.event, search: null }
          : { source: 'search-results', fields: one.row, search: one.search ?? {} };
      expect(matches(rule, subject) ? 'match' : 'no_match').toBe(one.expect);
    });
  }
});

const rows = [...page.matchAll(/^\| `([^|]+)` \| (`[^|]+`) \| (`[^|]+`) \|$/gm)].map(
  ([, condition = '', held = '', missed = '']) => ({
    condition,
    held: examples(held),
    missed: examples(missed),
  }),
);

function examples(cell: string): unknown[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => parse(text as string));
}

test('every operator has a row', () => {
  const operators =
    'null in any all none not cased gte lt prefix suffix contains contains_all wildcard regex flags cidr after before hour weekday time_zone field in_list exists each other_than type'.split(
      ' ',
    );
  const shown = rows.map(({ condition }) => condition).join('\n');
  expect(operators.filter((name) => !new RegExp(`\\b${name}\\b`).test(shown))).toEqual([]);
  expect(rows.length).toBeGreaterThan(30);
});

test.each(rows)('$condition', ({ condition, held, missed }) => {
  const document = { kind: 'rule', id: 'r', when: parse(condition), then: [{ action: 'a' }] };
  const holds = (data: unknown): boolean =>
    matches(document, { source: 'events', fields: { event: 'finding.new', data }, search: null });
  expect(held.length * missed.length).toBeGreaterThan(0);
  for (const data of held) expect([data, holds(data)]).toEqual([data, true]);
  for (const data of missed) expect([data, holds(data)]).toEqual([data, false]);
});
