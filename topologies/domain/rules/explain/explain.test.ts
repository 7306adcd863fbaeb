// What an explanation says: paths of the document, verdicts, what was found, why a field is absent; and its limits.
import type { Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { context, type Fields } from '../../../testing/rules.ts';
import { parseRule } from '../parse-rule.ts';
import { type Explanation, explainRule } from './explain.ts';
import { decisiveReasons, explanationLines } from './explain-text.ts';
import { explainLimits } from './found.ts';

function explain(when: Fields | undefined, data: Fields, more: Partial<Rule> = {}): Explanation {
  const document = { kind: 'rule', id: 'r', ...(when ? { when } : {}), then: [{ action: 'a' }], ...more };
  const { rule, issues } = parseRule(document);
  expect(issues).toEqual([]);
  return explainRule(
    rule!,
    { source: 'events', fields: { event: 'finding.new', data }, search: null },
    context,
  );
}

/** `path verdict` of every node. */
const outline = (node: Explanation): string[] => [
  `${node.path} ${node.holds}`,
  ...node.parts.flatMap(outline),
];

test('every block, condition and operator has its verdict and its place', () => {
  const when = {
    min_severity: 'high',
    'data.cvss': { gte: 7, not: { gt: 9 } },
    any: [{ 'data.a': 'x' }, { 'data.b/c': ['y', 'z'] }],
    not: { 'data.lab': true },
    exclude: ['finding.info', 'scan.*'],
  };
  expect(outline(explain(when, { severity: 'critical', cvss: 9.8, 'b/c': 'Z' }))).toEqual([
    '/when false',
    '/when/min_severity true',
    '/when/data.cvss false',
    '/when/data.cvss/gte true',
    '/when/data.cvss/not false',
    '/when/data.cvss/not/gt true',
    '/when/any true',
    '/when/any/0 false',
    '/when/any/0/data.a false',
    '/when/any/1 true',
    '/when/any/1/data.b~1c true',
    '/when/not true',
    '/when/not/data.lab false',
    '/when/exclude true',
    '/when/exclude/0 false',
    '/when/exclude/1 false',
  ]);
});

test('what was found and why a field is absent', () => {
  const of = (when: Fields, data: Fields): Explanation => explain(when, data).parts[0]!;
  expect(of({ 'data.tags': 'x' }, { tags: ['a', ['b'], { c: 1 }] })).toMatchObject({
    found: { count: 3, elements: ['"a"', '"b"', '{"c":1}'] },
    wanted: '"x"',
  });
  const note = (path: string, data: Fields) => of({ [path]: 'x' }, data).note;
  expect(note('data.asset.nme', { asset: { id: 1, name: 'x' } })).toBe(
    'absent: data.asset has no nme; it has id, name',
  );
  expect(note('data.asset.name', { asset: 'host' })).toBe('absent: data.asset is a text');
  expect(note('data.asset.name', { asset: [] })).toBe('absent: data.asset is an empty list and has no name');
  expect(note('data.asset.name', { asset: {} })).toBe('absent: data.asset has no name; it is empty');
  expect(note('data.asset.name', {})).toBe('absent: data has no asset.name; it is empty');
  expect(note('tenant', {})).toBe('absent: it has no tenant; it has event, data');
  expect(note('asset_tags', {})).toBe('absent: none of data.asset.tags, data.asset_tags');
  expect(of({ 'data.a': { exists: false } }, {})).toMatchObject({ holds: true, found: { count: null } });
});

test('operators that hold for different elements only', () => {
  const { holds, note, parts } = explain({ 'data.n': { gt: 5, in: [1] } }, { n: [1, 9] }).parts[0]!;
  expect([holds, parts.map((part) => part.holds), note]).toEqual([
    false,
    [true, true],
    'each operator holds, but not for the same element',
  ]);
});

test('an absent field: each operator says for itself whether it holds', () => {
  const absent = explain({ 'data.a': { in: ['x', null], not: 'y' }, 'data.b': { exists: false } }, {});
  expect(outline(absent)).toEqual([
    '/when false',
    '/when/data.a false',
    '/when/data.a/in true',
    '/when/data.a/not false',
    '/when/data.b true',
    '/when/data.b/exists true',
  ]);
});

test('a rule without conditions, and one for the other source', () => {
  expect(explain(undefined, {}, { match_all: true })).toMatchObject({ path: '/match_all', holds: true });
  expect(explain({ a: 1 }, {}, { source: 'search-results' })).toMatchObject({
    path: '/source',
    holds: false,
    note: 'the rule looks at search-results',
  });
});

describe('size', () => {
  const size = (node: Explanation): number => 1 + node.parts.reduce((sum, part) => sum + size(part), 0);

  test('large values are cut', () => {
    const huge = { text: 'x'.repeat(100_000), list: Array.from({ length: 10_000 }, (_, index) => index) };
    const { found } = explain({ 'data.huge': 'y', 'data.list': 'y' }, { huge: [huge], list: huge.list })
      .parts[0]!;
    expect(found?.elements[0]?.length).toBeLessThanOrEqual(explainLimits.characters + 1);
    const text = JSON.stringify(explain({ 'data.list': 'y' }, { list: huge.list }));
    expect(text.length).toBeLessThan(1_000);
  });

  test('names of the event are cut', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`${index}`.repeat(90), 1]));
    expect(JSON.stringify(explain({ 'data.a.b': 'y' }, { a: many })).length).toBeLessThan(1_500);
  });

  test('a rule at its limits', () => {
    const blocks = Array.from({ length: 120 }, () => ({ 'data.a': { in: ['x'], prefix: 'x' } }));
    expect(size(explain({ any: blocks }, { a: 'y' }))).toBeLessThan(explainLimits.nodes * 2);
  });
});

