// Offsets of a partition that is read a second time: from where, what of it is sent, and what the log is told.
import { expect, it } from 'vitest';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { trackOffsets } from './sink-offsets.ts';

const batch = (offset: number, count: number) =>
  batchOf(
    Array.from({ length: count }, () => '{}'),
    { offset },
  );

it('reads again from the lowest offset without an outcome, and sends only what was lost', () => {
  const tracked = trackOffsets(assignmentOf());
  expect(tracked.read(batch(100, 40))).toBeNull();
  tracked.complete(100, 110);
  tracked.complete(130, 140);
  expect(tracked.rereadFrom()).toBeNull();
  // 110 to 119 are still on their way: a commit may not pass them although only what follows is lost.
  tracked.lose(120, 130);
  expect(tracked.rereadFrom()).toBe(110);
  const isWanted = tracked.read(batch(110, 40))!;
  const wanted = Array.from({ length: 40 }, (_, k) => 110 + k).filter((offset) => isWanted(offset));
  // 140 to 149 come for the first time.
  expect(wanted).toEqual([...range(120, 130), ...range(140, 150)]);
  expect(tracked.rereadFrom()).toBeNull();
});

it('tells the log again what it has forgotten', () => {
  const assignment = assignmentOf();
  const tracked = trackOffsets(assignment);
  tracked.read(batch(0, 30));
  tracked.complete(10, 20);
  tracked.lose(0, 10);
  const again = batch(0, 30);
  tracked.read(again);
  const before = assignment.completed.length;
  tracked.passed(again);
  expect(assignment.completed.slice(before)).toContainEqual([10, 20]);
});

it('takes offsets between batches for gaps', () => {
  const tracked = trackOffsets(assignmentOf());
  tracked.read(batch(0, 10));
  tracked.complete(0, 10);
  tracked.read(batch(15, 5));
  tracked.lose(15, 20);
  expect(tracked.rereadFrom()).toBe(15);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, k) => from + k);
}
