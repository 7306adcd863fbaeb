// A table is there when every record that existed at the first look was handed over, however many lives that took.
import { LogError, type RecordBatch } from '@tocsin/topologies/ports/log.ts';
import { expect, it } from 'vitest';
import { handOver, startsOf, TablePositions } from './table-positions.ts';

function rig() {
  let caughtUp = 0;
  const positions = new TablePositions(() => caughtUp++);
  return { positions, caughtUp: () => caughtUp };
}

const map = (...offsets: number[]) => new Map(offsets.map((offset, partition) => [partition, offset]));

it('has caught up when every partition reached its end, once', () => {
  const { positions, caughtUp } = rig();
  positions.waitFor(map(10, 5), map(0, 0));
  positions.advance(0, 9);
  positions.advance(1, 7);
  expect(caughtUp()).toBe(0);
  positions.advance(0, 10);
  positions.advance(0, 11);
  expect(caughtUp()).toBe(1);
});

it('waits for nothing where nothing is to be read: empty, deleted, or before the start', () => {
  const empty = rig();
  empty.positions.waitFor(map(0, 7), map(0, 7));
  expect(empty.caughtUp()).toBe(1);
  const one = rig();
  one.positions.waitFor(map(3, 7), startsOf({ from: map(0, 9) }, map(0, 2)));
  one.positions.advance(0, 3);
  expect(one.caughtUp()).toBe(1);
});

it('waits for what the first look saw and not for what came later', () => {
  const { positions, caughtUp } = rig();
  expect(positions.fresh).toBe(true);
  positions.waitFor(map(2), map(0));
  expect(positions.fresh).toBe(false);
  positions.waitFor(map(100, 100), map(0, 0));
  positions.advance(0, 2);
  expect(caughtUp()).toBe(1);
});

it('keeps its positions when partitions are opened again', () => {
  const { positions } = rig();
  expect(positions.of(0)).toBeUndefined();
  positions.open(0, 4);
  positions.advance(0, 6);
  positions.open(0, 4);
  expect(positions.of(0)).toBe(6);
});

it('begins where it was asked to, as far as the log still reaches back', () => {
  expect(startsOf({}, map(3, 4))).toEqual(map(3, 4));
  expect(startsOf({ from: map(5, 1) }, map(3, 4))).toEqual(map(5, 4));
});

it.each([
  [
    'throws',
    () => {
      throw new Error('defect');
    },
  ],
  ['rejects', () => Promise.reject(new Error('defect'))],
])('a handler that %s ends the table: reading again does not heal it', async (_, onBatch) => {
  const thrown = await handOver({ topic: 't', onBatch }, {} as RecordBatch).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(LogError);
  expect(thrown).toMatchObject({ retriable: false, message: 'table handler of t failed: defect' });
});
