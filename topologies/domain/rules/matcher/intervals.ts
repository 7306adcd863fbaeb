// Which of many intervals hold a number: intervals sorted by their lower end, with the largest upper end of every half.
//
// Invariant: closed intervals; open bounds were moved to the next double. Work: the logarithm of the intervals plus those
// that hold the number, plus a short unsorted tail of new ones.
import { grownDoubles, grownInts } from './ints.ts';

export interface IntervalIndex {
  /** Sorted by `low`; entries from `sorted` on are the tail. */
  low: Float64Array;
  high: Float64Array;
  /** Largest `high` among the entries of the half that has this one in its middle. */
  reach: Float64Array;
  atom: Int32Array;
  size: number;
  sorted: number;
}

const longestTail = 128;

export function createIntervalIndex(): IntervalIndex {
  return {
    low: new Float64Array(4),
    high: new Float64Array(4),
    reach: new Float64Array(4),
    atom: new Int32Array(4),
    size: 0,
    sorted: 0,
  };
}

export function addInterval(index: IntervalIndex, atom: number, low: number, high: number): void {
  const { size } = index;
  index.low = grownDoubles(index.low, size + 1);
  index.high = grownDoubles(index.high, size + 1);
  index.atom = grownInts(index.atom, size + 1);
  index.low[size] = low;
  index.high[size] = high;
  index.atom[size] = atom;
  index.size += 1;
  if (index.size - index.sorted > longestTail + (index.sorted >> 3)) sortTail(index);
}

/** Calls `hit` with the atom of every interval that holds `value`. */
export function stab(index: IntervalIndex, value: number, hit: (atom: number) => void): void {
  const { low, high, atom, size, sorted } = index;
  descend(index, 0, sorted - 1, value, hit);
  for (let i = sorted; i < size; i++)
    if ((low[i] as number) <= value && value <= (high[i] as number)) hit(atom[i] as number);
}

function descend(
  index: IntervalIndex,
  from: number,
  to: number,
  value: number,
  hit: (atom: number) => void,
): void {
  let left = from;
  while (left <= to) {
    const middle = (left + to) >> 1;
    if ((index.reach[middle] as number) < value) return;
    descend(index, left, middle - 1, value, hit);
    if ((index.low[middle] as number) > value) return;
    if (value <= (index.high[middle] as number)) hit(index.atom[middle] as number);
    left = middle + 1;
  }
}

export function intervalIndexBytes({ low, high, reach, atom }: IntervalIndex): number {
  return low.byteLength + high.byteLength + reach.byteLength + atom.byteLength;
}

function sortTail(index: IntervalIndex): void {
  const { low, high, atom, size } = index;
  const order = Array.from({ length: size }, (_, i) => i).sort(
    (a, b) => (low[a] as number) - (low[b] as number),
  );
  index.low = Float64Array.from(order, (i) => low[i] as number);
  index.high = Float64Array.from(order, (i) => high[i] as number);
  index.atom = Int32Array.from(order, (i) => atom[i] as number);
  index.reach = new Float64Array(size);
  index.sorted = size;
  reachOf(index, 0, size - 1);
}

function reachOf(index: IntervalIndex, from: number, to: number): number {
  if (from > to) return Number.NEGATIVE_INFINITY;
  const middle = (from + to) >> 1;
  const reach = Math.max(
    index.high[middle] as number,
    reachOf(index, from, middle - 1),
    reachOf(index, middle + 1, to),
  );
  index.reach[middle] = reach;
  return reach;
}
