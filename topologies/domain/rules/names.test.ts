// The statements of docs/rules.md about paths, blocks, aliases and the order of rules, each pinned.
import { describe, expect, test } from 'vitest';
import { context, type Fields, holds, holdsForRow, pin } from '../../testing/rules.ts';
import { compileRules } from './compile.ts';
import { parseRule } from './parse-rule.ts';

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
    const matched = compileRules(rules).match(
      { source: 'events', fields: { event: 'x' }, search: null },
      context,
    );
    expect(matched.map(({ document }) => document.id)).toEqual(['z', 'a', 'b', 'c', 'y']);
  });
  test('a rule looks at its own source only', () => {
    const rules = compileRules([named('a')]);
    expect(rules.match({ source: 'search-results', fields: {}, search: {} }, context)).toEqual([]);
  });
});
