// The heap beside a sorted array: whatever is set, moved, cancelled and taken, both give the same timers in the same order.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTimerHeap, type PendingTimer } from './timer-heap.ts';

/** The plainest thing that does the same. */
function sortedArray() {
  let all: PendingTimer[] = [];
  const order = (a: PendingTimer, b: PendingTimer): number => a.due - b.due || (a.token < b.token ? -1 : 1);
  return {
    set(token: string, due: number, body: string) {
      all = [...all.filter((timer) => timer.token !== token), { token, due, body }].sort(order);
    },
    move(token: string, due: number) {
      const held = all.find((timer) => timer.token === token);
      if (held !== undefined) this.set(token, due, held.body);
      return held !== undefined;
    },
    cancel(token: string) {
      const before = all.length;
      all = all.filter((timer) => timer.token !== token);
      return all.length < before;
    },
    take(now: number, max: number) {
      const taken = all.filter(({ due }) => due <= now).slice(0, max);
      all = all.filter((timer) => !taken.includes(timer));
      return taken;
    },
    all: () => all,
    chars: () => all.reduce((sum, { token, body }) => sum + token.length + body.length, 0),
    size: () => all.length,
    nextDue: () => all[0]?.due ?? null,
  };
}

// Few tokens and few times, so that moves and ties are common.
const token = fc.integer({ min: 0, max: 30 }).map((n) => `t${n}`);
const due = fc.oneof(
  fc.integer({ min: 0, max: 12 }),
  fc.constantFrom(0.5, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -1),
);
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('set' as const), token, due) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('cancel' as const), token, fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('move' as const), token, due) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('take' as const), fc.integer({ min: 0, max: 5 }), due) },
);

test('the heap does what a sorted array does', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 400, size: 'max' }), (operations) => {
      const heap = createTimerHeap();
      const model = sortedArray();
      let step = 0;
      for (const [kind, subject, at] of operations) {
        step += 1;
        if (kind === 'set') {
          heap.set(subject, at, `body ${step}`);
          model.set(subject, at, `body ${step}`);
        } else if (kind === 'move') expect(heap.move(subject, at)).toBe(model.move(subject, at));
        else if (kind === 'cancel') expect(heap.cancel(subject)).toBe(model.cancel(subject));
        else expect(heap.take(at, subject)).toEqual(model.take(at, subject));
        expect([heap.size, heap.nextDue(), heap.chars]).toEqual([
          model.size(),
          model.nextDue(),
          model.chars(),
        ]);
        const pending = new Map<string, PendingTimer>();
        heap.each((timer) => void pending.set(timer.token, timer));
        expect([...pending.values()]).toEqual(expect.arrayContaining(model.all()));
        expect([pending.size, heap.has('t7')]).toEqual([model.size(), pending.has('t7')]);
      }
      const rest = model.size();
      expect(heap.take(Infinity, rest + 1)).toEqual(model.take(Infinity, rest + 1));
      expect(heap.size).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('a time that is no number is refused and changes nothing', () => {
  const heap = createTimerHeap();
  heap.set('a', 1, '');
  for (const bad of [Number.NaN, Infinity, -Infinity]) expect(() => heap.set('a', bad, '')).toThrow(/finite/);
  expect([heap.size, heap.nextDue()]).toEqual([1, 1]);
});

test('slots are used again', () => {
  const heap = createTimerHeap();
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 1_000; n++) heap.set(`t${n}`, (n * 7919) % 1_000, String(round));
    const taken = heap.take(2_000, 2_000);
    expect(taken.map((timer) => timer.due)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  }
  expect([heap.size, heap.nextDue()]).toEqual([0, null]);
});
