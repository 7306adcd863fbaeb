// Every modifier of the Sigma modifiers appendix 2.1, by what the imported rule says of events.
import { expect, test } from 'vitest';
import { holds, ruleOf } from '../ask.ts';
import { importSigma } from './import-sigma.ts';
import { modifierNames } from './modifiers.ts';

function imported(selection: unknown) {
  const detection = { selection, condition: 'selection' };
  return importSigma({ title: 't', logsource: { product: 'x' }, detection }, { actions: ['a'] });
}

type Data = Record<string, unknown>;
type Case = readonly [key: string, value: unknown, held: readonly Data[], missed: readonly Data[]];

const base64 = (text: string, encoding: BufferEncoding = 'utf8') =>
  Buffer.from(text, encoding).toString('base64');

const cases: readonly Case[] = [
  // All values are case-insensitive strings.
  ['A', 'Security', [{ A: 'security' }], [{ A: 'security ' }, {}]],
  ['A', [517, 1102], [{ A: 517 }, { A: '1102' }], [{ A: 5170 }, { A: null }]],
  ['A', '0x17', [{ A: '0X17' }], [{ A: 23 }]],
  ['A', '3', [{ A: 3 }, { A: '3' }], [{ A: 33 }]],
  ['A', true, [{ A: true }, { A: 'True' }], [{ A: false }]],
  ['A', '', [{ A: '' }], [{ A: ' ' }, {}]],
  ['A', null, [{}, { A: null }], [{ A: '' }]],
  ['A', ['x', null], [{}, { A: 'X' }], [{ A: 'y' }]],
  ['A', 'prog?.exe', [{ A: 'progA.exe' }], [{ A: 'prog.exe' }]],
  ['A', '*', [{ A: 'x' }, { A: 0 }, { A: '' }], [{}, { A: null }]],
  ['A|contains', 'b', [{ A: 'aBc' }], [{ A: 'ac' }]],
  ['A|contains', 'a*b', [{ A: 'xAyBz' }], [{ A: 'ba' }]],
  ['A|contains|all', ['a', 'b'], [{ A: 'xbxa' }], [{ A: 'a' }]],
  ['A|all|startswith', ['a', 'ab'], [{ A: 'ABC' }], [{ A: 'ac' }]],
  ['A|startswith', ['adm', 'root'], [{ A: 'Administrator' }], [{ A: 'xadm' }]],
  ['A|endswith', String.raw`\cmd.exe`, [{ A: String.raw`C:\CMD.exe` }], [{ A: 'cmd.exe' }]],
  ['A|endswith', ['*\\a*.exe', 'b'], [{ A: 'c:\\ab.exe' }, { A: 'xb' }], [{ A: 'c:\\b.com' }]],
  ['A|cased', 'AbC', [{ A: 'AbC' }], [{ A: 'abc' }]],
  ['A|contains|cased', 'bC', [{ A: 'abCd' }], [{ A: 'abcd' }]],
  ['A|cased|startswith', 'A?c', [{ A: 'AxcD' }], [{ A: 'axcD' }, { A: 'AcD' }]],
  ['A|cased|endswith', 'Z', [{ A: 'aZ' }], [{ A: 'az' }]],
  ['A|exists', true, [{ A: null }, { A: '' }], [{}]],
  ['A|exists', false, [{}], [{ A: null }]],
  ['A|neq', 'x', [{ A: 'y' }, {}], [{ A: 'X' }]],
  ['A|neq', [1, 2], [{ A: 3 }], [{ A: 2 }, { A: '1' }]],
  ['A|gt', 5, [{ A: 6 }], [{ A: 5 }, { A: '6' }, {}]],
  ['A|gte', 5, [{ A: 5 }], [{ A: 4.9 }]],
  ['A|lt', 5, [{ A: 4.9 }], [{ A: 5 }]],
  ['A|lte', 5, [{ A: 5 }], [{ A: 5.1 }]],
  ['A|gt', [5, 3], [{ A: 4 }], [{ A: 3 }]],
  ['A|re', '^a.c$', [{ A: 'abc' }], [{ A: 'ABC' }, { A: 'abcd' }]],
  ['A|re', 'b+', [{ A: 'abbc' }], [{ A: 'aBc' }]],
  ['A|re|i', 'b+', [{ A: 'aBc' }], [{ A: 'ac' }]],
  ['A|re|ignorecase', 'b', [{ A: 'B' }], [{ A: 'c' }]],
  ['A|re|m', '^b$', [{ A: 'a\nb\nc' }], [{ A: 'ab' }]],
  ['A|re|multiline', '^b$', [{ A: 'a\nb' }], [{ A: 'ab' }]],
  ['A|re|s', 'a.b', [{ A: 'a\nb' }], [{ A: 'ab' }]],
  ['A|re|dotall', 'a.b', [{ A: 'a\nb' }], [{ A: 'ab' }]],
  ['A|re|i|m|s', '^A.b$', [{ A: 'x\na\nB' }], [{ A: 'ab' }]],
  ['A|re|startswith', 'a|b', [{ A: 'bx' }], [{ A: 'xa' }]],
  ['A|re|endswith', 'a|b', [{ A: 'xb' }], [{ A: 'bx' }]],
  ['A|re|contains', 'a|b', [{ A: 'xbx' }], [{ A: 'x' }]],
  ['A|re|all', ['a', 'b'], [{ A: 'xbxa' }], [{ A: 'a' }]],
  ['A|cidr', ['10.0.0.0/8', 'fe80::/10'], [{ A: '10.1.2.3' }, { A: 'FE80::1' }], [{ A: '11.0.0.1' }]],
  // "fieldname|base64" of the appendix; pySigma's examples foobar -> Zm9vYmFy and the three offsets of it.
  ['A|base64', 'foobar', [{ A: 'Zm9vYmFy' }], [{ A: 'Zm9vYmF' }]],
  ['A|base64|contains', 'foobar', [{ A: 'xZm9vYmFyx' }], [{ A: 'Zm9v' }]],
  [
    'A|base64offset|contains',
    'foobar',
    ['', 'a', 'ab', 'abc'].map((before) => ({ A: base64(`${before}foobar and more`) })),
    [{ A: base64('fooba and more') }],
  ],
  [
    'A|wide|base64offset|contains',
    'ping',
    [0, 1, 2].map((n) => ({
      A: Buffer.concat([Buffer.alloc(n, 65), Buffer.from('ping x', 'utf16le')]).toString('base64'),
    })),
    [{ A: base64('ping') }],
  ],
  ['A|utf16le|base64', 'é1', [{ A: base64('é1', 'utf16le') }], [{ A: base64('é1') }]],
  ['A|utf16|base64', 'cmd', [{ A: Buffer.from('fffe63006d006400', 'hex').toString('base64') }], [{ A: 'x' }]],
  ['A|utf16be|base64', 'cmd', [{ A: Buffer.from('0063006d0064', 'hex').toString('base64') }], [{ A: 'x' }]],
  ['A|wide', 'cmd', [{ A: 'c\0m\0d\0' }], [{ A: 'cmd' }]],
  ['A|utf16be|contains', 'c', [{ A: 'x\0c' }], [{ A: 'c\0' }]],
  ['A|utf16', 'c', [{ A: '\ufeffc\0' }], [{ A: 'c\0' }]],
  [
    'A|windash|contains',
    ' -param-name ',
    ['-', '/', '–', '—', '―'].map((dash) => ({ A: `x ${dash}param-name y` })),
    [{ A: 'x -param/name y' }, { A: 'x +param-name y' }],
  ],
  ['A|contains|all|windash', [' -a', ' -b'], [{ A: 'x /b –a' }], [{ A: 'x /b' }]],
  ['A|fieldref', 'B', [{ A: 'x', B: 'X' }], [{ A: 'x', B: 'y' }, {}]],
  ['A|fieldref|startswith', 'B', [{ A: 'xyz', B: 'XY' }], [{ A: 'xyz', B: 'yz' }]],
  ['A|fieldref|endswith', 'B', [{ A: 'xyz', B: 'YZ' }], [{ A: 'xyz', B: 'xy' }]],
  ['A|fieldref|contains', 'B', [{ A: 'xyz', B: 'y' }], [{ A: 'xyz', B: 'a' }]],
  ['A|fieldref|neq', 'B', [{ A: 'x', B: 'y' }], [{ A: 'x', B: 'x' }]],
  ['A|minute', 5, [{ A: '2026-03-04T01:05:59Z' }], [{ A: '2026-03-04T05:06:00Z' }]],
  ['A|hour', [22, 3], [{ A: '2026-03-04T03:05:59Z' }], [{ A: '2026-03-04T04:00:00Z' }]],
  ['A|day', 4, [{ A: '2026-03-04T03:05:59Z' }], [{ A: '2026-04-03' }]],
  ['A|week', 10, [{ A: '2026-03-04' }], [{ A: '2026-03-09' }]],
  ['A|month', 3, [{ A: '2026-03-04' }], [{ A: '2026-04-03' }]],
  ['A|year', 2026, [{ A: '2026-03-04' }, { A: 1_772_582_400 }], [{ A: '2025-12-31' }, { A: '2026' }]],
];

