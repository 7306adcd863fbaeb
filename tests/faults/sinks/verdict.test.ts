// The judge must find what it is for: each broken promise, planted by hand in books that are clean otherwise.
import { expect, test } from 'vitest';
import { judge, lineOf, problemsOf, readEntries, type SinkBooks, takenBetween } from './verdict.ts';

const clean: SinkBooks = {
  sent: [
    { id: 'a', partition: 0, offset: 5 },
    { id: 'b', partition: 0, offset: 6 },
    { id: 'c', partition: 1, offset: 0 },
    { id: 'd', partition: 1, offset: 1 },
  ],
  entries: [
    { at: 1, ids: ['b'], end: 10 },
    { at: 2, ids: ['a', 'c'], end: 20 },
  ],
  letters: [{ id: 'd', reason: 'hec_6' }],
  samples: [
    { committed: new Map([[0, 5]]), bytes: 10 },
    {
      committed: new Map([
        [0, 7],
        [1, 2],
      ]),
      bytes: 20,
    },
  ],
};

test('clean books', () => {
  const verdict = judge(clean);
  expect(problemsOf(verdict)).toEqual([]);
  expect(lineOf('test', verdict, 9)).toBe(
    'sink-test: sent=4 delivered=3 lost=0 duplicates=0 (bound 9) dead-lettered=1',
  );
});

test.each<[string, Partial<SinkBooks>, string[]]>([
  [
    'a loss',
    { entries: clean.entries.slice(1) },
    ['lost 1 (b)', 'committed before they were delivered 1 (b)'],
  ],
  ['a lost letter', { letters: [] }, ['lost 1 (d)', 'committed before they were delivered 1 (d)']],
  [
    'a commit over an event that came later',
    { samples: [{ committed: new Map([[0, 7]]), bytes: 10 }] },
    ['committed before they were delivered 1 (a)'],
  ],
  [
    'a letter for what was delivered',
    { letters: [...clean.letters, { id: 'a', reason: 'x' }] },
    ['delivered and dead-lettered, or never sent 1 (a)'],
  ],
  [
    'an event from nowhere',
    { entries: [...clean.entries, { at: 3, ids: ['z'], end: 30 }] },
    ['delivered and dead-lettered, or never sent 1 (z)'],
  ],
])('finds %s', (_, planted, problems) => {
  expect(problemsOf(judge({ ...clean, ...planted }))).toEqual(problems);
});

test('counts what came again, and what came in a time', () => {
  const entries = [...clean.entries, { at: 3, ids: ['a', 'b'], end: 30 }];
  expect(judge({ ...clean, entries }).duplicates).toBe(2);
  expect(takenBetween(entries, 2, 3)).toBe(4);
});

test('a line that a kill cut off does not count, nor spoil the next', () => {
  expect(readEntries(Buffer.from('[1,["a"]]\n[2,["b","c\n[3,["d"]]\n[4,["e"'))).toEqual([
    { at: 1, ids: ['a'], end: 10 },
    { at: 3, ids: ['d'], end: 31 },
  ]);
});
