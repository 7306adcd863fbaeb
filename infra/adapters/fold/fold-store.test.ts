// The twin in memory keeps the contract, and can lose what Redis can lose.
import { fakeFoldStore } from '@tocsin/topologies/ports/fakes/fold-store.ts';
import { expect, test } from 'vitest';
import { foldStoreContract } from './fold-store-contract.ts';

foldStoreContract(fakeFoldStore);

test('rolled back writes are gone with their offsets', async () => {
  const store = fakeFoldStore();
  const place = { fold: 'runs', partition: 0 };
  await store.claim(place, 'a', 0);
  for (let to = 0; to < 4; to++)
    await store.advance(place, 'a', {
      from: to === 0 ? null : to - 1,
      to,
      now: 0,
      writes: [{ key: 'x', expected: to, version: to + 1, body: String(to), keepUntil: null }],
    });
  store.rollBack(place, 2);
  expect([store.offsetOf(place), store.stateOf(place, 'x')]).toEqual([1, { version: 2, body: '1' }]);
  const late = await store.advance(place, 'a', { from: 3, to: 4, now: 0, writes: [] });
  expect(late).toEqual({ status: 'offset', offset: 1 });
  store.flush();
  expect(store.offsetOf(place)).toBeNull();
});
