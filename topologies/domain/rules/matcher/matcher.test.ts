// What the matcher promises beside being right: changes count from the next event, lists are read when asked, bytes beyond the
// range do not matter, and work grows with the event and not with the square of it.
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { MatchContext } from '../context.ts';
import { buildNamedLists } from '../named-list.ts';
import { parseRule, type RuleRevision } from '../parse-rule.ts';
import { compileRule, createEngine, fileRules, matchElements, takeHeld } from './engine.ts';
import { createMatcher, type Matcher } from './matcher.ts';
import { createValueSource } from './value-source.ts';

const context: MatchContext = { now: Date.UTC(2026, 10, 20), lists: new Map() };

function revision(id: string, when: Record<string, unknown>, more: Partial<Rule> = {}): RuleRevision {
  const given = Object.keys(when).length === 0 ? { match_all: true } : { when };
  const { rule, issues } = parseRule({ kind: 'rule', id, ...given, ...more, then: [{ action: 'a' }] });
  expect(issues).toEqual([]);
  return { ...(rule as NonNullable<typeof rule>), revision: 1 };
}

function matcherOf(rules: readonly (readonly [string, Record<string, unknown>])[]): Matcher {
  const matcher = createMatcher({ createScanner, hashText, seed: 3 });
  for (const [id, when] of rules) matcher.put(revision(id, when));
  return matcher;
}

function ask(matcher: Matcher, data: Record<string, unknown>, asked = context): string[] {
  const bytes = Buffer.from(JSON.stringify({ event: 'finding.new', data }));
  const found = matcher.matchBytes(bytes, 0, bytes.length, asked);
  expect(found.verdict).toBe('ok');
  return (found.rules ?? []).map(({ document }) => document.id);
}

describe('changes', () => {
  test('a rule counts from the next event on, in the order of the set, and no longer when removed', () => {
    const matcher = matcherOf([['b', { 'data.a': 'x' }]]);
    expect(ask(matcher, { a: 'X' })).toEqual(['b']);
    matcher.put(revision('a', { 'data.a': { prefix: 'x' } }));
    matcher.put(revision('z', { 'data.a': { suffix: 'x' } }, { priority: 90 }));
    expect(ask(matcher, { a: 'x' })).toEqual(['z', 'a', 'b']);
    matcher.put(revision('b', { 'data.a': 'y' }));
    expect(ask(matcher, { a: 'x' })).toEqual(['z', 'a']);
    expect(ask(matcher, { a: 'y' })).toEqual(['b']);
    expect(matcher.remove('z')).toBe(true);
    expect(matcher.remove('z')).toBe(false);
    expect(ask(matcher, { a: 'x' })).toEqual(['a']);
    expect(matcher.size).toBe(2);
  });
  test('a rule moves between sources', () => {
    const matcher = matcherOf([['a', { 'data.a': 'x' }]]);
    matcher.put(revision('a', { a: 'x' }, { source: 'search-results' }));
    expect(ask(matcher, { a: 'x' })).toEqual([]);
    const row = { source: 'search-results', fields: { a: 'x' }, search: {} } as const;
    expect(matcher.match(row, context)).toHaveLength(1);
    expect(matcher.size).toBe(1);
  });
  test('a named list changes without a change of rules', () => {
    const matcher = matcherOf([['a', { 'data.ip': { in_list: 'bad' } }]]);
    const having = (...values: string[]): MatchContext => ({
      now: 0,
      lists: buildNamedLists(new Map([['bad', { kind: 'list', id: 'bad', values }]])).lists,
    });
    expect(ask(matcher, { ip: '10.0.0.1' }, having('10.0.0.2'))).toEqual([]);
    expect(ask(matcher, { ip: '10.0.0.1' }, having('10.0.0.1'))).toEqual(['a']);
    expect(ask(matcher, { ip: '10.0.0.1' })).toEqual([]);
  });
  test('tables that are built anew keep what was put and removed meanwhile', () => {
    const matcher = createMatcher({ createScanner, hashText, seed: 3, fewestChanges: 16 });
    const put = (n: number, value: string): void => matcher.put(revision(`r${n}`, { 'data.a': value }));
    put(0, 'x');
    expect(ask(matcher, { a: 'x' })).toEqual(['r0']);
    for (let n = 1; n < 40; n++) {
      put(n, 'x');
      if (n % 3 === 0) expect(ask(matcher, { a: 'x' })).toContain(`r${n}`);
    }
    for (let n = 0; n < 20; n++) {
      matcher.compact(5);
      if (n === 3) matcher.remove('r5');
      if (n === 4) put(6, 'y');
      if (n === 5) put(77, 'x');
    }
    const left = Array.from({ length: 40 }, (_, n) => `r${n}`).filter((id) => id !== 'r5' && id !== 'r6');
    expect(ask(matcher, { a: 'x' })).toEqual([...left, 'r77'].sort());
    expect(ask(matcher, { a: 'y' })).toEqual(['r6']);
    while (matcher.compact(100)) expect(matcher.size).toBe(40);
    expect(ask(matcher, { a: 'x' })).toEqual([...left, 'r77'].sort());
  });
});

