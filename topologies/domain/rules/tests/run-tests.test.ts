// Tests inside rules: what passes, what fails with which path and reason, and tests that cannot be asked.
import type { Rule } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { context } from '../../../testing/rules.ts';
import { parseRule } from '../parse-rule.ts';
import { ruleTestIssues, runRuleTests } from './run-tests.ts';

const finding = (severity: string) => ({ event: 'finding.new', data: { severity } });
const base = { kind: 'rule', id: 'r', when: { min_severity: 'high' }, then: [{ action: 'a' }] };
const issuesOf = (tests: unknown, more: object = {}) => ruleTestIssues({ ...base, ...more, tests }, context);

test('tests that hold', () => {
  const tests: Rule['tests'] = [
    { name: 'critical passes', event: finding('critical'), expect: 'match' },
    { event: finding('low'), expect: 'no_match' },
  ];
  const { rule } = parseRule({ ...base, tests });
  expect(runRuleTests(rule!, context)).toEqual([
    { index: 0, name: 'critical passes', ok: true, issues: [] },
    { index: 1, name: 'test 2', ok: true, issues: [] },
  ]);
});

test('a failing test names itself and says what happened', () => {
  expect(
    issuesOf([
      { event: finding('critical'), expect: 'match' },
      { event: finding('low'), expect: 'match' },
      { event: finding('high'), expect: 'no_match' },
    ]),
  ).toEqual([
    {
      path: '/tests/1',
      message:
        'expected a match, but it does not match; /when/min_severity does not hold: "high", found "low"',
    },
    {
      path: '/tests/2',
      message: 'expected no match, but it matches; /when/min_severity holds: "high", found "high"',
    },
  ]);
});

test('rows, with the search around them', () => {
  const rows = { source: 'search-results', when: { n: { gt: 1 }, 'search.job_id': 'j' } };
  const row = { n: 2 };
  expect(
    issuesOf(
      [
        { row, search: { job_id: 'j' }, expect: 'match' },
        { row, expect: 'no_match' },
      ],
      rows,
    ),
  ).toEqual([]);
});

test('a rule that is switched off or on trial is tested all the same', () => {
  for (const more of [{ enabled: false }, { shadow: true }])
    expect(issuesOf([{ event: finding('low'), expect: 'match' }], more)).toHaveLength(1);
});

test('a rule that matches everything', () => {
  const all = { when: {}, match_all: true };
  expect(issuesOf([{ event: finding('low'), expect: 'match' }], all)).toEqual([]);
  expect(issuesOf([{ event: finding('low'), expect: 'no_match' }], all)[0]?.message).toContain(
    '/match_all holds',
  );
});

test.each([
  [
    'an event of a rule over rows',
    { event: finding('low') },
    { source: 'search-results', when: { n: 1 } },
    '/event',
  ],
  ['a row of a rule over events', { row: {} }, {}, '/row'],
  ['no envelope', { event: { data: {} } }, {}, '/event/event'],
  ['a moment that is none', { event: finding('low'), now: 'yesterday' }, {}, '/now'],
])('%s cannot be asked', (_what, given, more, path) => {
  expect(issuesOf([{ ...given, expect: 'no_match' }], more).map((issue) => issue.path)).toEqual([
    `/tests/0${path}`,
  ]);
});

test('now is what the test says, else what the caller says', () => {
  const recent = { when: { 'data.seen': { after: 'now-7d' } } };
  const event = { event: 'e', data: { seen: '2026-01-14T00:00:00Z' } };
  expect(issuesOf([{ event, expect: 'match' }], recent)).toEqual([]);
  expect(issuesOf([{ event, now: '2026-03-01T00:00:00Z', expect: 'no_match' }], recent)).toEqual([]);
  expect(issuesOf([{ event, now: '2026-03-01T00:00:00Z', expect: 'match' }], recent)).toHaveLength(1);
});

test('a document that cannot be used is for others to report; one without tests is fine', () => {
  expect(
    ruleTestIssues({ ...base, when: { nonsense: 1 }, tests: [{ event: {}, expect: 'match' }] }, context),
  ).toEqual([]);
  expect(ruleTestIssues(base, context)).toEqual([]);
  expect(ruleTestIssues(null, context)).toEqual([]);
});
