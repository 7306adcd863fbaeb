// The judge must find what it is for: each broken promise, planted by hand in books that are clean otherwise.
import { expect, test } from 'vitest';
import { type Books, judge, lineOf, type Outcome, problemsOf } from './checker.ts';

const done = (commandId: string, over: Partial<Outcome> = {}): Outcome => ({
  commandId,
  status: 'succeeded',
  final: true,
  attempt: 1,
  startedAt: 1000,
  possibleDuplicate: false,
  ...over,
});

const clean: Books = {
  inputs: [
    { id: 'i1', hits: [{ commandId: 'c1', rule: 'r' }] },
    {
      id: 'i2',
      hits: [
        { commandId: 'c2', rule: 'r' },
        { commandId: 'c3', rule: 's' },
      ],
    },
    { id: 'i3', hits: [] },
    { id: 'i4', hits: [], broken: true },
  ],
  commands: [
    { commandId: 'c1', input: 'i1' },
    { commandId: 'c2', input: 'i2' },
    { commandId: 'c3', input: 'i2' },
  ],
  outcomes: [
    done('c1', { status: 'retrying', final: false, startedAt: 900 }),
    done('c1'),
    done('c2'),
    done('c3'),
  ],
  letters: [
    { stage: 'input', input: 'i4' },
    { stage: 'sink', input: 'i4' },
  ],
  received: [
    { commandId: 'c1', input: 'i1' },
    { commandId: 'c2', input: 'i2' },
    { commandId: 'c3', input: 'i2' },
  ],
  forwarded: ['i1', 'i2', 'i3'],
};

const kinds = (books: Books): string[] => [
  ...new Set(problemsOf(judge(books)).map((text) => text.split(':')[0] as string)),
];

test('clean books', () => {
  expect(problemsOf(judge(clean))).toEqual([]);
  expect(lineOf(judge(clean))).toBe(
    'inputs=4 expected=3 delivered=3 lost=0 dup=0 dlq=2 held=0 reevaluated=0 answered=0 sinkdup=0',
  );
});

test('a delivery that is missing is a loss', () => {
  expect(judge({ ...clean, received: clean.received.slice(1) }).lost).toEqual(['c1']);
});

test('a delivery that nothing called for is a phantom', () => {
  const received = [...clean.received, { commandId: 'c9', input: 'i9' }];
  expect(kinds({ ...clean, received })).toEqual(['phantom']);
});

test('so is a command, or an outcome', () => {
  expect(kinds({ ...clean, commands: [...clean.commands, { commandId: 'c9', input: 'i3' }] })).toEqual([
    'phantom',
  ]);
  expect(kinds({ ...clean, outcomes: [...clean.outcomes, done('c9')] })).toEqual(['phantom']);
});

test('a duplicate under another id, new or of another input, is found', () => {
  for (const commandId of ['c9', 'c2']) {
    const received = [...clean.received, { commandId, input: 'i1' }];
    expect(kinds({ ...clean, received })).toContain('otherIds');
  }
});

test('a duplicate under the same id is counted, and must be announced', () => {
  const received = [...clean.received, { commandId: 'c1', input: 'i1' }];
  expect(kinds({ ...clean, received })).toEqual(['uncounted']);
  const outcomes = clean.outcomes.map((outcome) => ({ ...outcome, possibleDuplicate: outcome.final }));
  expect(problemsOf(judge({ ...clean, received, outcomes }))).toEqual([]);
  expect(judge({ ...clean, received, outcomes }).duplicates).toBe(1);
});

test('a command without an end is open; an attempt that will be repeated is none', () => {
  expect(judge({ ...clean, outcomes: clean.outcomes.slice(0, 3) }).open).toEqual(['c3']);
  expect(judge({ ...clean, outcomes: [clean.outcomes[0]!, ...clean.outcomes.slice(2)] }).open).toEqual([
    'c1',
  ]);
});

test('two ends of one command contradict; the same record twice does not', () => {
  const twice = [...clean.outcomes, done('c1', { startedAt: 2000 })];
  expect(judge({ ...clean, outcomes: twice }).contradictory).toEqual(['c1']);
  expect(
    judge({ ...clean, outcomes: [...clean.outcomes, done('c1', { status: 'failed', code: 'x' })] }),
  ).toMatchObject({
    contradictory: ['c1'],
  });
  expect(problemsOf(judge({ ...clean, outcomes: [...clean.outcomes, done('c1')] }))).toEqual([]);
});

test('an answer from the ledger is an end when the effect is in the books, and none of its own beside a real one', () => {
  const answer = done('c1', { status: 'suppressed', attempt: 0, startedAt: 3000 });
  const without = clean.outcomes.filter(({ commandId }) => commandId !== 'c1');
  expect(problemsOf(judge({ ...clean, outcomes: [...without, answer] }))).toEqual([]);
  expect(judge({ ...clean, outcomes: [...without, answer] }).answered).toBe(1);
  expect(problemsOf(judge({ ...clean, outcomes: [...clean.outcomes, answer] }))).toEqual([]);
  const received = clean.received.slice(1);
  expect(kinds({ ...clean, received, outcomes: [...without, answer] })).toEqual(['lost']);
});

test('a held command is no loss; without its dead letter it is', () => {
  const books = {
    ...clean,
    received: clean.received.slice(1),
    outcomes: [...clean.outcomes.slice(2), done('c1', { status: 'held', code: 'uncertain' })],
  };
  expect(judge(books).lost).toEqual(['c1 failed without a dead letter']);
  const letters = [...clean.letters, { stage: 'command', commandId: 'c1' }];
  expect(problemsOf(judge({ ...books, letters }))).toEqual([]);
  expect(judge({ ...books, letters }).held).toBe(1);
});

test('a failure that only the ledger remembers needs its dead letter as well', () => {
  const answer = done('c1', { status: 'suppressed', attempt: 0, code: 'http_4xx' });
  const outcomes = [...clean.outcomes.slice(2), answer];
  expect(judge({ ...clean, outcomes }).lost).toEqual(['c1 failed without a dead letter']);
});

test('a broken input without its dead letter is a loss', () => {
  expect(judge({ ...clean, letters: clean.letters.slice(1) }).lost).toEqual([
    'broken input i4 without a dead letter',
  ]);
});

test('an input that the sink neither forwarded nor dead-lettered is a loss; twice is a duplicate', () => {
  expect(judge({ ...clean, forwarded: ['i1', 'i3'] }).lost).toEqual(['input i2 did not reach the sink']);
  expect(judge({ ...clean, forwarded: ['i1', 'i2', 'i2', 'i3'] }).sinkDuplicates).toBe(1);
  expect(problemsOf(judge({ ...clean, forwarded: null }))).toEqual([]);
});
