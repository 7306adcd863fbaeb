// The cache of states is bounded in number and in bytes, and lets go of what was written longest ago.
import { expect, test } from 'vitest';
import { createStateCache } from './state-cache.ts';

const state = { state: 's', version: 1 };

test('too many states: the oldest go', () => {
  const cache = createStateCache<string>({ maxStates: 2, maxCharacters: 1_000 });
  for (const key of ['a', 'b', 'c']) cache.put(key, state, 'x');
  expect([...cache.states.keys()]).toEqual(['a', 'b', 'c']);
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['b', 'c']);
});

test('too many characters: the oldest go, and a state that is written again counts once and as new', () => {
  const cache = createStateCache<string>({ maxStates: 100, maxCharacters: 10 });
  cache.put('a', state, '1234');
  cache.put('b', state, '1234');
  cache.put('a', state, '12345');
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['b', 'a']);
  cache.put('c', state, '12');
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['a', 'c']);
  cache.put('a', state, null);
  cache.put('d', state, '12345678');
  cache.trim();
  expect([...cache.states.keys()]).toEqual(['c', 'a', 'd']);
});