test('lines for a terminal: verdict, place, and nothing that moves the cursor', () => {
  const lines = explanationLines(
    explain({ 'data.a': ['x'], 'data.n': { gt: 1 } }, { a: '\u001b[2J\u202e', n: 2 }),
  );
  expect(lines).toEqual([
    '- when   /when',
    '  - data.a: ["x"]   found "\\u001b[2J\ufffd"   /when/data.a',
    '  + data.n: {"gt":1}   found 2   /when/data.n',
    '    + gt: 1   /when/data.n/gt',
  ]);
});

test('reasons: the conditions that decide', () => {
  const when = { min_severity: 'high', any: [{ 'data.a': 'x' }, { 'data.b': 'y' }], 'data.ok': 1 };
  expect(decisiveReasons(explain(when, { severity: 'low', ok: 1, b: 2 }))).toEqual([
    '/when/min_severity does not hold: "high", found "low"',
    '/when/any/0/data.a does not hold: "x", absent: data has no a; it has severity, ok, b',
    '/when/any/1/data.b does not hold: "y", found 2',
  ]);
  expect(decisiveReasons(explain({ not: { 'data.a': 'x' } }, { a: 'X' }))).toEqual([
    '/when/not/data.a holds: "x", found "X"',
  ]);
});

test('operators that are several tests, or one together', () => {
  const when = {
    'data.a': { cased: { prefix: 'Ab' }, suffix: 'Z', other_than: { contains: 'q' } },
    'data.at': { after: '2026-01-01', before: 'now', hour: [12], weekday: 'thu' },
    'data.r': { regex: '^A', flags: 'i' },
    each: { path: 'data.list', match: { s: { gte: 5 }, 'element.t': 'x' } },
  };
  const data = {
    a: 'abcz',
    at: '2026-01-15T11:00:00Z',
    r: 'a',
    list: [{ s: 9, t: 'y' }, 7, { s: 5, t: 'X' }],
  };
  expect(outline(explain(when, data))).toEqual([
    '/when false',
    '/when/data.a false',
    '/when/data.a/cased false',
    '/when/data.a/suffix true',
    '/when/data.a/other_than true',
    '/when/data.a/other_than/contains false',
    '/when/data.at false',
    '/when/data.at/after true',
    '/when/data.at/before true',
    '/when/data.at/hour false',
    '/when/data.at/weekday false',
    '/when/data.r true',
    '/when/data.r/regex true',
    '/when/data.r/flags true',
    '/when/each true',
    '/when/each/match false',
    '/when/each/match/s true',
    '/when/each/match/s/gte true',
    '/when/each/match/element.t false',
    '/when/each/match false',
    '/when/each/match true',
    '/when/each/match/s true',
    '/when/each/match/s/gte true',
    '/when/each/match/element.t true',
  ]);
  expect(explain({ each: { path: 'data.l', match: { s: 1 } } }, { l: [] }).parts[0]).toMatchObject({
    holds: false,
    found: { count: 0 },
    note: 'one element has to hold',
  });
});
