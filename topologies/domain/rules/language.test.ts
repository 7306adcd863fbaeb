// The statements of docs/rules.md, each pinned: a condition, what it is asked about, and whether it holds.
import type { Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { compileRules } from './compile.ts';
import { parseRule } from './parse-rule.ts';

type Fields = Record<string, unknown>;

function compile(document: Partial<Rule>) {
  const full = { kind: 'rule', id: 'r', then: [{ action: 'a' }], ...document };
  const { rule, issues } = parseRule(full);
  expect(issues).toEqual([]);
  return compileRules(rule === null ? [] : [{ ...rule, revision: 1 }]);
}

/** Whether `when` holds for an event with these members of data. */
function holds(when: Fields, data: Fields, envelope: Fields = {}): boolean {
  const fields = { event: 'finding.new', ...envelope, data };
  return compile({ when }).match({ source: 'events', fields, search: null }).length === 1;
}

function holdsForRow(when: Fields, row: Fields, search: Fields = {}): boolean {
  return (
    compile({ source: 'search-results', when }).match({ source: 'search-results', fields: row, search })
      .length === 1
  );
}

type Case = readonly [statement: string, when: Fields, data: Fields, expected: boolean];

function pin(cases: readonly Case[]): void {
  test.each(cases)('%s: %j on %j', (_statement, when, data, expected) =>
    expect(holds(when, data)).toBe(expected),
  );
}

describe('values', () => {
  pin([
    ['a value is equality', { 'data.title': 'SQL injection' }, { title: 'SQL injection' }, true],
    ['text folds case', { 'data.title': 'sql INJECTION' }, { title: 'SQL injection' }, true],
    ['text folds case beyond ASCII', { 'data.title': 'ÖFFNEN' }, { title: 'öffnen' }, true],
    ['spaces count', { 'data.title': 'a' }, { title: 'a ' }, false],
    ['accents count', { 'data.title': 'e' }, { title: 'é' }, false],
    ['a sigma at the end of a word is a sigma', { 'data.title': { suffix: 'σ' } }, { title: 'ΟΔΟΣ' }, true],
    ['a sigma within a word is one too', { 'data.title': { prefix: 'ΟΔΟΣ' } }, { title: 'οδοσα' }, true],
    ['a list is one of', { 'data.port': [22, 3389] }, { port: 3389 }, true],
    ['a list is one of', { 'data.port': [22, 3389] }, { port: 443 }, false],
    ['text is not a number', { 'data.cvss': 9.8 }, { cvss: '9.8' }, false],
    ['a number is not text', { 'data.cvss': '9.8' }, { cvss: 9.8 }, false],
    ['text is not a boolean', { 'data.kev': true }, { kev: 'true' }, false],
    ['a boolean', { 'data.kev': true }, { kev: true }, true],
    ['1.0 is 1', { 'data.n': 1.0 }, { n: 1 }, true],
    ['cased compares exactly', { 'data.user': { cased: 'Root' } }, { user: 'root' }, false],
    ['cased compares exactly', { 'data.user': { cased: ['root', 'Root'] } }, { user: 'Root' }, true],
    ['all entries must hold', { 'data.a': 1, 'data.b': 2 }, { a: 1, b: 3 }, false],
  ]);
});

describe('operators', () => {
  pin([
    ['in is a list within operators', { 'data.a': { in: ['x', 'y'], not: 'z' } }, { a: 'Y' }, true],
    ['prefix', { 'data.a': { prefix: 'WEB-' } }, { a: 'web-01' }, true],
    ['prefix takes one of a list', { 'data.a': { prefix: ['db-', 'web-'] } }, { a: 'web-01' }, true],
    ['suffix', { 'data.a': { suffix: '.lab.example' } }, { a: 'x.LAB.example' }, true],
    ['suffix', { 'data.a': { suffix: '.lab.example' } }, { a: 'lab.example' }, false],
    [
      'contains takes one of a list',
      { 'data.a': { contains: ['sqli', 'sql injection'] } },
      { a: 'SQL Injection in /x' },
      true,
    ],
    [
      'contains_all takes all of a list',
      { 'data.a': { contains_all: ['sql', 'login'] } },
      { a: 'SQL in /login' },
      true,
    ],
    [
      'contains_all takes all of a list',
      { 'data.a': { contains_all: ['sql', 'admin'] } },
      { a: 'SQL in /login' },
      false,
    ],
    ['texts are looked for in texts only', { 'data.a': { contains: '9' } }, { a: 9.8 }, false],
    ['gte', { 'data.cvss': { gte: 7 } }, { cvss: 7 }, true],
    ['gt', { 'data.cvss': { gt: 7 } }, { cvss: 7 }, false],
    ['lte', { 'data.cvss': { lte: 7 } }, { cvss: 7 }, true],
    ['lt', { 'data.cvss': { lt: 7 } }, { cvss: 7 }, false],
    ['a number in quotes fits no comparison', { 'data.cvss': { gte: 7 } }, { cvss: '9.8' }, false],
    ['a range', { 'data.cvss': { gte: 4, lt: 7 } }, { cvss: 6.9 }, true],
    ['a range', { 'data.cvss': { gte: 4, lt: 7 } }, { cvss: 7 }, false],
    [
      'severity words compare on the scale',
      { 'data.asset.criticality': { gte: 'high' } },
      { asset: { criticality: 'Critical' } },
      true,
    ],
    [
      'severity words compare on the scale',
      { 'data.asset.criticality': { lt: 'high' } },
      { asset: { criticality: 'moderate' } },
      true,
    ],
    ['an unknown word fits no comparison', { 'data.x': { lt: 'high' } }, { x: 'Kritisch' }, false],
    ['and no comparison the other way', { 'data.x': { gte: 'info' } }, { x: 'Kritisch' }, false],
    ['exists', { 'data.a': { exists: true } }, { a: 0 }, true],
    ['exists with null', { 'data.a': { exists: true } }, { a: null }, true],
    ['exists with an empty list', { 'data.a': { exists: true } }, { a: [] }, true],
    ['exists with an object', { 'data.a': { exists: true } }, { a: { b: 1 } }, true],
    ['exists: false', { 'data.a': { exists: false } }, { a: null }, false],
    ['not takes a value', { 'data.a': { not: 'x' } }, { a: 'y' }, true],
    ['not takes a list', { 'data.a': { not: ['x', 'y'] } }, { a: 'Y' }, false],
    ['not takes operators', { 'data.a': { not: { prefix: 'x', suffix: 'y' } } }, { a: 'x-z' }, true],
    ['not null is there with a value', { 'data.a': { not: null } }, { a: 0 }, true],
    ['not null is there with a value', { 'data.a': { not: null } }, { a: null }, false],
  ]);
});

describe('lists in the data', () => {
  pin([
    ['any element', { 'data.tags': 'b' }, { tags: ['a', 'B'] }, true],
    ['lists in lists are opened', { 'data.tags': 'b' }, { tags: ['a', ['c', ['b']]] }, true],
    ['not: no element', { 'data.tags': { not: 'b' } }, { tags: ['a', 'b'] }, false],
    ['not: no element', { 'data.tags': { not: 'b' } }, { tags: ['a', 'c'] }, true],
    ['not on an empty list', { 'data.tags': { not: 'b' } }, { tags: [] }, true],
    ['nothing equals an element of an empty list', { 'data.tags': 'b' }, { tags: [] }, false],
    [
      'all: every value is some element',
      { 'data.tags': { all: ['a', 'b'] } },
      { tags: ['c', 'B', 'a'] },
      true,
    ],
    ['all: every value is some element', { 'data.tags': { all: ['a', 'b'] } }, { tags: ['a'] }, false],
    ['none: no value is an element', { 'data.tags': { none: ['a', 'b'] } }, { tags: ['c', 'B'] }, false],
    ['none on an empty list', { 'data.tags': { none: ['a'] } }, { tags: [] }, true],
    ['operators together mean one element', { 'data.n': { gt: 1, lt: 3 } }, { n: [0, 4] }, false],
    ['operators together mean one element', { 'data.n': { gt: 1, lt: 3 } }, { n: [0, 2, 4] }, true],
    [
      'operators together mean one element',
      { 'data.a': { prefix: 'a', suffix: 'z' } },
      { a: ['ab', 'yz'] },
      false,
    ],
    [
      'all beside another operator',
      { 'data.t': { all: ['a', 'b'], prefix: 'c' } },
      { t: ['a', 'b', 'cd'] },
      true,
    ],
    [
      'a path goes through lists',
      { 'data.evidence.status': 500 },
      { evidence: [{ status: 200 }, { status: 500 }] },
      true,
    ],
    ['two paths may mean two elements', { 'data.e.a': 1, 'data.e.b': 2 }, { e: [{ a: 1 }, { b: 2 }] }, true],
    ['an object equals nothing', { 'data.a': { not: 'x' } }, { a: { b: 'x' } }, true],
  ]);
});

describe('absent fields', () => {
  const absentFails: Fields[] = [
    'x',
    ['x'],
    1,
    false,
    { in: ['x'] },
    { prefix: 'x' },
    { suffix: 'x' },
    { contains: 'x' },
  ]
    .concat([
      { contains_all: ['x'] },
      { gt: 0 },
      { lte: 'high' },
      { cased: 'x' },
      { exists: true },
    ] as never[])
    .concat([{ not: 'x' }, { not: null }, { not: { gt: 1 } }, { none: ['x'] }, { all: ['x'] }] as never[])
    .map((wanted) => ({ 'data.a': wanted }));
  test.each(absentFails)('%j fails', (when) => {
    expect(holds(when, {})).toBe(false);
    expect(holds(when, { b: ['x', 1] })).toBe(false);
  });
  pin([
    ['exists: false holds', { 'data.a': { exists: false } }, {}, true],
    ['null holds', { 'data.a': null }, {}, true],
    ['null holds for null', { 'data.a': null }, { a: null }, true],
    ['null holds for null in a list', { 'data.a': null }, { a: ['x', null] }, true],
    ['null does not hold for an empty list', { 'data.a': null }, { a: [] }, false],
    ['null does not hold for empty text', { 'data.a': null }, { a: '' }, false],
    ['null in a list of values holds', { 'data.a': ['x', null] }, {}, true],
    ['null beside an operator that fails', { 'data.a': { in: ['x', null], prefix: 'x' } }, {}, false],
    ['the block not holds', { not: { 'data.a': 'x' } }, {}, true],
    ['the block not around not holds', { not: { 'data.a': { not: 'x' } } }, {}, true],
    ['a path that ends in a value is absent', { 'data.a.b': { exists: false } }, { a: 'text' }, true],
    ['a member of text is absent', { 'data.a.length': { exists: false } }, { a: 'text' }, true],
  ]);
});

describe('paths', () => {
  pin([
    ['nested', { 'data.source.ip': 'x' }, { source: { ip: 'x' } }, true],
    ['flat', { 'data.source.ip': 'x' }, { 'source.ip': 'x' }, true],
    [
      'nested wins over flat',
      { 'data.source.ip': 'flat' },
      { source: { ip: 'nested' }, 'source.ip': 'flat' },
      false,
    ],
    [
      'nested null wins over flat',
      { 'data.source.ip': null },
      { source: { ip: null }, 'source.ip': 'flat' },
      true,
    ],
    [
      'flat when nested leads nowhere',
      { 'data.source.ip': 'flat' },
      { source: { port: 1 }, 'source.ip': 'flat' },
      true,
    ],
    ['half flat', { 'data.a.b.c': 1 }, { 'a.b': { c: 1 } }, true],
    ['shorter keys first', { 'data.a.b.c': 1 }, { 'a.b': { c: 2 }, a: { 'b.c': 1 } }, true],
    ['names are exact', { 'data.Title': 'x' }, { title: 'x' }, false],
    ['numbers are names, not positions', { 'data.a.0': 'x' }, { a: ['x'] }, false],
    ['inherited members are absent', { 'data.constructor': { exists: true } }, {}, false],
    ['inherited members are absent', { 'data.__proto__': { exists: true } }, {}, false],
    [
      'own members may have any name',
      { 'data.constructor.name': 'x' },
      JSON.parse('{"constructor":{"name":"x"}}'),
      true,
    ],
    [
      'own members may have any name',
      { 'data.__proto__.x': 'y' },
      JSON.parse('{"__proto__":{"x":"y"}}'),
      true,
    ],
  ]);
  test('other members of the event are behind envelope.', () => {
    expect(holds({ 'envelope.source.ip': 'x' }, {}, { 'source.ip': 'x' })).toBe(true);
    expect(holds({ event: 'finding.new' }, {})).toBe(true);
    expect(holds({ tenant: 'acme' }, {}, { tenant: 'acme' })).toBe(true);
  });
  test('rows: a path into the row, the run behind search., and row. for reserved names', () => {
    const search = { job_id: 'j1', global_params: { site: 'north' } };
    expect(holdsForRow({ 'source.ip': '10.0.0.1' }, { 'source.ip': '10.0.0.1' }, search)).toBe(true);
    expect(holdsForRow({ 'search.job_id': 'J1' }, {}, search)).toBe(true);
    expect(holdsForRow({ 'search.global_params.site': 'north' }, {}, search)).toBe(true);
    expect(holdsForRow({ 'search.job_id': { exists: true } }, { search: { job_id: 'x' } }, {})).toBe(false);
    expect(holdsForRow({ 'row.search.job_id': 'x' }, { search: { job_id: 'x' } }, {})).toBe(true);
    expect(holdsForRow({ 'row.not': 'x', 'row.any': 1 }, { not: 'x', any: 1 })).toBe(true);
    expect(holdsForRow({ min_severity: 'high' }, { severity: 'critical' })).toBe(true);
  });
});

describe('blocks', () => {
  pin([
    ['any', { any: [{ 'data.a': 1 }, { 'data.b': 1 }] }, { b: 1 }, true],
    ['any', { any: [{ 'data.a': 1 }, { 'data.b': 1 }] }, { b: 2 }, false],
    ['all', { all: [{ 'data.a': { gt: 1 } }, { 'data.a': { lt: 3 } }] }, { a: [0, 4] }, true],
    ['not: not all of its entries hold', { not: { 'data.a': 1, 'data.b': 1 } }, { a: 1, b: 2 }, true],
    ['blocks nest', { not: { any: [{ not: { 'data.a': 1 } }] } }, { a: 1 }, true],
  ]);
});

describe('aliases', () => {
  const event = (type: string, when: Fields, data: Fields = {}): boolean =>
    holds(when, data, { event: type });
  test('events names types, in any case, and families with .*', () => {
    expect(event('finding.new', { events: ['scan.completed', 'Finding.New'] })).toBe(true);
    expect(event('finding.new', { events: 'finding' })).toBe(false);
    expect(event('finding.status_changed', { events: 'finding.*' })).toBe(true);
    expect(event('findings.new', { events: 'finding.*' })).toBe(false);
    expect(event('finding', { events: 'finding.*' })).toBe(false);
    expect(event('constructor', { events: 'constructor' })).toBe(true);
  });
  test('exclude names types, families, and families with a severity', () => {
    expect(event('finding.new', { exclude: 'finding.new' })).toBe(false);
    expect(event('finding.new', { exclude: ['finding.info'] }, { severity: 'Informational' })).toBe(false);
    expect(event('finding.new', { exclude: ['finding.informational'] }, { severity: 'info' })).toBe(false);
    expect(event('finding.new', { exclude: ['finding.critical'] }, { severity: 'critical' })).toBe(false);
    expect(event('finding.new', { exclude: ['finding.critical'] }, { severity: 'info' })).toBe(true);
    expect(event('finding.new', { exclude: ['finding.info'] }, { severity: 'low' })).toBe(true);
    expect(event('finding.new', { exclude: ['finding.info'] })).toBe(true);
    expect(event('scan.completed', { exclude: ['finding.info'] }, { severity: 'info' })).toBe(true);
    expect(event('finding.info', { exclude: ['finding.info'] })).toBe(false);
    expect(event('finding.new', { exclude: 'finding.*' })).toBe(false);
  });
  test('exclude wins over events', () => {
    expect(event('finding.new', { events: 'finding.*', exclude: 'finding.new' })).toBe(false);
  });
  test.each([
    ['high', 'high', true],
    ['high', 'critical', true],
    ['high', 'CRITICAL ', true],
    ['high', 'medium', false],
    ['moderate', 'medium', true],
    ['important', 'high', true],
    ['info', 'none', true],
    ['info', 'Kritisch', false],
    ['info', 11, false],
    ['info', -1, false],
    ['info', null, false],
    ['info', '', false],
    ['high', ['high'], true],
    ['high', ['low', 'critical'], true],
    ['high', 'constructor', false],
  ])('min_severity %s with %j: %s', (min_severity, severity, expected) => {
    expect(holds({ min_severity }, { severity })).toBe(expected);
  });
  pin([
    ['min_severity without severity', { min_severity: 'info' }, {}, false],
    [
      'severity takes words of the scale',
      { severity: ['Critical', 'informational'] },
      { severity: 'INFO' },
      true,
    ],
    [
      'severity takes comparisons',
      { severity: { gt: 'low', lt: 'critical' } },
      { severity: 'moderate' },
      true,
    ],
    ['severity takes not', { severity: { not: 'info' } }, { severity: 'none' }, false],
    ['asset_tags: any of a list', { asset_tags: ['production', 'pci'] }, { asset: { tags: ['PCI'] } }, true],
    [
      'asset_tags: any, all, none',
      { asset_tags: { any: ['a', 'b'], none: ['c'] } },
      { asset: { tags: ['a'] } },
      true,
    ],
    [
      'asset_tags: any, all, none',
      { asset_tags: { any: ['a', 'b'], none: ['c'] } },
      { asset: { tags: ['a', 'C'] } },
      false,
    ],
    ['asset_tags: any, all, none', { asset_tags: { all: ['a', 'b'] } }, { asset_tags: ['b', 'a'] }, true],
    ['an asset without tags fails', { asset_tags: { none: ['c'] } }, { asset: {} }, false],
    ['unless the block not says so', { not: { asset_tags: ['c'] } }, { asset: {} }, true],
    ['asset_groups', { asset_groups: ['dmz'] }, { asset: { group: 'DMZ' } }, true],
    ['scan_type', { scan_type: ['web', 'network'] }, { scan: { type: 'Web' } }, true],
    ['scan_category', { scan_category: 'dast' }, { category: 'DAST' }, true],
    ['category', { category: 'dast' }, { scan_category: 'dast' }, true],
    [
      'vulnerabilities fold and trim',
      { vulnerabilities: [' cve-2024-3094'] },
      { vulnerability: { id: 'CVE-2024-3094 ' } },
      true,
    ],
    [
      'vulnerabilities are looked for in lists',
      { vulnerabilities: ['CWE-89'] },
      { cwe: ['CWE-20', 'cwe-89'] },
      true,
    ],
    [
      'vulnerabilities are looked for in objects',
      { vulnerabilities: 'GHSA-1' },
      { vulnerabilities: [{ id: 'ghsa-1' }] },
      true,
    ],
    [
      'template ids are identifiers',
      { vulnerabilities: 'sqli-detect' },
      { template: { id: 'SQLI-detect' } },
      true,
    ],
    ['identifiers are equal as a whole', { vulnerabilities: 'CVE-2024-1' }, { cve: 'CVE-2024-0001' }, false],
  ]);
});

describe('the rule set', () => {
  const named = (id: string, priority?: number) => {
    const document = {
      kind: 'rule',
      id,
      match_all: true,
      then: [{ action: 'a' }],
      ...(priority === undefined ? {} : { priority }),
    };
    const { rule } = parseRule(document);
    return { ...(rule as NonNullable<typeof rule>), revision: 1 };
  };
  test('higher priority first, then id; 50 without one', () => {
    const rules = [named('b'), named('z', 90), named('a'), named('y', 10), named('c', 50)];
    const matched = compileRules(rules).match({ source: 'events', fields: { event: 'x' }, search: null });
    expect(matched.map(({ document }) => document.id)).toEqual(['z', 'a', 'b', 'c', 'y']);
  });
  test('a rule looks at its own source only', () => {
    const rules = compileRules([named('a')]);
    expect(rules.match({ source: 'search-results', fields: {}, search: {} })).toEqual([]);
  });
});