describe('bytes', () => {
  test('only the given range counts, and what the scanner leaves open is said', () => {
    const matcher = matcherOf([['a', { 'data.a': { suffix: 'x' } }]]);
    const bytes = Buffer.from('x{"event":"e","data":{"a":"x"}}x');
    expect(matcher.matchBytes(bytes, 1, bytes.length - 1, context).rules).toHaveLength(1);
    expect(matcher.matchBytes(bytes, 0, bytes.length - 1, context).verdict).toBe('irregular');
    const twice = Buffer.from('{"event":"e","event":"f"}');
    expect(matcher.matchBytes(twice, 0, twice.length, context).verdict).toBe('irregular');
  });
  test('letters beyond ASCII and escapes fold as they do for values', () => {
    const matcher = matcherOf([
      ['a', { 'data.a': { contains: 'ÖFFNEN' } }],
      ['b', { 'data.a': 'K' }],
      ['c', { 'data.a': { cased: 'k' } }],
      ['d', { 'data.a': { prefix: 'c:\\win' } }],
      ['e', { 'data.b': { cased: { contains: 'Bc' } } }],
    ]);
    expect(ask(matcher, { a: 'zu öffnen' })).toEqual(['a']);
    // U+212A, the Kelvin sign, is k in lower case.
    expect(ask(matcher, { a: '\u212a' })).toEqual(['b']);
    expect(ask(matcher, { a: 'k' })).toEqual(['b', 'c']);
    expect(ask(matcher, { a: 'C:\\Windows' })).toEqual(['d']);
    expect(ask(matcher, { b: ['abC', 'aBC'] })).toEqual([]);
    expect(ask(matcher, { b: ['abC', 'aBcd'] })).toEqual(['e']);
  });
});

test('rules that hold through absence are counted', () => {
  const matcher = matcherOf([
    ['a', { 'data.a': { exists: false } }],
    ['b', { not: { 'data.a': 'x' } }],
    ['c', {}],
    ['d', { 'data.a': { not: 'x' } }],
    ['e', { 'data.a': null }],
  ]);
  expect(ask(matcher, {})).toEqual(['a', 'b', 'c', 'e']);
  expect(matcher.stats().unwitnessed).toBe(4);
});

