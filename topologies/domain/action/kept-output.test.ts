// Outputs that are too large: what stays of them, how large that is, and the name of the whole.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keptOutput, sizeOf, storedOutputBytes } from './kept-output.ts';
import type { Json } from './outcome.ts';

const sha256 = (value: Json) => createHash('sha256').update(JSON.stringify(value)).digest('hex');
const kept = (output: Json, max = storedOutputBytes) => keptOutput(output, max) as Record<string, Json>;

describe('what fits', () => {
  test('stays as it is, to the byte', () => {
    const output = { text: 'é'.repeat(10) };
    expect(sizeOf(output)).toBe(31);
    expect(keptOutput(output, 31)).toBe(output);
    expect(keptOutput(undefined, 1)).toBeUndefined();
    expect(kept(output, 30)).toEqual({ truncated: true, bytes: 31, sha256: sha256(output) });
  });
});

describe('what does not', () => {
  test('B11 5 MB of a program: cut below 64 KiB beside the hash of the whole, and its exit code stays', () => {
    const output = { exit_code: 3, stdout: 'x'.repeat(5_000_000) };
    const cut = kept(output);
    expect(cut).toMatchObject({ exit_code: 3, truncated: true, bytes: 5_000_027, sha256: sha256(output) });
    expect(String(cut['stdout'])).toMatch(/^x{32767}…$/);
    expect(sizeOf(cut)).toBeLessThanOrEqual(storedOutputBytes);
  });

  test.each<[string, Json, number]>([
    ['many texts', { list: Array.from({ length: 100 }, () => 'y'.repeat(10_000)) }, storedOutputBytes],
    [
      'texts of three bytes a character',
      { a: '€'.repeat(100_000), b: '€'.repeat(100_000) },
      storedOutputBytes,
    ],
    ['texts that JSON escapes', { a: '\u0001'.repeat(100_000) }, storedOutputBytes],
    ['in little room', { a: 'z'.repeat(100_000), b: true }, 1_000],
  ])('%s: shorter, within the limit, marked', (_, output, max) => {
    const cut = kept(output, max);
    expect(sizeOf(cut)).toBeLessThanOrEqual(max);
    expect(Object.keys(cut).sort()).toEqual(
      [...Object.keys(output as object), 'bytes', 'sha256', 'truncated'].sort(),
    );
  });

  test.each<[string, Json]>([
    ['too many members', Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`m${i}`, i]))],
    ['a list', Array.from({ length: 50_000 }, () => 1)],
    ['a text', 'x'.repeat(70_000)],
  ])('%s: size and hash alone', (_, output) => {
    expect(Object.keys(kept(output)).sort()).toEqual(['bytes', 'sha256', 'truncated']);
  });

  test('a pair of surrogates is not cut in two', () => {
    const cut = kept({ text: `${'x'.repeat(32_766)}${'😀'.repeat(40_000)}` });
    expect(String(cut['text']).isWellFormed()).toBe(true);
  });

  test('a member of the output has no way to pass for the mark', () => {
    expect(kept({ truncated: false, bytes: 1, sha256: 'mine', text: 'x'.repeat(70_000) })).toMatchObject({
      truncated: true,
      bytes: 70_055,
    });
  });
});
