// A set of offsets as ranges: few entries however many offsets.
//
// Invariant: ranges [from, to) ascend, are disjoint and do not touch.

export interface RangeSet {
  add(from: number, to: number): void;
  remove(from: number, to: number): void;
  has(offset: number): boolean;
  /** The parts of the set within [from, to). */
  within(from: number, to: number): (readonly [from: number, to: number])[];
  /** First offset from `offset` on that is not in the set. */
  firstMissing(offset: number): number;
  /** Offsets in the set. */
  readonly size: number;
}

export function createRangeSet(): RangeSet {
  let ranges: [number, number][] = [];

  /** Index of the first range that ends above `offset`. */
  function after(offset: number): number {
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]![1] <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    add(from, to) {
      if (to <= from) return;
      const last = ranges.at(-1);
      if (last === undefined || from > last[1]) ranges.push([from, to]);
      else if (from === last[1]) last[1] = to;
      else {
        // One that ends at `from` touches it and is part of the new range.
        let first = after(from);
        if (first > 0 && ranges[first - 1]![1] === from) first -= 1;
        let end = first;
        let [start, stop] = [from, to];
        while (end < ranges.length && ranges[end]![0] <= to) {
          start = Math.min(start, ranges[end]![0]);
          stop = Math.max(stop, ranges[end]![1]);
          end += 1;
        }
        ranges.splice(first, end - first, [start, stop]);
      }
    },
    remove(from, to) {
      if (to <= from) return;
      const kept: [number, number][] = [];
      for (const [start, stop] of ranges) {
        if (stop <= from || start >= to) kept.push([start, stop]);
        else {
          if (start < from) kept.push([start, from]);
          if (stop > to) kept.push([to, stop]);
        }
      }
      ranges = kept;
    },
    has(offset) {
      const range = ranges[after(offset)];
      return range !== undefined && range[0] <= offset;
    },
    within(from, to) {
      const found: [number, number][] = [];
      for (let k = after(from); k < ranges.length && ranges[k]![0] < to; k++)
        found.push([Math.max(from, ranges[k]![0]), Math.min(to, ranges[k]![1])]);
      return found;
    },
    firstMissing(offset) {
      const range = ranges[after(offset)];
      return range !== undefined && range[0] <= offset ? range[1] : offset;
    },
    get size() {
      return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    },
  };
}
