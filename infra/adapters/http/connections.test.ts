import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import type { Client } from 'undici';
import { describe, expect, it } from 'vitest';
import { type Connection, type ConnectionLimits, createConnections, type Turn } from './connections.ts';

function room(limits: Partial<ConnectionLimits>) {
  const all = createConnections({ max: 10, perOrigin: 64, ttlMs: 60_000, ...limits });
  const open = new Set<string>();
  let made = 0;
  const enter = (key: string): Asked => {
    const origin =
      all.get(key) ??
      all.add(key, () => {
        const name = `${key}#${made++}`;
        open.add(name);
        const destroy = async (): Promise<void> => void open.delete(name);
        return {
          client: Object.assign(new EventEmitter(), { destroy, name }) as unknown as Client,
          cancel() {},
        };
      });
    const asked: Asked = { connection: null, failure: null, leave: () => origin.leave(turn), origin };
    const turn: Turn = {
      deadline: Infinity,
      start: (connection) => Object.assign(asked, { connection }),
      fail: (failure) => Object.assign(asked, { failure: failure.failure }),
    };
    origin.enter(turn);
    return asked;
  };
  return { all, open, enter };
}

interface Asked {
  readonly connection: Connection | null;
  readonly failure: string | null;
  readonly leave: () => void;
  readonly origin: { isHeldUp(): boolean };
}

const disconnect = ({ client }: Connection): unknown =>
  (client as unknown as EventEmitter).emit('disconnect');
const nameOf = (asked: Asked): string => (asked.connection!.client as unknown as { name: string }).name;

describe('connections of all origins', () => {
  it('are bounded; the idle one that was used longest ago is closed for a new one', () => {
    const { open, enter } = room({ max: 3 });
    for (const key of ['a', 'b', 'c']) enter(key).connection!.done(true);
    enter('a').connection!.done(true);
    const fourth = enter('d');
    expect(fourth.connection).not.toBeNull();
    expect([...open]).toEqual(['a#0', 'c#2', 'd#3']);
  });

  it('are used again: the one used last first, one that got too old never', () => {
    const { open, enter } = room({});
    const [first, second] = [enter('a'), enter('a')];
    first.connection!.done(true);
    second.connection!.done(true);
    expect(nameOf(enter('a'))).toBe('a#1');
    const old = room({ ttlMs: 0 });
    old.enter('a').connection!.done(true);
    expect(nameOf(old.enter('a'))).toBe('a#1');
    expect([...old.open]).toEqual(['a#1']);
    expect([...open]).toEqual(['a#0', 'a#1']);
  });

  it('one whose answer did not end whole, or that was closed, is not used again', () => {
    const { open, enter } = room({});
    enter('a').connection!.done(false);
    const closed = enter('a').connection!;
    disconnect(closed);
    closed.done(true);
    const later = enter('a').connection!;
    later.done(true);
    disconnect(later);
    expect([...open]).toEqual([]);
    expect(nameOf(enter('a'))).toBe('a#3');
  });
});

