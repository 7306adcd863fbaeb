// Which events of a slab one request carries: any of them, in order, as ranges.
//
// Invariant: ranges are ascending, disjoint and not empty; positions in a request count through them from 0.
import { framesOf, type Slab } from './sink-slab.ts';

export type Range = readonly [from: number, to: number];

export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** The event at `position` of the request. */
export function eventAt(ranges: readonly Range[], position: number): number {
  let left = position;
  for (const [from, to] of ranges) {
    if (left < to - from) return from + left;
    left -= to - from;
  }
  throw new RangeError(`position ${position} of ${countOf(ranges)} events`);
}

/** The events at positions [from, to) of the request. */
export function cut(ranges: readonly Range[], from: number, to: number): Range[] {
  const found: Range[] = [];
  let position = 0;
  for (const [first, end] of ranges) {
    const start = Math.max(first, first + from - position);
    const stop = Math.min(end, first + to - position);
    if (stop > start) found.push([start, stop]);
    position += end - first;
  }
  return found;
}

/** All events, in order. */
export function eventsOf(ranges: readonly Range[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, k) => from + k));
}

/** The same events as few ranges; `events` ascend. */
export function rangesOf(events: readonly number[]): Range[] {
  const found: [number, number][] = [];
  for (const event of events) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === event) last[1] = event + 1;
    else found.push([event, event + 1]);
  }
  return found;
}

/** The body with their frames. A view of the slab where they lie together, as nearly always; else a copy. */
export function bodyOf(slab: Slab, ranges: readonly Range[]): Buffer {
  if (ranges.length === 1) return framesOf(slab, ranges[0]![0], ranges[0]![1]);
  return Buffer.concat(ranges.map(([from, to]) => framesOf(slab, from, to)));
}

/** Bytes of their frames. */
export function bytesOf(slab: Slab, ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, to]) => sum + framesOf(slab, from, to).length, 0);
}
