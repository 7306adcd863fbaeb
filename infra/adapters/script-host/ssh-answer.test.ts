// Answers of the program on a host: whole ones, those of login shells that talk, and everything that is none.
import { expect, test } from 'vitest';
import { readAnswer } from './ssh-answer.ts';
import { quoteWord } from './ssh-command.ts';

const sha = 'a'.repeat(64);
const ended = (
  body: string,
  exit = '3 1000 1002',
  stop = '- 0',
  streams = `5 ${sha} 5\n9 ${sha} 2`,
): Buffer => Buffer.from(`Welcome to app1!\n\ntocsin-1 ended\n${exit}\n${stop}\n${streams}\n${body}`);

test('a run that ended', () => {
  expect(readAnswer(ended('hello!!'))).toEqual({
    state: 'ended',
    end: {
      exitCode: 3,
      signal: null,
      stdout: { text: 'hello', bytes: 5, sha256: sha, truncated: false },
      stderr: { text: '!!', bytes: 9, sha256: sha, truncated: true },
      startedAt: 1_000_000,
      endedAt: 1_002_000,
      stopped: null,
    },
  });
  expect(readAnswer(ended('hello!!', undefined, 'cancel 1'))).toMatchObject({
    end: { stopped: { by: 'cancel', killed: true } },
  });
});

test('size and digest that nobody could tell', () => {
  expect(readAnswer(ended('abc', undefined, undefined, '- - 3\n0 - 0'))).toMatchObject({
    end: { stdout: { text: 'abc', bytes: 3, sha256: null, truncated: true } },
  });
});

test.each(['uncertain', 'unknown', 'cancelled', 'broken'])('%s', (state) =>
  expect(readAnswer(Buffer.from(`\ntocsin-1 ${state}\n`))).toEqual({ state }),
);

test('refused, with the reason', () =>
  expect(readAnswer(Buffer.from('\ntocsin-1 refused the host has no setsid\n'))).toEqual({
    state: 'refused',
    detail: 'the host has no setsid',
  }));

test.each([
  ['nothing', ''],
  ['another program', 'sh: 1: exec: not found\n'],
  ['another state', '\ntocsin-1 what\n'],
  ['half of the output', ended('hel').toString()],
  ['no numbers', ended('hello!!', 'x 1 2').toString()],
  ['another stop', ended('hello!!', undefined, 'reboot 0').toString()],
  ['a digest that is none', ended('hello!!', undefined, undefined, '5 xyz 5\n0 - 0').toString()],
  ['only its beginning', '\ntocsin-1 ended\n3 1'],
])('%s is no answer', (_, said) => expect(readAnswer(Buffer.from(said))).toBeNull());

test('a word that no command line can hold is refused', () =>
  expect(() => quoteWord('a\0b')).toThrow(RangeError));
