// The consumer beside the work of a service: it comes back, and ends with the service.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLog } from '../ports/fakes/log.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import type { BatchHandler, ConsumerOptions, LogConsumer } from '../ports/log.ts';
import { startRequestConsumer } from './request-consumer.ts';

function world(onBatch: BatchHandler['onBatch'], refusals = 0) {
  const clock = fakeClock();
  const logger = fakeLogger();
  const log = fakeLog({ clock, topics: { asked: 1 } });
  let left = refusals;
  const stops: number[] = [];
  const consumer = (options: ConsumerOptions): LogConsumer => {
    const real = log.consumer(options);
    return left-- > 0
      ? { ...real, start: async () => Promise.reject(new Error('no broker')), stop: async () => undefined }
      : real;
  };
  const requests = startRequestConsumer({
    client: { consumer },
    group: 'g',
    topic: 'asked',
    handler: { onBatch, stop: () => void stops.push(clock.now()) },
    what: 'sink request',
    clock,
    logger,
  });
  const send = (value: string) => log.producer().send([{ topic: 'asked', key: null, value }]);
  return { clock, logger, log, requests, send, stops };
}

test('one that fails, or cannot join, begins again after a pause and serves what waits', async () => {
  const seen: string[] = [];
  const { clock, logger, log, requests, send } = world(async (batch, assignment) => {
    const value = String(batch.value(0));
    seen.push(value);
    if (seen.length === 1) throw new Error('a bug');
    assignment.complete(batch.offset(0), batch.nextOffset);
  }, 1);
  await send('one');
  await clock.advance(4_999);
  expect(seen).toEqual([]);
  await clock.advance(1);
  expect(seen).toEqual(['one']);
  await clock.advance(5_000);
  expect(seen).toEqual(['one', 'one']);
  expect(log.committed('g', { topic: 'asked', partition: 0 })).toBe(1);
  expect(logger.entries.filter(({ level }) => level === 'error')).toMatchObject([
    { message: 'sink requests are not served', fields: { error: 'Error: no broker', again_ms: 5_000 } },
    { message: 'sink requests are not served', fields: { error: 'Error: a bug' } },
  ]);
  await requests.stop();
});

test('stop ends what is being served, leaves the group, and does not begin again', async () => {
  const { clock, log, requests, send, stops } = world(async (batch, assignment) =>
    assignment.complete(batch.offset(0), batch.nextOffset),
  );
  await clock.advance(0);
  await requests.stop();
  expect(stops).toHaveLength(1);
  await send('late');
  await clock.advance(60_000);
  expect(log.committed('g', { topic: 'asked', partition: 0 })).toBe(-1);
  expect(clock.sleepers()).toBe(0);
});
