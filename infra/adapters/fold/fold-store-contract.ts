// What every fold store does; run against Redis and against the twin in memory.
import type { FoldStore, StateWrite } from '@tocsin/topologies/ports/fold-store.ts';
import { expect, test } from 'vitest';

const write = (
  key: string,
  expected: number,
  body: string | null,
  keepUntil: number | null = null,
): StateWrite => ({
  key,
  expected,
  version: expected + 1,
  body,
  keepUntil,
});

/** `create` gives a store on places that no other test uses. */
export function foldStoreContract(create: () => FoldStore): void {
  const states = async (store: FoldStore, token: string, from: number | null, keys: string[]) => {
    const loaded = await store.load(place, token, from, keys);
    if (loaded.status !== 'ok') throw new Error(loaded.status);
    return loaded.states;
  };
  const place = { fold: 'runs', partition: 3 };
  const now = 1_777_377_600_000;

  test('a new place is empty; states and offset move together', async () => {
    const store = create();
    expect(await store.claim(place, 'a', now)).toEqual({ offset: null });
    expect(await states(store, 'a', null, ['x', 'y'])).toEqual([null, null]);
    const writes = [write('x', 0, '{"n":1}'), write('y', 0, '"ü"')];
    expect(await store.advance(place, 'a', { from: null, to: 7, now, writes })).toEqual({ status: 'ok' });
    expect(await states(store, 'a', 7, ['y', 'x', 'z'])).toEqual([
      { version: 1, body: '"ü"' },
      { version: 1, body: '{"n":1}' },
      null,
    ]);
    expect(await store.claim(place, 'b', now)).toEqual({ offset: 7 });
  });

  test('partitions and folds are apart', async () => {
    const store = create();
    for (const partition of [1, 11]) await store.claim({ fold: 'runs', partition }, 'a', now);
    await store.advance({ fold: 'runs', partition: 1 }, 'a', {
      from: null,
      to: 1,
      now,
      writes: [write('x', 0, '1')],
    });
    await store.claim({ fold: 'sets', partition: 1 }, 'a', now);
    for (const other of [
      { fold: 'runs', partition: 11 },
      { fold: 'sets', partition: 1 },
    ])
      expect(await store.load(other, 'a', null, ['x'])).toEqual({ status: 'ok', states: [null] });
  });

  test('only the last owner advances, restores and clears', async () => {
    const store = create();
    await store.claim(place, 'old', now);
    await store.claim(place, 'new', now);
    const step = { from: null, to: 1, now, writes: [write('x', 0, '1')] };
    expect(await store.advance(place, 'old', step)).toEqual({ status: 'fenced' });
    const state = { key: 'x', state: { version: 1, body: '1' }, keepUntil: null };
    expect(await store.restore(place, 'old', [state])).toBe('fenced');
    expect(await store.clear(place, 'old')).toBe('fenced');
    expect(await store.load(place, 'old', null, ['x'])).toEqual({ status: 'fenced' });
    expect(await states(store, 'new', null, ['x'])).toEqual([null]);
    expect(await store.advance(place, 'new', step)).toEqual({ status: 'ok' });
  });

  test('a step that was applied, or that misses earlier ones, changes nothing', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    await store.advance(place, 'a', { from: null, to: 5, now, writes: [write('x', 0, '1')] });
    for (const from of [null, 4, 6])
      expect(await store.advance(place, 'a', { from, to: 9, now, writes: [write('x', 1, '2')] })).toEqual({
        status: 'offset',
        offset: 5,
      });
    expect(await store.load(place, 'a', 4, ['x'])).toEqual({ status: 'offset', offset: 5 });
    expect(await states(store, 'a', 5, ['x'])).toEqual([{ version: 1, body: '1' }]);
  });

  test('one wrong version and nothing of the step is written', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    await store.advance(place, 'a', {
      from: null,
      to: 1,
      now,
      writes: [write('x', 0, '1'), write('y', 0, '1')],
    });
    const writes = [write('x', 1, '2'), write('z', 0, '1'), write('y', 7, '2')];
    expect(await store.advance(place, 'a', { from: 1, to: 2, now, writes })).toEqual({
      status: 'version',
      key: 'y',
    });
    expect(await states(store, 'a', 1, ['x', 'z'])).toEqual([{ version: 1, body: '1' }, null]);
    expect(await store.claim(place, 'a', now)).toEqual({ offset: 1 });
  });

  test('versions grow; a removed state begins anew', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    await store.advance(place, 'a', { from: null, to: 1, now, writes: [write('x', 0, '1')] });
    await store.advance(place, 'a', { from: 1, to: 2, now, writes: [write('x', 1, '2')] });
    expect(await states(store, 'a', 2, ['x'])).toEqual([{ version: 2, body: '2' }]);
    await store.advance(place, 'a', { from: 2, to: 3, now, writes: [write('x', 2, null)] });
    expect(await states(store, 'a', 3, ['x'])).toEqual([null]);
    await store.advance(place, 'a', { from: 3, to: 4, now, writes: [write('x', 0, '3')] });
    expect(await states(store, 'a', 4, ['x'])).toEqual([{ version: 1, body: '3' }]);
  });

  test('a step without states moves the offset', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    expect(await store.advance(place, 'a', { from: null, to: 9, now, writes: [] })).toEqual({ status: 'ok' });
    expect(await store.claim(place, 'a', now)).toEqual({ offset: 9 });
  });

  test('keys that expect an input are told once it is late, and counted as what they are', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    const marked = (key: string, expected: number, marks: Partial<StateWrite>): StateWrite => ({
      ...write(key, expected, '1'),
      ...marks,
    });
    const look = async (moment: number) => [
      await store.overdue(place, moment, 2),
      [...(await store.tallies(place))].sort(),
    ];
    expect(await look(9_000)).toEqual([{ count: 0, first: [] }, []]);
    let writes = [
      marked('x', 0, { expectBy: 5_000, tally: 'p/running' }),
      marked('y', 0, { expectBy: 3_000, tally: 'p/running' }),
      marked('z', 0, { expectBy: 4_000 }),
      marked('w', 0, { tally: 'p/incident' }),
    ];
    await store.advance(place, 'a', { from: null, to: 1, now, writes });
    const first = [
      { key: 'y', expectBy: 3_000 },
      { key: 'z', expectBy: 4_000 },
    ];
    const counts = [
      ['p/incident', 1],
      ['p/running', 2],
    ];
    expect(await look(5_000)).toEqual([{ count: 2, first }, counts]);
    expect(await look(5_001)).toEqual([{ count: 3, first }, counts]);
    // Moved, forgotten, removed; a step that changes nothing changes no count.
    writes = [
      marked('x', 1, { expectBy: 9_000, tally: 'p/incident' }),
      marked('y', 1, { tally: 'p/running' }),
      write('w', 1, null),
      write('z', 1, null),
    ];
    await store.advance(place, 'a', { from: 1, to: 2, now, writes });
    const after = [
      { count: 1, first: [{ key: 'x', expectBy: 9_000 }] },
      [
        ['p/incident', 1],
        ['p/running', 1],
      ],
    ];
    expect(await look(9_001)).toEqual(after);
    await store.advance(place, 'a', { from: 1, to: 2, now, writes });
    expect(await look(9_001)).toEqual(after);
    expect(await store.clear(place, 'a')).toBe('ok');
    expect(await look(9_001)).toEqual([{ count: 0, first: [] }, []]);
    const state = { version: 3, body: '1' };
    const restored = [{ key: 'r', state, keepUntil: null, expectBy: 1, tally: 'q/running' }];
    expect(await store.restore(place, 'a', restored)).toBe('ok');
    expect(await look(2)).toEqual([{ count: 1, first: [{ key: 'r', expectBy: 1 }] }, [['q/running', 1]]]);
  });

  test('a rebuild clears, restores many states, and sets the offset by its first step', async () => {
    const store = create();
    await store.claim(place, 'a', now);
    await store.advance(place, 'a', { from: null, to: 1, now, writes: [write('stale', 0, '1')] });
    expect(await store.clear(place, 'a')).toBe('ok');
    const many = Array.from({ length: 2_500 }, (_, k) => ({
      key: `k${k}`,
      state: { version: k + 1, body: JSON.stringify({ k, text: 'x'.repeat(300) }) },
      keepUntil: k % 2 === 0 ? null : Date.now() + 60_000,
    }));
    expect(await store.restore(place, 'a', many)).toBe('ok');
    expect(await store.claim(place, 'b', now)).toEqual({ offset: null });
    expect(await states(store, 'b', null, ['stale', 'k0', 'k2499'])).toEqual([
      null,
      many[0]!.state,
      many[2499]!.state,
    ]);
    expect(await store.advance(place, 'b', { from: null, to: 77, now, writes: [] })).toEqual({
      status: 'ok',
    });
  });
}
