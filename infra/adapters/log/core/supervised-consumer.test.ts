// Calls reach the life that runs and no other; a consumer has joined when its first life has.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { type ConsumerOptions, LogError } from '@tocsin/topologies/ports/log.ts';
import { expect, it } from 'vitest';
import { type ConsumerLife, SupervisedConsumer } from './supervised-consumer.ts';
import { SupervisedTable } from './supervised-table.ts';

const tp = { topic: 't', partition: 0 };
const until = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

function rig(run: (life: number, joined: () => void, signal: AbortSignal) => Promise<void>) {
  const clock = fakeClock(0);
  const calls: string[] = [];
  const notices: string[] = [];
  const failures: Error[] = [];
  let lives = 0;
  const newLife = (): ConsumerLife => {
    const number = ++lives;
    return {
      run: (joined, signal) => run(number, joined, signal),
      assignments: () => [{ ...tp, epoch: number } as never],
      pause: () => calls.push(`pause ${number}`),
      resume: () => calls.push(`resume ${number}`),
      seek: (_, offset) => calls.push(`seek ${number} ${offset}`),
    };
  };
  const options = {
    group: 'g',
    onNotice: ({ message }: { message: string }) => notices.push(message),
    onFailure: (error: Error) => failures.push(error),
  } as unknown as ConsumerOptions;
  return {
    clock,
    calls,
    notices,
    failures,
    consumer: new SupervisedConsumer(options, newLife, clock, () => 0),
  };
}

it('passes calls to the life that runs, and to none between two of them', async () => {
  const crash = Promise.withResolvers<void>();
  const { clock, calls, notices, consumer } = rig(async (life, joined, signal) => {
    joined();
    await (life === 1 ? crash.promise : until(signal));
  });
  consumer.pause(tp);
  await consumer.start();
  expect(consumer.assignments().map(({ epoch }) => epoch)).toEqual([1]);
  consumer.pause(tp);
  crash.reject(new LogError('gone', { retriable: true }));
  await clock.advance(0);
  expect(consumer.assignments()).toEqual([]);
  consumer.resume(tp);
  await clock.advance(1_000);
  expect(notices).toEqual(['consumer of g begins again in 125 ms: gone']);
  consumer.resume(tp);
  consumer.seek(tp, 7);
  expect(calls).toEqual(['pause 1', 'resume 2', 'seek 2 7']);
  await consumer.stop();
  consumer.seek(tp, 8);
  expect([calls.length, consumer.assignments()]).toEqual([3, []]);
});

it('has not started before a life has joined', async () => {
  const { clock, consumer, failures } = rig((life, joined) => {
    if (life === 2) joined();
    return Promise.reject(new LogError('no', { retriable: life < 2 }));
  });
  let started = false;
  void consumer.start().then(() => {
    started = true;
  });
  await clock.advance(100);
  expect(started).toBe(false);
  await clock.advance(1_000);
  expect([started, failures.map(({ message }) => message)]).toEqual([true, ['no']]);
});

it('a table starts when it has caught up, over lives that crash in between', async () => {
  const clock = fakeClock(0);
  const begun: (number | undefined)[] = [];
  const table = new SupervisedTable(
    { topic: 't', onBatch: () => undefined },
    async (positions, _, signal) => {
      begun.push(positions.of(0));
      positions.waitFor(new Map([[0, 4]]), new Map([[0, 0]]));
      positions.advance(0, begun.length * 2);
      if (begun.length === 1) throw new LogError('gone', { retriable: true });
      await until(signal);
    },
    clock,
    () => 0,
  );
  const started = table.start();
  await clock.advance(1_000);
  await started;
  expect(begun).toEqual([undefined, 2]);
  await table.stop();
});