test.each(cases)('%s: %j', (key, value, held, missed) => {
  const rule = ruleOf(imported({ [key]: value }));
  for (const data of held) expect([data, holds(rule, { event: 'e', data })]).toEqual([data, true]);
  for (const data of missed) expect([data, holds(rule, { event: 'e', data })]).toEqual([data, false]);
});

test('a placeholder is a named list', () => {
  expect(ruleOf(imported({ 'A|expand': ['%Servers%', 'srv1'] })).when).toEqual({
    any: [{ 'data.A': { in_list: 'servers' } }, { 'data.A': 'srv1' }],
  });
});

test('every modifier has a case', () => {
  const used = new Set([...cases.flatMap(([key]) => key.split('|').slice(1)), 'expand']);
  expect(modifierNames.filter((name) => !used.has(name))).toEqual([]);
});

// The path is that of the entry; the rest of the rule is right.
test.each([
  ['A|foo', 1, 'the modifier "foo" does not exist'],
  ['A|contains|re', 'a', 're must be the first modifier'],
  ['A|i', 'a', 'stands after re'],
  ['A|gt', '5', 'takes a number'],
  ['A|hour', 'x', 'takes a whole number'],
  ['A|contains', 5, 'takes texts only'],
  ['A|exists', 'yes', 'exists takes true or false'],
  ['A|cidr', '10.0.0.*', 'a wildcard is not possible'],
  ['A|base64', 'a*', 'a wildcard is not possible'],
  ['A|wide|contains', 'é', 'must follow'],
  ['A|wide', 'é', 'must follow'],
  ['A|windash', '-a -b -c -d', 'at most 3 dashes'],
  ['A|expand|contains', '%a%', 'takes texts only'],
  ['A|expand', 'x%a%', 'only possible as the whole value'],
  ['A', [], 'an empty list'],
  ['|gt', 5, 'needs the name of a field'],
])('%s: %j is refused', (key, value, reason) => {
  const { rule, issues } = imported({ [key]: value });
  expect(rule).toBeNull();
  expect(issues).toEqual([{ path: `/detection/selection/${key}`, message: expect.stringContaining(reason) }]);
});

