// What the linter finds, each kind with a rule that has it and one beside it that has not.
import type { Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { type LintFinding, lintRule } from './lint.ts';
import { distance, nearestName } from './near-miss.ts';

type When = Record<string, unknown>;

const lint = (when: When, more: Partial<Rule> = {}): LintFinding[] =>
  lintRule({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }], ...more });
const outline = (when: When, more: Partial<Rule> = {}): string[] =>
  lint({ events: ['finding.new'], ...when }, more).map(({ code, path }) => `${code} ${path}`);

describe('never', () => {
  test.each<[string, When, string?]>([
    ['equality and bounds', { 'data.a': { in: [1, 2], gt: 5 } }, '/when'],
    ['a text and a number', { 'data.a': { prefix: 'x', gt: 5 } }, '/when'],
    ['text operators', { 'data.a': { in: ['admin', 'root'], suffix: '.lab' } }, '/when'],
    ['equality with another case', { 'data.a': { in: ['admin'], cased: ['Root'] } }, '/when'],
    ['in and none', { 'data.a': { in: ['a', 'B'], none: ['A', 'b', 'c'] } }, '/when'],
    ['in and not', { 'data.a': { in: ['abc'], not: { prefix: 'a' } } }, '/when'],
    ['absent with a value', { 'data.a': { exists: false, in: ['a'] } }, '/when'],
    [
      'absent and present in two conditions',
      { all: [{ 'data.a': { exists: false } }, { 'data.a': 'x' }] },
      '/when',
    ],
    ['a condition and its negation', { 'data.a': 'x', not: { 'data.a': ['X', 'y'] } }, '/when'],
    ['a severity above critical', { severity: { gt: 'critical' } }, '/when'],
    [
      'min_severity and what is excluded',
      { min_severity: 'critical', exclude: ['finding.critical'] },
      '/when',
    ],
    [
      'min_severity and a not block',
      { min_severity: 'high', not: { severity: ['important', 'critical'] } },
      '/when',
    ],
    ['events that are all excluded', { exclude: ['finding.*'] }, '/when'],
    ['two event types at once', { event: 'scan.completed' }, '/when'],
    ['each', { each: { path: 'data.list', match: { status: { in: ['a'], none: ['a'] } } } }, '/when'],
    [
      'a network without all of it',
      { 'data.ip': { cidr: ['10.1.0.0/16', '10.2.0.0/16'], not: { cidr: '10.0.0.0/8' } } },
      '/when',
    ],
    ['a pattern and not that pattern', { 'data.a': { wildcard: 'a*b', not: { wildcard: 'a*b' } } }, '/when'],
    ['a bound and not a wider one', { 'data.a': { gte: 7, not: { gt: 5 } } }, '/when'],
    ['two spellings of one number', { 'data.a': { in: ['9'], gte: 9 } }, '/when'],
  ])('%s', (_what, when, path) => {
    expect(outline(when)).toEqual([`never-holds ${path}`]);
  });

  test('one alternative only: the others stay', () => {
    const any = [{ 'data.a': { in: [1], gt: 5 } }, { 'data.b': 1 }];
    expect(outline({ any })).toEqual(['never-holds /when/any/0']);
  });

  test.each<[string, When]>([
    ['two values of a list', { all: [{ 'data.a': 'x' }, { 'data.a': 'y' }] }],
    ['different elements', { all: [{ 'data.a': { gt: 5 } }, { 'data.a': { lt: 3 } }] }],
    ['a case that fits', { 'data.a': { in: ['admin'], cased: ['Admin', 'x'] } }],
    ['some left', { 'data.a': { in: ['a', 'b'], none: ['a'] } }],
    ['a pattern that may fit', { 'data.a': { in: ['abc'], regex: 'B' } }],
    ['a list that may hold it', { 'data.a': { in: ['abc'], in_list: 'l' } }],
    ['a network without a part of it', { 'data.ip': { cidr: '10.0.0.0/8', not: { cidr: '10.9.0.0/16' } } }],
    ['a v6 network beside one of v4', { 'data.ip': { cidr: '::/0', not: { cidr: '0.0.0.0/0' } } }],
    ['null is absent too', { 'data.a': { in: [null] } }],
    ['a family without one severity', { exclude: ['finding.info'] }],
    ['low is excluded, high asked for', { min_severity: 'high', exclude: ['finding.low', 'finding.info'] }],
  ])('not: %s', (_what, when) => {
    expect(outline(when).filter((line) => line.startsWith('never'))).toEqual([]);
  });
});

