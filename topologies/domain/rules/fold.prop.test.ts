// The law that makes prefix, suffix and contains agree with equality.
import fc from 'fast-check';
import { test } from 'vitest';
import { fold } from './fold.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom('Σ', 'ς', 'σ', 'A', ' ', 'İ', 'K', '.')).map((parts) => parts.join('')),
);

test('folding a text is folding its parts', () => {
  fc.assert(fc.property(text, text, (a, b) => fold(a + b) === fold(a) + fold(b)));
});

test('folding twice changes nothing', () => {
  fc.assert(fc.property(text, (a) => fold(fold(a)) === fold(a)));
});
