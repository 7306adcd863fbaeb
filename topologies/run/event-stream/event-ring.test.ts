// What the ring holds, what has left it, and that its bytes have a bound.
import { expect, it } from 'vitest';
import { createEventRing, type RingEntry } from './event-ring.ts';

const entry = (partition: number, offset: number, bytes = 100): RingEntry => ({
  topic: 'findings',
  partition,
  offset,
  content: {
    lines: Buffer.alloc(bytes),
    facts: {
      event: 'a.b',
      data: { severity: undefined, category: undefined, asset: { id: undefined, tags: [] } },
    },
  },
});
const starts = new Map([['findings', [5, 0]]]);

it('knows what each partition has lost, and holds the rest in order', () => {
  const ring = createEventRing(5_000, starts);
  expect([ring.floor('findings'), ring.next('findings')]).toEqual([
    [5, 0],
    [5, 0],
  ]);
  for (let n = 0; n < 20; n += 1) ring.append(entry(n % 2, 10 + n));
  expect(ring.bytes).toBeLessThanOrEqual(5_000);
  expect(ring.end).toBe(20);
  expect(ring.first).toBeGreaterThan(0);
  const held = Array.from(
    { length: ring.end - ring.first },
    (_, index) => ring.at(ring.first + index).offset,
  );
  expect(held).toEqual(Array.from({ length: held.length }, (_, index) => 30 - held.length + index));
  const lost = 29 - held.length;
  expect([...ring.floor('findings')].sort()).toEqual([lost, lost + 1]);
  expect(ring.next('findings')).toEqual([29, 30]);
});

it('holds one event that is larger than all of it', () => {
  const ring = createEventRing(5_000, starts);
  ring.append(entry(0, 5));
  ring.append(entry(0, 6, 50_000));
  expect([ring.first, ring.end, ring.at(1).offset]).toEqual([1, 2, 6]);
  ring.append(entry(0, 7));
  expect([ring.first, ring.at(2).offset, ring.floor('findings')[0]]).toEqual([2, 7, 7]);
});

it('keeps its numbers through a million entries, and partitions that come later begin at 0', () => {
  const ring = createEventRing(50_000, starts);
  for (let n = 0; n < 1_000_000; n += 1) ring.append(entry(3, n));
  expect([ring.end, ring.at(999_999).offset, ring.at(ring.first).offset]).toEqual([
    1_000_000,
    999_999,
    ring.first,
  ]);
  expect(ring.floor('findings')).toEqual([5, 0, 0, ring.first]);
  ring.advance('findings', 2, 7);
  expect(ring.next('findings')).toEqual([5, 0, 7, 1_000_000]);
  expect(() => ring.append({ ...entry(0, 1), topic: 'results' })).toThrow('results');
});

it('counts the texts that filters keep', () => {
  const ring = createEventRing(1e9, starts);
  const { content, ...place } = entry(0, 5);
  const tags = Array.from({ length: 1_000 }, () => 'production');
  ring.append({
    ...place,
    content: {
      ...content,
      facts: { event: 'a.b', data: { severity: 'low', category: 'x', asset: { id: 'a', tags } } },
    } as RingEntry['content'],
  });
  expect(ring.bytes).toBeGreaterThan(10 * 1_000 * 2);
});
