// What every effects ledger has to do; run by the Redis, the PostgreSQL and the in-memory one.
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import type { EffectsPort } from '@tocsin/topologies/ports/effects.ts';
import { expect, it } from 'vitest';

let count = 0;
const newId = (): string =>
  `${process.pid.toString(16)}${(++count).toString(16).padStart(8, '0')}${'ab'.repeat(8)}`;

const done: Outcome = {
  status: 'done',
  ref: 'SEC-1',
  output: { key: 'é "x" \\ \u2028', n: [1, 2.5, null] },
  warnings: ['w'],
};
const failed: Outcome = {
  status: 'failed',
  code: 'http_4xx',
  retry: 'never',
  detail: 'no',
  status_code: 404,
};

/** `ledger` may be made anew per call: two of them over one store have to agree. */
export function effectsContract(ledger: () => EffectsPort): void {
  it('is fresh once, then uncertain with the time of the first begin', async () => {
    const id = newId();
    expect(await ledger().begin(id, 1_700_000_000_123)).toEqual({ state: 'fresh' });
    expect(await ledger().begin(id, 1_700_000_009_999)).toEqual({
      state: 'uncertain',
      begunAt: 1_700_000_000_123,
    });
  });

  it('answers a finished command with its outcome, character by character', async () => {
    for (const outcome of [done, failed]) {
      const id = newId();
      await ledger().begin(id, 1);
      await ledger().finish(id, outcome, 2);
      expect(await ledger().begin(id, 3)).toEqual({ state: 'finished', outcome });
    }
  });

  it('takes the text of a hostile receiver: a zero character, half a surrogate pair', async () => {
    const id = newId();
    await ledger().begin(id, 1);
    await ledger().finish(id, { ...failed, detail: '550 a\0b\ud800' } as Outcome, 2);
    expect(await ledger().begin(id, 3)).toMatchObject({ state: 'finished', outcome: { code: 'http_4xx' } });
  });

  it('keeps the first outcome', async () => {
    const id = newId();
    await ledger().begin(id, 1);
    await ledger().finish(id, done, 2);
    await ledger().finish(id, failed, 3);
    expect(await ledger().begin(id, 4)).toEqual({ state: 'finished', outcome: done });
  });

  it('stores an outcome of a command that nobody began', async () => {
    const id = newId();
    await ledger().finish(id, done, 2);
    expect(await ledger().begin(id, 3)).toEqual({ state: 'finished', outcome: done });
  });

  it('releases a mark but not an outcome', async () => {
    const id = newId();
    await ledger().release(id);
    await ledger().begin(id, 1);
    await ledger().release(id);
    expect(await ledger().begin(id, 2)).toEqual({ state: 'fresh' });
    await ledger().finish(id, done, 3);
    await ledger().release(id);
    expect(await ledger().begin(id, 4)).toEqual({ state: 'finished', outcome: done });
  });

  it('remembers that the effect may have happened twice', async () => {
    for (const outcome of [done, failed]) {
      const id = newId();
      await ledger().begin(id, 1);
      await ledger().finish(id, outcome, 2, true);
      expect(await ledger().begin(id, 3)).toEqual({ state: 'finished', outcome, possibleDuplicate: true });
    }
  });

  it('begins what failed anew in a higher round, once, and what is done never', async () => {
    const [id, other] = [newId(), newId()];
    await ledger().begin(id, 1);
    await ledger().finish(id, failed, 2);
    expect(await ledger().begin(id, 3, 1)).toEqual({ state: 'finished', outcome: failed });
    expect(await ledger().begin(id, 4, 2)).toEqual({ state: 'reopened', possibleDuplicate: false });
    expect(await ledger().begin(id, 5, 2)).toEqual({ state: 'uncertain', begunAt: 4 });
    expect(await ledger().begin(id, 6, 1)).toEqual({ state: 'uncertain', begunAt: 4 });
    await ledger().finish(id, done, 7);
    expect(await ledger().begin(id, 8, 3)).toEqual({ state: 'finished', outcome: done });
    await ledger().begin(other, 1, 2);
    await ledger().release(other);
    expect(await ledger().begin(other, 2, 2)).toEqual({ state: 'fresh' });
  });

  it('says in a higher round that the effect may have happened: without an outcome, uncertain, or twice', async () => {
    const ends: [Outcome | null, boolean][] = [
      [null, false],
      [{ ...failed, uncertain: true } as Outcome, false],
      [failed, true],
    ];
    for (const [outcome, twice] of ends) {
      const id = newId();
      await ledger().begin(id, 1);
      if (outcome !== null) await ledger().finish(id, outcome, 2, twice);
      expect(await ledger().begin(id, 3, 2)).toEqual({ state: 'reopened', possibleDuplicate: true });
    }
  });

  it('lets exactly one of many concurrent begins of a higher round reopen', async () => {
    const id = newId();
    await ledger().begin(id, 1);
    await ledger().finish(id, failed, 2);
    const states = await Promise.all(Array.from({ length: 50 }, () => ledger().begin(id, 3, 2)));
    expect(states.filter(({ state }) => state === 'reopened')).toHaveLength(1);
    expect(states.filter(({ state }) => state === 'uncertain')).toHaveLength(49);
  });

  it('lets exactly one of a hundred concurrent begins be fresh', async () => {
    for (let round = 0; round < 5; round++) {
      const id = newId();
      const states = await Promise.all(Array.from({ length: 100 }, (_, i) => ledger().begin(id, 1_000 + i)));
      expect(states.filter((state) => state.state === 'fresh')).toHaveLength(1);
      expect(states.filter((state) => state.state === 'uncertain')).toHaveLength(99);
    }
  });

  it('tells what was noted last to whoever begins next, whatever ended the attempt, until it is done', async () => {
    const noted = { parts: [[0, 2]], text: 'é "x" \\ \n\u2028', deep: { n: null } };
    const id = newId();
    await ledger().begin(id, 1);
    await ledger().note(id, { parts: [] }, 2);
    await ledger().note(id, noted, 2);
    expect(await ledger().begin(id, 3)).toEqual({ state: 'uncertain', begunAt: 1, progress: noted });
    await ledger().release(id);
    expect(await ledger().begin(id, 4)).toEqual({ state: 'fresh', progress: noted });
    expect(await ledger().begin(id, 5)).toEqual({ state: 'uncertain', begunAt: 4, progress: noted });
    await ledger().finish(id, failed, 6);
    expect(await ledger().begin(id, 7)).toEqual({ state: 'finished', outcome: failed });
    expect(await ledger().begin(id, 8, 2)).toEqual({
      state: 'reopened',
      possibleDuplicate: false,
      progress: noted,
    });
    expect(await ledger().begin(id, 9, 3)).toEqual({
      state: 'reopened',
      possibleDuplicate: true,
      progress: noted,
    });
    await ledger().finish(id, done, 10);
    expect(await ledger().begin(id, 11, 4)).toEqual({ state: 'finished', outcome: done });
  });

  it('a note leaves an outcome alone, and marks a command that the ledger does not know', async () => {
    const [id, unknown] = [newId(), newId()];
    await ledger().begin(id, 1);
    await ledger().finish(id, failed, 2);
    await ledger().note(id, { late: true }, 3);
    expect(await ledger().begin(id, 4, 2)).toEqual({ state: 'reopened', possibleDuplicate: false });
    await ledger().note(unknown, { parts: 1 }, 5);
    expect(await ledger().begin(unknown, 6)).toEqual({
      state: 'uncertain',
      begunAt: 5,
      progress: { parts: 1 },
    });
  });

  it('what was taken back after a note is begun by one of many, and may end without', async () => {
    const [same, higher, other] = [newId(), newId(), newId()];
    for (const id of [same, higher, other]) {
      await ledger().begin(id, 1, 2);
      await ledger().note(id, { parts: 1 }, 2);
      await ledger().release(id);
      await ledger().release(id);
    }
    for (const [id, round] of [[same, 2] as const, [higher, 3] as const]) {
      const states = await Promise.all(Array.from({ length: 50 }, () => ledger().begin(id, 3, round)));
      expect(states.filter(({ state }) => state === 'fresh')).toEqual([
        { state: 'fresh', progress: { parts: 1 } },
      ]);
      expect(states.filter(({ state }) => state === 'uncertain')).toHaveLength(49);
    }
    await ledger().finish(other, done, 4);
    expect(await ledger().begin(other, 5)).toEqual({ state: 'finished', outcome: done });
  });

  it('keeps commands apart', async () => {
    const [one, two] = [newId(), newId()];
    await ledger().begin(one, 1);
    expect(await ledger().begin(two, 1)).toEqual({ state: 'fresh' });
  });
}
