// Wildcards: Sigma's escaping, characters beyond the BMP, stars that must give back, and time that stays linear.
import { describe, expect, test } from 'vitest';
import { holds, pin } from '../../../testing/rules.ts';

const wildcard = (pattern: unknown, text: unknown, expected: boolean) =>
  ['wildcard', { 'data.a': { wildcard: pattern } }, { a: text }, expected] as const;

describe('the whole text fits', () => {
  pin([
    wildcard('web-*', 'WEB-01', true),
    wildcard('web-*', 'my-web-01', false),
    wildcard('web-*', 'web-', true),
    wildcard('*.exe', 'a.exe ', false),
    wildcard('a*b', 'a\n\nb', true),
    wildcard('a*b*c', 'a-b-b-c', true),
    wildcard('a*b*c', 'a-c-b', false),
    wildcard('ab*ba', 'aba', false),
    wildcard('*ab', 'aab', true),
    wildcard('*a*a*', 'a', false),
    wildcard('x*ab?d*y', 'x abcabxd y', true),
    wildcard('**', 'anything', true),
    wildcard('*', '', true),
    wildcard(['x*', 'y*'], 'yes', true),
    wildcard('1*', 10, false),
    wildcard('x*', ['a', 'xa'], true),
  ]);
});

describe('? is one character', () => {
  pin([
    wildcard('?', 'a', true),
    wildcard('?', '', false),
    wildcard('??', 'a', false),
    wildcard('?', '😀', true),
    wildcard('??', '😀', false),
    wildcard('*😀?', 'x😀é', true),
    wildcard('*?y', 'x😀y', true),
    wildcard('??y', '😀y', false),
    wildcard('?x*?', '😀x😀', true),
    wildcard('?x*??', '😀x😀', false),
    wildcard('?', '\ud83d', true),
    wildcard('*?b?c', '😀bc', false),
    wildcard('*?b?c', '😀b😀c', true),
  ]);
});

describe('escapes as in Sigma', () => {
  pin([
    wildcard('a\\*', 'a*', true),
    wildcard('a\\*', 'ab', false),
    wildcard('a\\?', 'a?', true),
    wildcard('a\\?', 'ab', false),
    wildcard('C:\\Windows\\\\*', 'c:\\windows\\x', true),
    wildcard('C:\\Windows\\\\*', 'c:\\windows*', false),
    wildcard('a\\\\\\*', 'a\\*', true),
    wildcard('a\\\\\\*', 'a\\x', false),
    wildcard('a\\\\b', 'a\\b', true),
    wildcard('a\\b', 'a\\b', true),
    wildcard('a\\\\\\\\b', 'a\\\\b', true),
    wildcard('a\\', 'a\\', true),
  ]);
});

test('stars cost no more than the text times the pattern', () => {
  const text = `${'ab'.repeat(100_000)}c`;
  const start = process.cpuUsage().user;
  pinned('*a?a?a?a*x*y', text);
  pinned('*?????a*b*', text);
  expect(process.cpuUsage().user - start).toBeLessThan(2_000_000);
});

function pinned(pattern: string, text: string): void {
  holds({ 'data.a': { wildcard: pattern } }, { a: text });
}
