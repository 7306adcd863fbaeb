// How far an export over the wire has come: which of its records the receiver has, as attempts note it and read it again. Pure.
//
// Invariant: a record counts as delivered only where the receiver has said so; of what cannot be read nothing does.
// Surprise: records that were refused are not noted, so that they are tried again, and neither are delivered ones beyond a number of ranges.
import type { Progress } from '../../domain/action/outcome.ts';
import { createRangeSet, type RangeSet } from '../../domain/sink/range-set.ts';

/** Keeps the note small: receivers that refuse so many records one by one get some others again. */
const mostRanges = 500;

/** The positions, of `count` records, that `progress` says are delivered. */
export function deliveredOf(progress: Progress | undefined, count: number): RangeSet {
  const delivered = createRangeSet();
  const ranges = progress?.['delivered'];
  if (!Array.isArray(ranges) || !ranges.every((range) => isRange(range, count))) return delivered;
  for (const [from, to] of ranges) delivered.add(from, to);
  return delivered;
}

/** `{ delivered: [[from, to], ...] }`, each range without its end. */
export function progressOf(delivered: RangeSet, count: number): Progress {
  return { delivered: delivered.within(0, count).slice(0, mostRanges) };
}

function isRange(range: unknown, count: number): range is [number, number] {
  if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isSafeInteger)) return false;
  const [from, to] = range as [number, number];
  return from >= 0 && from < to && to <= count;
}
