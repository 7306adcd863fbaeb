// The cache of states is bounded in number and in bytes, and lets go of what was written longest ago.
import { expect, test } from 'vitest';
import { createStateCache } from './state-cache.ts';

const state = { state: 's', version: 1 };

test('too many states: the oldest go', () => {
  const cache = createStateCache<string>({ maxStates: 2, maxCharacters: 1_000 });
  for (const key of ['a', 'b', 'c']) cache.put(key, state, 'x', 0);
  expect([...cache.states.keys()]).toEqual(['a', 'b', 'c']);
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['b', 'c']);
});

test('too many characters: the oldest go, and a state that is written again counts once and as new', () => {
  const cache = createStateCache<string>({ maxStates: 100, maxCharacters: 13 });
  cache.put('a', state, '1234', 0);
  cache.put('b', state, '1234', 0);
  cache.put('a', state, '12345', 0);
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['b', 'a']);
  cache.put('c', state, '12', 0);
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['a', 'c']);
  cache.put('a', state, null, 0);
  cache.put('d', state, '12345678', 0);
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['c', 'a', 'd']);
});

test('a state that is not there, or old, is read again', () => {
  const cache = createStateCache<string>();
  cache.put('a', state, 'x', 1_000);
  const hours = 12 * 3_600_000;
  expect([cache.isFresh('a', 1_000 + hours), cache.isFresh('a', 1_001 + hours)]).toEqual([true, false]);
  expect(cache.isFresh('b', 0)).toBe(false);
});
