// Lines of event files, as a whole and in pieces; expected lines come from splitting the text.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, expect, test } from 'vitest';
import { type EventFileOptions, openEvents } from './rules-events.ts';

const scratch = scratchFolder('rules-events');
afterAll(() => scratch.remove());
const path = join(scratch.path, 'events.jsonl');

async function linesOf(text: string, options: EventFileOptions): Promise<[number, string][]> {
  writeFileSync(path, text);
  const lines: [number, string][] = [];
  const file = await openEvents(path, options);
  for await (const { bytes, count, starts, ends, firstLine } of file.pieces())
    for (let line = 0; line < count; line += 1)
      lines.push([firstLine + line, bytes.toString('utf8', starts[line], ends[line])]);
  return lines;
}

const texts = [
  '',
  '\n',
  'a',
  'a\n',
  'a\nbb',
  'a\r\n\r\nbb\r\n',
  '\n\n\n',
  'ä\nöö\n',
  'abcdefg\nx\n',
  `${'line\n'.repeat(3_000)}end`,
];

test.each(texts.map((text, index) => [index, text] as const))('text %i', async (_, text) => {
  const expected = text.split('\n').map((line, index) => [index + 1, line.replace(/\r$/, '')]);
  if (text.endsWith('\n') || text === '') expected.pop();
  expect(await linesOf(text, {})).toEqual(expected);
  for (const pieceBytes of [8, 9, 64])
    expect(await linesOf(text, { wholeBytes: 0, pieceBytes })).toEqual(expected);
});

test('a line above the size of a piece comes cut off, and the lines after it keep their numbers', async () => {
  const text = `a\n${'x'.repeat(50)}\nb\n${'y'.repeat(20)}`;
  expect(await linesOf(text, { wholeBytes: 0, pieceBytes: 10 })).toEqual([
    [1, 'a'],
    [2, 'xxxxxxxxxx'],
    [3, 'b'],
    [4, 'yyyyyyyyyy'],
  ]);
});
