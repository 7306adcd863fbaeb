// The ledger against a model that keeps one entry per offset: same watermark after any sequence of calls.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetLedger } from './offset-ledger.ts';

class SetModel {
  done = new Set<number>();
  floor: number;
  delivered: number;
  constructor(position: number) {
    this.floor = position;
    this.delivered = position;
  }
  deliver(first: number, next: number): void {
    if (next <= this.delivered) return;
    for (let offset = this.delivered; offset < first; offset++) this.done.add(offset);
    this.delivered = next;
  }
  complete(first: number, next: number): void {
    for (let offset = first; offset < next; offset++) if (offset < this.delivered) this.done.add(offset);
  }
  seek(offset: number): void {
    this.done.clear();
    this.floor = offset;
    this.delivered = offset;
  }
  get watermark(): number {
    let offset = this.floor;
    while (this.done.has(offset)) offset++;
    return offset;
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('deliver' as const),
      gap: fc.nat(3),
      size: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('complete' as const),
      from: fc.nat(120),
      size: fc.integer({ min: 0, max: 15 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('seek' as const), to: fc.nat(60) }) },
);

describe('offset ledger against a set of offsets', () => {
  it('has the same watermark after every step', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(step, { maxLength: 60 }), (position, steps) => {
        const ledger = new OffsetLedger(position);
        const model = new SetModel(position);
        for (const current of steps) {
          if (current.op === 'deliver') {
            const first = model.delivered + current.gap;
            ledger.deliver(first, first + current.size);
            model.deliver(first, first + current.size);
          } else if (current.op === 'complete') {
            ledger.complete(current.from, current.from + current.size);
            model.complete(current.from, current.from + current.size);
          } else {
            ledger.seek(current.to);
            model.seek(current.to);
          }
          expect(ledger.watermark).toBe(model.watermark);
          expect(ledger.delivered).toBe(model.delivered);
          expect(ledger.drained).toBe(model.watermark >= model.delivered);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reaches the end for any order of completion of disjoint ranges', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 }).chain((sizes) =>
          fc.record({
            sizes: fc.constant(sizes),
            order: fc.shuffledSubarray(
              sizes.map((_, index) => index),
              { minLength: sizes.length },
            ),
          }),
        ),
        ({ sizes, order }) => {
          const starts: number[] = [];
          let end = 100;
          for (const size of sizes) {
            starts.push(end);
            end += size;
          }
          const ledger = new OffsetLedger(100);
          ledger.deliver(100, end);
          order.forEach((index, position) => {
            ledger.complete(starts[index]!, starts[index]! + sizes[index]!);
            if (position < order.length - 1) expect(ledger.drained).toBe(false);
          });
          expect(ledger.watermark).toBe(end);
          expect(ledger.waitingRanges).toBe(0);
        },
      ),
    );
  });
});