describe('always', () => {
  const alone = (when: When): string[] => lint(when).map(({ code, path }) => `${code} ${path}`);

  test.each<[string, When, string]>([
    [
      'present or absent',
      { any: [{ 'data.a': { exists: true } }, { 'data.a': { exists: false } }] },
      '/when/any',
    ],
    ['a condition or its negation', { any: [{ 'data.a': 'x' }, { not: { 'data.a': ['x'] } }] }, '/when/any'],
    ['not of never', { not: { 'data.a': { in: [1], gt: 5 } } }, '/when/not'],
    ['the event type is always there', { event: { exists: true } }, '/when/event'],
  ])('%s', (_what, when, path) => {
    expect(alone(when)[0]).toBe('always-holds /when');
    expect(outline(when)).toContain(`always-holds ${path}`);
  });

  test('match_all is said openly and no finding', () => {
    expect(lintRule({ kind: 'rule', id: 'r', match_all: true, then: [{ action: 'a' }] })).toEqual([]);
  });

  test('a row may lack the column event', () => {
    expect(lint({ event: { exists: true } }, { source: 'search-results' })).toEqual([]);
    expect(lint({ all: [{ event: 'a' }, { event: 'b' }] }, { source: 'search-results' })).toEqual([]);
  });
});

describe('without effect', () => {
  test.each<[string, When, string[]]>([
    [
      'the same twice',
      { any: [{ 'data.a': 'x' }, { 'data.b': 1 }, { 'data.a': 'X' }] },
      ['no-effect /when/any/0'],
    ],
    [
      'a network within another',
      { any: [{ 'data.ip': { cidr: '10.1.0.0/16' } }, { 'data.ip': { cidr: '10.0.0.0/8' } }] },
      ['no-effect /when/any/0'],
    ],
    [
      'a weaker bound',
      { all: [{ 'data.a': { gt: 5 } }, { 'data.a': { gte: 5 } }] },
      ['no-effect /when/all/1'],
    ],
    [
      'an alternative within another',
      { any: [{ 'data.a': { prefix: 'ab' } }, { 'data.a': { prefix: 'a' } }] },
      ['no-effect /when/any/0'],
    ],
    [
      'cased beside the value in any case',
      { any: [{ 'data.a': 'x' }, { 'data.a': { cased: 'X' } }] },
      ['no-effect /when/any/1'],
    ],
    [
      'a value beside cased',
      { 'data.a': { in: ['admin'], cased: ['Admin'] } },
      ['no-effect /when/data.a/in'],
    ],
    ['excluded twice', { exclude: ['scan.*', 'scan.completed'] }, ['no-effect /when/exclude/1']],
    [
      'exists beside a value',
      { all: [{ 'data.a': { exists: true } }, { 'data.a': 1 }] },
      ['no-effect /when/all/0'],
    ],
    ['a value twice', { 'data.a': ['x', 'y', 'X'] }, ['repeated-value /when/data.a']],
    ['a severity twice', { severity: { in: ['high', 'important'] } }, ['repeated-value /when/severity/in']],
    [
      'an id twice',
      { vulnerabilities: ['CVE-2024-3094', 'cve-2024-3094 '] },
      ['repeated-value /when/vulnerabilities'],
    ],
  ])('%s', (_what, when, findings) => {
    const { events: _events, ...rest } = { events: [], ...when };
    expect(outline('exclude' in when ? { ...rest, events: ['finding.*', 'scan.*', 'x'] } : rest)).toEqual(
      findings,
    );
  });

  test('the finding names the place that says the same', () => {
    const [finding] = lint({ any: [{ 'data.a': ['x'] }, { 'data.a': ['x', 'y'] }] });
    expect(finding).toMatchObject({
      path: '/when/any/0',
      because: '/when/any/1',
      message: 'is covered by another alternative: /when/any/1',
      severity: 'warning',
    });
  });

  test.each<[string, When]>([
    ['case matters', { any: [{ 'data.a': { cased: 'x' } }, { 'data.a': { cased: 'X' } }] }],
    ['other fields', { any: [{ 'data.a': 'x' }, { 'data.b': 'x' }] }],
    ['null, and a value', { any: [{ 'data.a': ['x', null] }, { 'data.a': ['x', 'y'] }] }],
    ['null may be absent, its type not', { all: [{ 'data.a': null }, { 'data.a': { type: 'null' } }] }],
    ['two fields', { 'data.a': { gt: 5 }, 'data.b': { gte: 5 } }],
    ['two lists', { 'data.a': { in: ['x'], in_list: 'l' } }],
  ])('not: %s', (_what, when) => {
    expect(outline(when)).toEqual([]);
  });
});

