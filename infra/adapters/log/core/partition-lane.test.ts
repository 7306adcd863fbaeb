// One batch at a time, in order; bytes are given back; a pause and a close take effect between batches.
import { expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';
import { PartitionLane } from './partition-lane.ts';
import { ColumnBatch } from './record-batch.ts';

function batch(nextOffset: number, byteLength: number): ColumnBatch {
  const none = new Int32Array(0);
  const columns = {
    topic: 't',
    partition: 0,
    count: 1,
    nextOffset,
    byteLength,
    buffer: Buffer.alloc(0),
    valueStart: none,
    valueEnd: none,
  };
  return new ColumnBatch({
    ...columns,
    keyStart: none,
    keyEnd: none,
    headersStart: none,
    timestamps: new Float64Array(0),
    firstOffset: 0,
    offsets: null,
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function rig(after?: Promise<void>, together = false) {
  const budget = new ByteBudget(1000);
  const order: number[] = [];
  const errors: unknown[] = [];
  let gate = Promise.withResolvers<void>();
  let running = 0;
  const lane = new PartitionLane({
    budget,
    together,
    deliver: async (batches) => {
      running++;
      expect(running).toBe(1);
      if (!together) expect(batches.length).toBe(1);
      order.push(...batches.map(({ nextOffset }) => nextOffset));
      try {
        await gate.promise;
      } finally {
        running--;
        gate = Promise.withResolvers<void>();
      }
    },
    onError: (error) => errors.push(error),
    onSpace: () => undefined,
    after,
  });
  return { budget, lane, order, errors, gate: () => gate };
}

it('delivers one by one in order and counts bytes until the handler is done', async () => {
  const { budget, lane, order, gate } = rig();
  lane.push(batch(1, 100));
  lane.push(batch(2, 50));
  await turn();
  expect([order, lane.bytes, budget.used, budget.free]).toEqual([[1], 150, 150, 850]);
  gate().resolve();
  await turn();
  expect([order, lane.bytes]).toEqual([[1, 2], 50]);
  gate().resolve();
  await turn();
  expect([lane.bytes, budget.used]).toEqual([0, 0]);
  lane.push(batch(3, 10));
  await turn();
  expect(order).toEqual([1, 2, 3]);
});

it('holds while paused, forgets what was queued when closed', async () => {
  const { budget, lane, order, gate } = rig();
  lane.pause();
  lane.push(batch(1, 100));
  await turn();
  expect(order).toEqual([]);
  lane.resume();
  lane.push(batch(2, 100));
  await turn();
  lane.close();
  expect(budget.used).toBe(100);
  gate().resolve();
  await turn();
  expect([order, budget.used]).toEqual([[1], 0]);
  lane.push(batch(3, 100));
  await turn();
  expect([order, budget.used]).toEqual([[1], 0]);
});

it('stops at a handler that throws', async () => {
  const { lane, order, errors, gate } = rig();
  lane.push(batch(1, 1));
  lane.push(batch(2, 1));
  await turn();
  gate().reject(new Error('bug'));
  await turn();
  expect([order, errors]).toEqual([[1], [new Error('bug')]]);
});

it('waits for the work of an earlier epoch', async () => {
  const earlier = Promise.withResolvers<void>();
  const { lane, order } = rig(earlier.promise);
  lane.push(batch(1, 1));
  await turn();
  expect(order).toEqual([]);
  earlier.resolve();
  await turn();
  expect(order).toEqual([1]);
});

it('gives everything that waits in one call, and its bytes back after it', async () => {
  const { budget, lane, order, gate } = rig(undefined, true);
  for (const next of [1, 2, 3]) lane.push(batch(next, 10));
  await turn();
  const first = [...order];
  lane.push(batch(4, 10));
  lane.push(batch(5, 10));
  await turn();
  expect([order, budget.used]).toEqual([first, 50]);
  gate().resolve();
  await turn();
  expect([order, budget.used]).toEqual([[1, 2, 3, 4, 5], (5 - first.length) * 10]);
  gate().resolve();
  await turn();
  if (lane.bytes > 0) gate().resolve();
  await turn();
  expect(budget.used).toBe(0);
});
