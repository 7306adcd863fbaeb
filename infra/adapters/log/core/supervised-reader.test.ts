// The start of a reader settles once, whatever comes first: ready, failure or stop.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { expect, it } from 'vitest';
import { SupervisedReader } from './supervised-reader.ts';

type Live = (life: number, reader: SupervisedReader, signal: AbortSignal) => Promise<void>;

function rig(live: Live) {
  const clock = fakeClock(0);
  const restarts: string[] = [];
  const failures: Error[] = [];
  let lives = 0;
  const reader: SupervisedReader = new SupervisedReader({
    name: 'consumer of g',
    live: (_, signal) => live(++lives, reader, signal),
    onRestart: (message) => restarts.push(message),
    onFailure: (error) => failures.push(error),
    clock,
    random: () => 0,
  });
  return { clock, reader, restarts, failures, lives: () => lives };
}

const until = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

it('is started by the life that becomes ready, however many crashed before', async () => {
  const { clock, reader, restarts, failures } = rig(async (life, self, signal) => {
    if (life < 3) throw new LogError('no coordinator', { retriable: true, cause: new Error('ECONNREFUSED') });
    self.ready();
    await until(signal);
  });
  let started = false;
  void reader.start().then(() => {
    started = true;
  });
  await clock.advance(100);
  expect(started).toBe(false);
  await clock.advance(1_000);
  expect(started).toBe(true);
  expect(restarts).toEqual([
    'consumer of g begins again in 125 ms: no coordinator < ECONNREFUSED',
    'consumer of g begins again in 250 ms: no coordinator < ECONNREFUSED',
  ]);
  await reader.stop();
  await expect(reader.start()).resolves.toBeUndefined();
  expect(failures).toEqual([]);
});

it.each([
  ['an error that no retry heals', new LogError('denied', { retriable: false })],
  ['a bug', new TypeError('undefined is not a function')],
])('%s rejects the start, is told once as it is, and ends it', async (_, error) => {
  const { clock, reader, failures, lives } = rig(() => Promise.reject(error));
  const started = reader.start();
  await expect(started).rejects.toBe(error);
  await clock.advance(60_000);
  expect([failures, lives()]).toEqual([[error], 1]);
  await reader.stop();
});

it('tells what was thrown as an Error', async () => {
  const { reader, failures } = rig(() => Promise.reject('text'));
  await expect(reader.start()).rejects.toThrow('text');
  expect(failures).toEqual([new Error('text')]);
});

it('a failure after the start is told and leaves the start resolved', async () => {
  const failing = Promise.withResolvers<void>();
  const { clock, reader, failures } = rig((_, self) => {
    self.ready();
    return failing.promise;
  });
  await reader.start();
  failing.reject(new LogError('gone', { retriable: false }));
  await clock.advance(0);
  expect(failures).toEqual([new LogError('gone', { retriable: false })]);
  await expect(reader.start()).resolves.toBeUndefined();
});

it('a stop before it was ready rejects the start, ends the life, and is no failure', async () => {
  let ended = false;
  const { reader, failures } = rig(async (_, __, signal) => {
    await until(signal);
    ended = true;
  });
  const started = reader.start();
  await reader.stop();
  await reader.stop();
  await expect(started).rejects.toThrow('consumer of g was stopped before it was ready');
  expect([ended, failures]).toEqual([true, []]);
});

it('a stop without a start leaves no unhandled rejection', async () => {
  const { reader, lives } = rig(async () => undefined);
  await reader.stop();
  expect(lives()).toBe(0);
});
