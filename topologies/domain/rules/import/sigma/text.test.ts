// Wildcards and escaping as the Sigma specification describes them, section by section.
import { expect, test } from 'vitest';
import { ANY, ONE, readText, shapeOf, writeText } from './text.ts';

// Sigma rules specification, "Escaping": the five possibilities.
test.each([
  [String.raw`C:\Windows`, [String.raw`C:\Windows`]],
  [String.raw`C:\\Windows`, [String.raw`C:\Windows`]],
  [String.raw`a\*b`, ['a*b']],
  [String.raw`a\?b`, ['a?b']],
  [String.raw`\\*`, ['\\', ANY]],
  [String.raw`\\\*`, [String.raw`\*`]],
  [String.raw`\\\x`, [String.raw`\\x`]],
  [String.raw`\\\\x`, [String.raw`\\x`]],
  ['prog?.exe', ['prog', ONE, '.exe']],
  ['antivirus_V*.exe', ['antivirus_V', ANY, '.exe']],
  ['a**b', ['a', ANY, 'b']],
  ['', []],
  ['\\', ['\\']],
])('%s', (source, parts) => {
  expect(readText(source)).toEqual(parts);
});

test.each([
  ['*something', 'suffix', 'something'],
  ['something*', 'prefix', 'something'],
  ['*something*', 'contains', 'something'],
  ['a*b', 'wildcard', 'a*b'],
  [String.raw`*\cmd.exe`, 'suffix', String.raw`\cmd.exe`],
  ['plain', 'equal', 'plain'],
  ['', 'equal', ''],
  ['*', 'present', '*'],
  ['*a*b*c*', 'regex', 'a.*b.*c'],
  ['a*b*c*d*e', 'regex', '^a.*b.*c.*d.*e$'],
  [String.raw`*a.b\*c*d*e*`, 'regex', String.raw`a\.b\*c.*d.*e`],
])('%s is %s', (source, shape, operand) => {
  expect(shapeOf(readText(source))).toEqual({ shape, operand });
});

test.each([
  'a*b',
  String.raw`a\*b?`,
  String.raw`\\*x`,
  String.raw`a\\\*b*`,
  String.raw`x\\`,
  String.raw`\\\\?`,
])('%s is written so that it is read again', (source) => {
  const text = readText(source);
  expect(readText(writeText(text))).toEqual(text);
});
