// Ranges against a plain set of numbers.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRangeSet } from './range-set.ts';

const step = fc.record({
  add: fc.boolean(),
  from: fc.integer({ min: 0, max: 60 }),
  size: fc.integer({ min: 0, max: 12 }),
});

it('holds what a set of numbers holds, in as few ranges as can be', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(60), fc.nat(20), (steps, from, width) => {
      const ranges = createRangeSet();
      const model = new Set<number>();
      for (const { add, from: start, size } of steps)
        for (let offset = start; offset < start + size; offset++)
          if (add) model.add(offset);
          else model.delete(offset);
      for (const { add, from: start, size } of steps)
        if (add) ranges.add(start, start + size);
        else ranges.remove(start, start + size);
      const all = Array.from({ length: 80 }, (_, offset) => offset);
      expect(all.filter((offset) => ranges.has(offset))).toEqual(all.filter((offset) => model.has(offset)));
      expect(ranges.size).toBe(model.size);
      const parts = ranges.within(from, from + width);
      expect(parts.flatMap(([a, b]) => all.slice(a, b))).toEqual(
        all.slice(from, from + width).filter((offset) => model.has(offset)),
      );
      for (const [k, [start]] of parts.slice(1).entries()) expect(start).toBeGreaterThan(parts[k]![1]);
      expect(ranges.firstMissing(from)).toBe(
        all.find((offset) => offset >= from && !model.has(offset)) ?? from,
      );
    }),
  );
});
