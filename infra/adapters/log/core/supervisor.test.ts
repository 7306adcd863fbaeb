// Restarts with growing, jittered delays; gives up on what no retry heals and after too long an illness.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { expect, it } from 'vitest';
import { Supervisor } from './supervisor.ts';
import { watch } from './watchdog.ts';

function rig(run: (life: number, healthy: () => void, signal: AbortSignal) => Promise<void>) {
  const clock = fakeClock(0);
  const delays: number[] = [];
  const failures: unknown[] = [];
  let lives = 0;
  const supervisor = new Supervisor({
    run: (healthy, signal) => run(++lives, healthy, signal),
    retriable: (error) => (error as Error).message !== 'fatal',
    onRestart: (_, delayMs) => delays.push(delayMs),
    onFailure: (error) => failures.push(error),
    clock,
    random: () => 0.5,
    baseMs: 100,
    maxMs: 1_000,
    giveUpMs: 10_000,
  });
  return { clock, delays, failures, supervisor, lives: () => lives };
}

const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

it('backs off exponentially, and starts anew after a healthy life', async () => {
  const { clock, delays, supervisor, lives } = rig(async (life, healthy, signal) => {
    if (life === 4) healthy();
    if (life < 6) throw new Error('crash');
    await ended(signal);
  });
  supervisor.start();
  await clock.advance(5_000);
  expect(delays).toEqual([75, 150, 300, 75, 150]);
  expect([lives(), supervisor.alive]).toEqual([6, true]);
  await supervisor.stop();
  await supervisor.stop();
  expect(supervisor.alive).toBe(false);
});

it('gives up at once on what no retry heals', async () => {
  const { clock, failures, supervisor, lives } = rig(async () => {
    throw new Error('fatal');
  });
  supervisor.start();
  await clock.advance(60_000);
  expect([failures, lives(), supervisor.alive]).toEqual([[new Error('fatal')], 1, false]);
});

it('gives up after ten seconds without a healthy life', async () => {
  const { clock, failures, supervisor, lives } = rig(async () => {
    throw new Error('crash');
  });
  supervisor.start();
  await clock.advance(60_000);
  expect(failures).toHaveLength(1);
  expect(lives()).toBeGreaterThan(10);
  expect(supervisor.alive).toBe(false);
});

it('ends a sleep between two lives when it is stopped', async () => {
  const { clock, supervisor, lives } = rig(async () => {
    throw new Error('crash');
  });
  supervisor.start();
  await clock.advance(0);
  await supervisor.stop();
  await clock.advance(60_000);
  expect([lives(), clock.sleepers()]).toEqual([1, 0]);
});

it('the watchdog fires once, after the limit and at most a quarter late', async () => {
  const clock = fakeClock(0);
  const fired: number[] = [];
  let oldest: number | null = null;
  const watching = watch(
    { limitMs: 1_000, oldest: () => oldest, onStall: (age) => fired.push(age), clock },
    new AbortController().signal,
  );
  await clock.advance(3_000);
  oldest = clock.now();
  await clock.advance(1_000);
  expect(fired).toEqual([]);
  await clock.advance(250);
  await watching;
  expect(fired).toEqual([1_250]);
});