test('the number of an event begins anew before it grows beyond 31 bits', () => {
  const hash = (text: Uint8Array): number => hashText(text, 1);
  const engine = createEngine(hash, 1, null);
  compileRule(engine, 0, revision('a', { 'data.a': { gte: 3 }, not: { 'data.b': 'x' } }).condition);
  fileRules(engine, 10);
  const source = createValueSource(hash);
  engine.run.epoch = 2 ** 30 - 20;
  for (let n = 0; n < 40; n++) {
    const data = n % 3 === 0 ? { a: n, b: n % 2 === 0 ? 'x' : 'y' } : {};
    const subject = { source: 'events', fields: { data }, search: null } as const;
    source.read(subject, engine.fields.slots);
    matchElements(engine, source, engine.fields.fieldsOfSlot, context, () => subject, -1);
    const held: number[] = [];
    takeHeld(engine, (rule) => held.push(rule));
    expect(held, `${n}`).toEqual(n % 3 === 0 && n % 2 === 1 && n >= 3 ? [0] : []);
  }
  expect(engine.run.epoch).toBeLessThan(100);
});

describe('work', () => {
  const rules: [string, Record<string, unknown>][] = [];
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 20; j++) rules.push([`t${i}-${j}`, { 'data.tags': `t${i}`, 'data.ports': j }]);
    rules.push([`c${i}`, { 'data.text': { contains: `${'a'.repeat(20)}${i}` } }]);
    rules.push([`w${i}`, { 'data.text': { wildcard: `*aaaa*b${i}*` } }]);
    rules.push([`p${i}`, { 'data.tags': { prefix: 'x'.repeat(i + 1) } }]);
    rules.push([`n${i}`, { 'data.ports': { gte: 1_000_000 + i, lt: 1_000_001 + i } }]);
    rules.push([`r${i}`, { 'data.tags': 't0', 'data.ports': { gte: 900_000 + i } }]);
    rules.push([`l${i}`, { 'data.tags': { contains_all: ['q', `z${i}`] } }]);
  }
  rules.push(['e', { each: { path: 'data.objects', match: { a: 'x', b: 'y' } } }]);
  const matcher = matcherOf(rules);
  const workOf = (fields: Record<string, unknown>): number => {
    matcher.match({ source: 'events', fields, search: null }, context);
    const before = matcher.stats().work;
    matcher.match({ source: 'events', fields, search: null }, context);
    return matcher.stats().work - before;
  };
  const repeat = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const shapes: [string, (size: number) => Record<string, unknown>][] = [
    ['an array of texts', (size) => ({ tags: repeat(size, (i) => `t${i % 500}`) })],
    ['an array of equal texts', (size) => ({ tags: repeat(size, () => 'x'.repeat(20)) })],
    ['an array of numbers', (size) => ({ ports: repeat(size, (i) => i), tags: ['t0'] })],
    [
      'two arrays whose pairs rules ask for',
      (size) => ({ tags: repeat(size, (i) => `t${i}`), ports: repeat(size, (i) => i) }),
    ],
    ['members', (size) => Object.fromEntries(repeat(size, (i) => [`k${i}`, i]))],
    ['one text that begins many needles', (size) => ({ text: 'a'.repeat(size) })],
    ['one text of needles', (size) => ({ text: `${'a'.repeat(20)}1b2`.repeat(size / 20) })],
    ['an array of objects', (size) => ({ objects: repeat(size, (i) => ({ a: i, b: 'y' })) })],
    ['nested arrays', (size) => ({ tags: repeat(size / 10, () => [[repeat(10, (i) => `z${i}q`)]]) })],
  ];
  test.each(shapes)('grows with the event, not faster: %s', (_name, make) => {
    const small = workOf({ event: 'e', data: make(1_000) });
    const large = workOf({ event: 'e', data: make(8_000) });
    // What every event costs is in both; eight times the event is at most eight times the rest.
    expect(large).toBeLessThan(8.5 * small + 10_000);
  });
  test('a quarter of a million elements are one pass', () => {
    const tags = repeat(250_000, (i) => i % 7);
    const work = workOf({ event: 'e', data: { ports: tags } });
    expect(work).toBeLessThan(750_000);
  });
});