describe('names', () => {
  test.each<[string, When, Partial<Rule>, string]>([
    ['an alias in data', { 'data.min_severity': 'high' }, {}, 'min_severity'],
    ['nearly an alias', { 'data.asset_tgas': 'x' }, {}, 'asset_tags'],
    [
      'a column that is nearly an alias',
      { min_severty: 'high' },
      { source: 'search-results' },
      'min_severity',
    ],
  ])('%s', (_what, when, more, meant) => {
    expect(lint(when, more)).toMatchObject([{ code: 'near-miss', message: expect.stringContaining(meant) }]);
  });

  test.each<[string, When]>([
    ['fields that aliases look at', { 'data.asset_tags': 'x', 'data.scan_type': 'y', 'data.cve': 'z' }],
    ['short names', { 'data.event': 'x' }],
  ])('not: %s', (_what, when) => {
    expect(outline(when)).toEqual([]);
  });

  test('a rule that is refused: every error, with the name that was meant', () => {
    expect(lint({ min_severty: 'high', 'data.a': { prefx: 'x', gt: [] } })).toEqual([
      {
        path: '/when/min_severty',
        message: expect.stringMatching(/^unknown field.*; did you mean min_severity\?$/),
        severity: 'error',
        code: 'invalid',
      },
      expect.objectContaining({
        path: '/when/data.a/prefx',
        message: 'unknown operator; did you mean prefix?',
      }),
      expect.objectContaining({ path: '/when/data.a/gt', severity: 'error' }),
    ]);
    expect(lintRule(null)).toMatchObject([{ severity: 'error', path: '' }]);
  });

  test('distance: one change, one exchange', () => {
    expect([
      distance('abc', 'abd'),
      distance('abcd', 'abdc'),
      distance('', 'abc'),
      distance('kitten', 'sitting'),
    ]).toEqual([1, 1, 3, 3]);
    expect([nearestName('prefix', ['prefix', 'suffix']), nearestName('x', ['prefix'])]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe('cost', () => {
  test.each<[When, boolean]>([
    [{ not: { 'data.a': 'x' } }, true],
    [{ 'data.a': { none: ['x'] } }, true],
    [{ 'data.a': null }, true],
    [{ any: [{ 'data.a': 'x' }, { 'data.b': { exists: false } }] }, true],
    [{ any: [{ 'data.a': 'x' }, { 'data.b': 'y' }] }, false],
    [{ not: { 'data.a': 'x' }, events: ['e'] }, false],
    [{ 'data.a': { exists: true } }, false],
  ])('%j: asked about every event: %s', (when, every) => {
    expect(lint(when).some(({ code, severity }) => code === 'every-event' && severity === 'info')).toBe(
      every,
    );
  });
});

test('alternatives within alternatives are given up in time', () => {
  const list = (depth: number): When[] =>
    Array.from({ length: depth === 0 ? 2 : 5 }, (_, index) =>
      depth === 0
        ? { [`data.f${index}`]: index }
        : { any: list(depth - 1), [`data.g${index}`]: { contains: 'x' } },
    );
  const values = Array.from({ length: 3_000 }, (_, index) => `v${index}`);
  for (const when of [
    { any: list(2) },
    { all: list(2) },
    { any: [{ 'data.a': values }, { 'data.a': { in: values, prefix: 'v' } }] },
  ]) {
    const begun = performance.now();
    expect(lint(when).filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(3_000);
  }
});

test('a rule at its limits is checked in reasonable time', () => {
  const any = Array.from({ length: 60 }, (_, index) => ({
    'data.a': { in: [`v${index}`], prefix: 'v' },
    'data.b': { gt: index },
  }));
  const begun = performance.now();
  expect(lint({ any, events: ['finding.new'] }).every(({ severity }) => severity !== 'error')).toBe(true);
  expect(performance.now() - begun).toBeLessThan(2_000);
});
