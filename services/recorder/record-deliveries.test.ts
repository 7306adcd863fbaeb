// The delivery recorder: what fits the schema is written, what does not is a dead letter, and only then the offsets complete.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { assignmentOf, batchOf } from '@tocsin/topologies/testing/batches.ts';
import { expect, it } from 'vitest';
import { createDeliveryRecorder } from './record-deliveries.ts';

it('writes deliveries and states, and puts the rest into the dead letters', async () => {
  const written: unknown[] = [];
  const letters: OutRecord[] = [];
  const recorder = createDeliveryRecorder({
    deliveries: { write: async (rows) => void written.push(...rows) },
    outbox: { send: async (records) => void letters.push(...records), stop: () => undefined },
    clock: fakeClock(),
    metrics: fakeMetrics(),
    logger: fakeLogger(),
  });
  const state = { v: 1, kind: 'state', id: 'a'.repeat(32), sink: 'wh-1', at: 1, paused: false };
  const attempt = {
    v: 1,
    kind: 'attempt',
    id: 'b'.repeat(32),
    sink: 'wh-1',
    at: 1,
    by: 'sink',
    events: 1,
    attempt: 1,
    status: 'delivered',
    latency_ms: 3,
  };
  const values = [state, { ...state, paused: 'no' }, attempt].map((value) => JSON.stringify(value));
  const assignment = assignmentOf();
  await recorder.onBatch(batchOf([...values, '{', null]), assignment);
  expect(written).toEqual([state, attempt]);
  expect(letters.map(({ value }) => String(value))).toEqual([values[1], '{']);
  expect(assignment.watermark()).toBe(5);
});
