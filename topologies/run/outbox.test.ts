// The outbox batches what waits, retries a log that is down, and lets one bad record fail alone.
import { expect, test } from 'vitest';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { LogError, type OutRecord } from '../ports/log.ts';
import { createOutbox } from './outbox.ts';

const record = (value: string): OutRecord => ({ topic: 't', key: null, value });

function outboxWith(send: (records: readonly OutRecord[]) => Promise<void>) {
  const clock = fakeClock(0);
  return {
    clock,
    outbox: createOutbox({ producer: { send, close: async () => undefined }, clock, logger: fakeLogger() }),
  };
}

test('what comes while a send is in flight goes out together', async () => {
  const sizes: number[] = [];
  let release: () => void = () => undefined;
  const { outbox } = outboxWith((records) => {
    sizes.push(records.length);
    return sizes.length === 1 ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
  });
  const all = [
    outbox.send([record('a')]),
    ...Array.from({ length: 10 }, () => outbox.send([record('b'), record('c')])),
  ];
  release();
  await Promise.all(all);
  expect(sizes).toEqual([1, 20]);
});

test('a log that is down is tried again until it takes the records', async () => {
  let tries = 0;
  const { clock, outbox } = outboxWith(async () => {
    tries += 1;
    if (tries < 4) throw new LogError('down', { retriable: true });
  });
  let done = false;
  const sending = outbox.send([record('a')]).then(() => (done = true));
  await clock.advance(250);
  expect(done).toBe(false);
  await clock.advance(10_000);
  await sending;
  expect(tries).toBe(4);
});

test('a record that the log never takes fails alone', async () => {
  const taken: string[] = [];
  const { outbox } = outboxWith(async (records) => {
    if (records.some(({ value }) => value === 'bad')) throw new LogError('too large', { retriable: false });
    taken.push(...records.map(({ value }) => String(value)));
  });
  const outcomes = await Promise.allSettled([
    outbox.send([record('first')]),
    outbox.send([record('bad')]),
    outbox.send([record('good')]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(taken).toEqual(['first', 'good']);
});

test('after stop nothing is promised any more', async () => {
  const { clock, outbox } = outboxWith(async () => {
    throw new LogError('down', { retriable: true });
  });
  const sending = expect(outbox.send([record('a')])).rejects.toThrow('down');
  await clock.advance(1_000);
  outbox.stop();
  await clock.advance(10_000);
  await sending;
  await expect(outbox.send([record('b')])).rejects.toThrow('stopped');
});
