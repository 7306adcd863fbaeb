// What is too old goes every hour, in pieces, whatever the database does in between.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { keepMsOf, pruneHourly } from './prune.ts';

const hour = 3_600_000;

test('two days beyond the retention are kept', () => {
  expect(keepMsOf({ retentionHours: 168 })).toBe(216 * hour);
  expect(keepMsOf({ retentionHours: null })).toBe(48 * hour);
});

test('pieces until one is not full, an hour between turns, an error ends the turn alone', async () => {
  const clock = fakeClock(1_000_000 * hour);
  const logger = fakeLogger();
  const stopping = new AbortController();
  const answers: (number | Error)[] = [10, 10, 3, new Error('away'), 0];
  const calls: [number, number][] = [];
  const running = pruneHourly({
    async prune(before, limit) {
      calls.push([1_000_000 - before / hour, limit]);
      const answer = answers.shift();
      if (answer === undefined || answer instanceof Error) throw answer;
      return answer;
    },
    keepMs: 5 * hour,
    pieces: 10,
    what: 'entries',
    clock,
    logger,
    signal: stopping.signal,
  });
  await clock.advance(hour - 1);
  expect(calls).toEqual([]);
  await clock.advance(1);
  expect(calls).toEqual([
    [4, 10],
    [4, 10],
    [4, 10],
  ]);
  await clock.advance(2 * hour);
  expect(calls.slice(3)).toEqual([
    [3, 10],
    [2, 10],
  ]);
  expect(logger.entries.map(({ level, message }) => [level, message])).toEqual([
    ['warn', 'entries could not be pruned'],
  ]);
  stopping.abort();
  await running;
  expect(answers).toEqual([]);
});