test.each([
  ['A|cidr', '10.0.0.1/8', '/when/data.A/cidr'],
  ['A|re', '(a', '/when/data.A/regex'],
  ['A|re', 'a(?=b)', '/when/data.A/regex'],
  ['A|re', '(a{1000}){1000}', '/when/data.A/regex'],
  ['a..b', 'x', '/when/data.a..b'],
])('what the rule language refuses is not imported: %s: %s', (key, value, path) => {
  const { rule, issues } = imported({ [key]: value });
  expect([rule, issues]).toEqual([null, [{ path, message: expect.stringContaining('no counterpart') }]]);
});

test.each([
  [{ A: [{ b: 1 }] }, '/detection/selection/A/0', 'must be a text'],
  [{ A: { b: 1 } }, '/detection/selection/A', 'must be a text'],
  [{}, '/detection/selection', 'is empty'],
  [[], '/detection/selection', 'is empty'],
  [[null], '/detection/selection', 'null must belong to a field'],
  [{ A: Array(20_001).fill('x') }, '/detection/selection/A', 'at most 20000 values'],
])('%j is refused', (selection, path, reason) => {
  const { rule, issues } = imported(selection);
  expect(rule).toBeNull();
  expect(issues).toEqual([{ path, message: expect.stringContaining(reason) }]);
});