describe('origins that hang', () => {
  it('leave room for others, however much they ask for', () => {
    const { all, enter } = room({ max: 100 });
    for (let n = 0; n < 10; n += 1) for (let each = 0; each < 64; each += 1) enter(`hangs-${n}`);
    expect(all.size()).toBeLessThan(100);
    for (let n = 0; n < 50; n += 1) {
      const good = enter(`good-${n}`);
      expect(good.connection).not.toBeNull();
      good.connection!.done(true);
    }
    expect(all.size()).toBeLessThanOrEqual(100);
  });

  it('idle connections of others are taken for a further one only while few are busy', () => {
    const { open, enter } = room({ max: 16 });
    for (let n = 0; n < 15; n += 1) enter(`idle-${n}`).connection!.done(true);
    const first = enter('a');
    expect(open.size).toBe(16);
    const second = enter('a');
    expect(nameOf(second)).toBe('a#16');
    const third = enter('a');
    expect(third.connection).toBeNull();
    expect(enter('b').connection).not.toBeNull();
    first.connection!.done(true);
    expect(nameOf(third)).toBe('a#15');
  });

  it('a turn whose deadline came while it waited is passed over', () => {
    const { all, enter } = room({ perOrigin: 1 });
    const first = enter('a');
    const started: string[] = [];
    const turn = (name: string, deadline: number): Turn => ({
      deadline,
      start: () => void started.push(name),
      fail: () => {},
    });
    all.get('a')!.enter(turn('late', performance.now()));
    all.get('a')!.enter(turn('in time', Infinity));
    first.connection!.done(true);
    expect(started).toEqual(['in time']);
  });

  it('an origin without a connection comes before further ones of the origin that gives one back', () => {
    const { enter } = room({ max: 2 });
    const first = enter('a');
    enter('b');
    const more = enter('a');
    const other = enter('c');
    expect([more.connection, other.connection]).toEqual([null, null]);
    expect(other.origin.isHeldUp()).toBe(true);
    first.connection!.done(true);
    expect(other.connection).not.toBeNull();
    expect(more.connection).toBeNull();
    other.connection!.done(true);
    expect(more.connection).not.toBeNull();
  });

  it('one that has all it may have waits for itself, not for others', () => {
    const { enter } = room({ perOrigin: 1 });
    const first = enter('a');
    const second = enter('a');
    expect(second.origin.isHeldUp()).toBe(false);
    first.connection!.done(true);
    expect(nameOf(second)).toBe('a#0');
  });

  it('who leaves is not called any more, and an origin that nobody needs is forgotten', () => {
    const { all, enter } = room({ max: 1 });
    const first = enter('a');
    const second = enter('b');
    second.leave();
    expect(all.get('b')).toBeUndefined();
    first.connection!.done(false);
    expect(second.connection).toBeNull();
    expect(all.get('a')).toBeUndefined();
    expect(all.size()).toBe(0);
  });

  it('everybody who waits fails when the client closes', async () => {
    const { all, enter } = room({ max: 1 });
    enter('a');
    const waits = enter('b');
    await all.destroy();
    expect(waits.failure).toBe('aborted');
    expect(enter('c').failure).toBe('aborted');
  });
});

it('whatever happens, the bound holds, nobody waits beside a free place, and in the end everybody was served', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    does: fc.constantFrom('enter', 'enter', 'whole', 'broken', 'leave'),
    pick: fc.nat(100),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 80 }), (max, steps) => {
      const { all, open, enter } = room({ max, perOrigin: 3 });
      const keyOf = new Map<Asked, string>();
      const busy = new Set<Asked>();
      const waits = new Set<Asked>();
      const look = (): void => {
        for (const asked of waits)
          if (asked.connection !== null) {
            waits.delete(asked);
            busy.add(asked);
          }
        expect(open.size).toBeLessThanOrEqual(max);
        const has = new Set([...busy].map((asked) => keyOf.get(asked)));
        if (busy.size < max) for (const asked of waits) expect(has.has(keyOf.get(asked))).toBe(true);
      };
      const done = (asked: Asked, whole: boolean): void => {
        busy.delete(asked);
        asked.connection!.done(whole);
        look();
      };
      for (const { key, does, pick } of steps) {
        const one = [...(does === 'leave' ? waits : busy)].at(pick % Math.max(1, busy.size));
        if (does === 'enter') {
          const asked = enter(key);
          keyOf.set(asked, key);
          waits.add(asked);
          look();
        } else if (one !== undefined && does !== 'leave') done(one, does === 'whole');
        else if (one !== undefined) {
          waits.delete(one);
          one.leave();
        }
      }
      for (let one = [...busy][0]; one !== undefined; one = [...busy][0]) done(one, true);
      expect(waits.size).toBe(0);
      expect(all.size()).toBe(open.size);
    }),
  );
});
