// Regular expressions: what they see, what is refused and why, and that no pattern makes time explode.
import { describe, expect, test } from 'vitest';
import { holds, pin } from '../../../testing/rules.ts';
import { limits } from '../limits.ts';
import { checkRule } from '../parse-rule.ts';

const regex = (given: object, text: unknown, expected: boolean) =>
  ['regex', { 'data.a': given }, { a: text }, expected] as const;

describe('what a pattern sees', () => {
  pin([
    regex({ regex: 'sql' }, 'a sql b', true),
    regex({ regex: '^sql$' }, 'a sql b', false),
    regex({ regex: 'sql' }, 'SQL', false),
    regex({ regex: 'sql', flags: 'i' }, 'SQL', true),
    regex({ regex: '(?i)sql' }, 'SQL', true),
    regex({ regex: 'σ', flags: 'i' }, 'ς', true),
    regex({ regex: 'a.b' }, 'a\nb', false),
    regex({ regex: 'a.b', flags: 's' }, 'a\nb', true),
    regex({ regex: '^b$' }, 'a\nb', false),
    regex({ regex: '^b$', flags: 'm' }, 'a\nb', true),
    regex({ regex: '^B.c$', flags: 'smi' }, 'a\nb\nc', true),
    regex({ regex: ['x', 'y'] }, 'yes', true),
    regex({ regex: '^.$' }, '😀', true),
    regex({ regex: '1' }, 1, false),
    regex({ regex: 'x', prefix: 'a' }, ['a', 'x'], false),
    regex({ not: { regex: '^a' } }, 'b', true),
  ]);
  test('the beginning of a text that is too long', () => {
    const text = `${'a'.repeat(limits.regexText)}x`;
    expect(holds({ 'data.a': { regex: 'x' } }, { a: text })).toBe(false);
    expect(holds({ 'data.a': { regex: 'a$' } }, { a: text })).toBe(true);
    expect(holds({ 'data.a': { regex: 'x' } }, { a: text.slice(1) })).toBe(true);
  });
});

describe('what is refused', () => {
  const issues = (given: object): string[] =>
    checkRule({ kind: 'rule', id: 'r', when: { 'data.a': given }, then: [{ action: 'a' }] }).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  const beyond = (what: string): string => `/when/data.a/regex: ${what} is not possible in RE2 syntax`;
  test.each([
    ['(?=x)', beyond('lookaround')],
    ['a(?!x)', beyond('lookaround')],
    ['(?<=x)y', beyond('lookaround')],
    ['(?<!x)y', beyond('lookaround')],
    ['(a)\\1', beyond('a backreference')],
    ['(?<n>a)\\k<n>', beyond('a backreference')],
    ['(?P<n>a)(?P=n)', beyond('a backreference')],
    ['(?>a+)b', beyond('an atomic group')],
    ['(a)?(?(1)b)', beyond('a condition')],
    ['[]\\]](?=x)', beyond('lookaround')],
    ['\\Qx\\E(?=x)', beyond('lookaround')],
    ['[', '/when/data.a/regex: is no regular expression: missing closing ]: `[`'],
    ['(', '/when/data.a/regex: is no regular expression: missing closing ): `(`'],
    ['a++', '/when/data.a/regex: is no regular expression: invalid nested repetition operator: `++`'],
    ['x{1001}', '/when/data.a/regex: is no regular expression: invalid repeat count: `{1001}`'],
    ['(a{1000}){1000}', '/when/data.a/regex: is no regular expression: invalid repeat count: `{1000}`'],
    ['(?:a{100}){10}', '/when/data.a/regex: needs more than 1000 instructions; make its repetitions smaller'],
    ['', '/when/data.a/regex: an empty pattern is in every text'],
    [7, '/when/data.a/regex: must be a string'],
    [['x', '('], '/when/data.a/regex/1: is no regular expression: missing closing ): `(`'],
    [`${'a'.repeat(1023)}é`, '/when/data.a/regex: a regular expression has at most 1024 bytes'],
  ])('%j', (pattern, issue) => expect(issues({ regex: pattern })).toEqual([issue]));
  test.each(['\\Q(?=x)', '[](?=x)]', '[^](?=x)]', '\\Q(?=x)\\E', '[(?=x)]', '\\(?=x', '\\\\1', '[^]](x)'])(
    'nothing is taken for what it is not: %s',
    (pattern) => expect(issues({ regex: pattern })).toEqual([]),
  );
  test('1,024 bytes are possible', () => expect(issues({ regex: `[${'é'.repeat(511)}]` })).toEqual([]));
  const flags =
    '/when/data.a/flags: must be letters of i (any case), m (^ and $ at lines), s (. takes line ends)';
  test.each([
    [{ regex: 'x', flags: 'g' }, flags],
    [{ regex: 'x', flags: 'ii' }, flags],
    [{ regex: 'x', flags: true }, flags],
    [{ flags: 'i' }, '/when/data.a/flags: is for regex alone'],
  ])('%j', (given, issue) => expect(issues(given)).toEqual([issue]));
});

test('C12: a pattern that backtracks for ever elsewhere takes milliseconds', () => {
  const start = process.cpuUsage().user;
  expect(holds({ 'data.a': { regex: '^(a+)+$' } }, { a: `${'a'.repeat(60_000)}!` })).toBe(false);
  expect(process.cpuUsage().user - start).toBeLessThan(1_000_000);
});

test('whatever the pattern, checking it is quick and never throws', () => {
  const start = process.cpuUsage().user;
  for (const pattern of [
    '\\pL'.repeat(340),
    '[^a]{1000}'.repeat(100),
    '('.repeat(500) + ')'.repeat(500),
    '(x+x+)+y|'.repeat(100),
    '(?:a?){500}a{500}',
    '(?i)\\pL\\pN\\pS'.repeat(60),
  ])
    checkRule({ kind: 'rule', id: 'r', when: { 'data.a': { regex: pattern } }, then: [{ action: 'a' }] });
  expect(process.cpuUsage().user - start).toBeLessThan(6_000_000);
});
