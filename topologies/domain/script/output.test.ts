// What is kept of an output: bounded, clean, and without secrets, also where it was cut.
import { expect, test } from 'vitest';
import { type Captured, cutText, keptOutput, nothingCaptured } from './output.ts';

const captured = (text: string, truncated = false): Captured => ({
  ...nothingCaptured,
  text,
  bytes: truncated ? 9_999_999 : Buffer.byteLength(text),
  truncated,
});
const same = (text: string): string => text;

test('line feeds and tabs stay, other controls and halves of characters are replaced', () => {
  const { text } = keptOutput(captured('a\tb\r\nc\u0000\u001b[31m\u009b\ud800'), same, []);
  expect(text).toBe('a\tb\nc\ufffd\ufffd[31m\ufffd\ufffd');
});

test.each([
  ['é'.repeat(10), 5, 'éé'],
  ['😀😀', 7, '😀'],
  ['abc', 3, 'abc'],
  ['abc', 0, ''],
])('%j in %i bytes', (text, most, expected) => expect(cutText(text, most)).toBe(expected));

test('a text that grows beyond the limit when it is cleaned is cut, and says so', () => {
  const kept = keptOutput(captured('\u0001'.repeat(100)), same, [], 30);
  expect(kept).toMatchObject({ text: '\ufffd'.repeat(10), bytes: 100, truncated: true });
});

test('secrets go, and what a cut leaves of one at the end', () => {
  const scrub = (text: string): string => text.replaceAll('topsecret', '[secret]');
  expect(keptOutput(captured('x topsecret y'), scrub, ['topsecret']).text).toBe('x [secret] y');
  expect(keptOutput(captured('x topsecre', true), scrub, ['topsecret']).text).toBe('x ');
  // Not cut: it is what the script wrote.
  expect(keptOutput(captured('x topsecre'), scrub, ['topsecret']).text).toBe('x topsecre');
});
