// The breaker opens on failures in a row, waits longer each time, and closes on the first success.
import { expect, test } from 'vitest';
import { afterAttempt, afterPause, closedBreaker, waitOf } from './breaker.ts';

const settings = { threshold: 3, initialWaitMs: 100, maxWaitMs: 350 };

test('stays closed below the threshold and forgets failures on success', () => {
  let state = afterAttempt(closedBreaker, true, 0, settings);
  state = afterAttempt(state, true, 0, settings);
  expect(waitOf(state, 0)).toBe(0);
  state = afterAttempt(state, false, 0, settings);
  expect(state).toEqual(closedBreaker);
});

test('opens at the threshold, doubles the wait for each failed probe up to the limit, closes on success', () => {
  let state = closedBreaker;
  for (let count = 0; count < 3; count += 1) state = afterAttempt(state, true, 1_000, settings);
  expect(waitOf(state, 1_000)).toBe(100);
  expect(waitOf(state, 1_100)).toBe(0);
  state = afterAttempt(state, true, 1_100, settings);
  expect(waitOf(state, 1_100)).toBe(200);
  state = afterAttempt(state, true, 1_300, settings);
  expect(waitOf(state, 1_300)).toBe(350);
  expect(afterAttempt(state, false, 2_000, settings)).toEqual(closedBreaker);
});

test('what fails while it waits began before it opened, and does not make the wait longer', () => {
  let state = closedBreaker;
  for (let count = 0; count < 8; count += 1) state = afterAttempt(state, true, 1_000 + count, settings);
  expect(waitOf(state, 1_002)).toBe(100);
  state = afterPause(state, 1_050, settings);
  expect(waitOf(state, 1_050)).toBe(52);
  // The probe that follows is the first one.
  state = afterAttempt(state, true, 1_102, settings);
  expect(waitOf(state, 1_102)).toBe(200);
  expect(waitOf(afterPause(afterPause(closedBreaker, 0, settings), 0, settings), 0)).toBe(100);
});

test('a refusal opens at once', () => {
  expect(waitOf(afterPause(closedBreaker, 5_000, settings), 5_000)).toBe(100);
});
