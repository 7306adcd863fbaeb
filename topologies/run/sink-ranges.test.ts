// Ranges of events against plain lists of them.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bodyOf, bytesOf, countOf, cut, eventAt, eventsOf, rangesOf } from './sink-ranges.ts';
import type { Slab } from './sink-slab.ts';

const chosen = fc.uniqueArray(fc.nat(30), { minLength: 1 }).map((events) => events.sort((a, b) => a - b));
/** Event n is the text `<n>`. */
const frames = Array.from({ length: 31 }, (_, n) => `<${n}>`);
const slab = {
  bytes: Buffer.from(frames.join('')),
  ends: Int32Array.from(frames.map((_, n) => frames.slice(0, n + 1).join('').length)),
} as unknown as Slab;

it('hold the events of a list, at its positions, with its frames', () => {
  fc.assert(
    fc.property(chosen, fc.nat(31), fc.nat(31), (events, a, b) => {
      const ranges = rangesOf(events);
      expect(eventsOf(ranges)).toEqual(events);
      expect(countOf(ranges)).toBe(events.length);
      events.forEach((event, position) => {
        expect(eventAt(ranges, position)).toBe(event);
      });
      expect(() => eventAt(ranges, events.length)).toThrow(RangeError);
      expect(eventsOf(cut(ranges, a, b))).toEqual(a < b ? events.slice(a, b) : []);
      const text = events.map((event) => frames[event]).join('');
      expect(bodyOf(slab, ranges).toString()).toBe(text);
      expect(bytesOf(slab, ranges)).toBe(text.length);
    }),
  );
});

it('are as few as can be', () => {
  expect(rangesOf([1, 2, 3, 5, 7, 8])).toEqual([
    [1, 4],
    [5, 6],
    [7, 9],
  ]);
});