test('tests on one element are not put together from two', () => {
  const matcher = matcherOf([
    ['a', { 'data.a': { prefix: 'a', suffix: 'z' } }],
    ['b', { 'data.a': { contains_all: ['b', 'y'] } }],
    ['c', { 'data.n': { gt: 1, in: [3, 0] } }],
  ]);
  expect(ask(matcher, { a: ['ab', 'yz'], n: [0, 2] })).toEqual([]);
  expect(ask(matcher, { a: ['ab', 'abyz'], n: [0, 3] })).toEqual(['a', 'b', 'c']);
  expect(ask(matcher, { a: 'abyz', n: 3 })).toEqual(['a', 'b', 'c']);
});

test('texts whose hashes collide are told apart', () => {
  const matcher = createMatcher({ createScanner, hashText: () => 7, seed: 3 });
  const wanted = ['one', 'two', 'six', 'low', 'onemore'];
  for (const text of wanted) {
    matcher.put(revision(`text-${text}`, { 'data.a': text }));
    matcher.put(revision(`cased-${text}`, { 'data.a': { cased: text } }));
    matcher.put(revision(`id-${text}`, { vulnerabilities: text }));
  }
  matcher.put(revision('low', { min_severity: 'low' }));
  matcher.put(revision('high', { min_severity: 'high' }));
  const asked = (data: Record<string, unknown>): string[] =>
    matcher
      .match({ source: 'events', fields: { event: 'e', data }, search: null }, context)
      .map(({ document }) => document.id);
  for (const text of wanted)
    expect(asked({ a: text, cve: text })).toEqual([`cased-${text}`, `id-${text}`, `text-${text}`]);
  expect(asked({ a: 'ONE', severity: 'none' })).toEqual(['text-one']);
  expect(asked({ severity: 'high' })).toEqual(['high', 'low']);
  expect(asked({ severity: 'info' })).toEqual([]);
  expect(asked({ severity: 'oddd' })).toEqual([]);
});

test('a split bucket is walked the shorter way, by its children or by what is true', () => {
  const rules: [string, Record<string, unknown>][] = [];
  for (let tag = 0; tag < 80; tag++)
    for (let n = 0; n < 24; n++)
      rules.push([`r${1000 + tag * 24 + n}`, { 'data.tags': `t${tag}`, 'data.ports': n % 6 }]);
  for (let port = 6; port < 40; port++) rules.push([`s${port}`, { 'data.ports': port, 'data.b': 'x' }]);
  const matcher = matcherOf(rules);
  const ports = Array.from({ length: 40 }, (_, i) => i);
  const expected = (tag: number, port: (port: number) => boolean): string[] =>
    Array.from({ length: 24 }, (_, n) => n).flatMap((n) => (port(n % 6) ? [`r${1000 + tag * 24 + n}`] : []));
  expect(ask(matcher, { tags: 't7', ports: 4 })).toEqual(expected(7, (port) => port === 4));
  expect(ask(matcher, { tags: 't7', ports })).toEqual(expected(7, () => true));
  expect(ask(matcher, { tags: 't9', ports: [2, ...ports.slice(6)] })).toEqual(
    expected(9, (port) => port === 2),
  );
  expect(matcher.stats().splits).toBeGreaterThan(1);
});

test('texts anywhere are found however they are written', () => {
  const matcher = matcherOf([
    ['a', { 'data.*': { contains: 'a\\b' } }],
    ['b', { '*': { contains: 'öl' } }],
    ['c', { 'data.*': { contains: 'finding' } }],
  ]);
  expect(ask(matcher, { x: { y: ['zA\\Bz'] } })).toEqual(['a']);
  expect(ask(matcher, { x: 'ÖL' })).toEqual(['b']);
  // There as a type and as a name, but in no text of data.
  expect(ask(matcher, { finding: 'x' })).toEqual([]);
  expect(ask(matcher, { x: ['a finding'] })).toEqual(['c']);
});
