// Single flight, repetition of the latest watermark, and the final commit.
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { expect, it } from 'vitest';
import { type CommitOffset, CommitPump } from './commit-pump.ts';

function rig() {
  const clock = fakeClock(0);
  const sent: number[] = [];
  const retries: unknown[] = [];
  const state = { watermark: 0, committed: 0, inFlight: 0, most: 0 };
  let answer: PromiseWithResolvers<void> | null = null;
  const pump = new CommitPump({
    collect: () =>
      state.watermark > state.committed ? [{ topic: 't', partition: 0, offset: state.watermark }] : [],
    commit: async (offsets: readonly CommitOffset[]) => {
      sent.push(offsets[0]!.offset);
      state.inFlight++;
      state.most = Math.max(state.most, state.inFlight);
      answer = Promise.withResolvers<void>();
      try {
        await answer.promise;
      } finally {
        state.inFlight--;
      }
    },
    acknowledged: (offsets) => {
      state.committed = offsets[0]!.offset;
    },
    onRetry: (error) => retries.push(error),
    intervalMs: 500,
    clock,
  });
  return { clock, pump, sent, retries, state, answer: () => answer! };
}

it('sends one request at a time and what came in between in exactly one more', async () => {
  const { pump, sent, state, answer } = rig();
  state.watermark = 5;
  const first = pump.flush();
  state.watermark = 7;
  const second = pump.flush();
  state.watermark = 9;
  const third = pump.flush();
  expect(sent).toEqual([5]);
  answer().resolve();
  expect(await first).toBe(true);
  await Promise.resolve();
  expect(sent).toEqual([5, 9]);
  answer().resolve();
  expect(await Promise.all([second, third])).toEqual([true, true]);
  expect(state.most).toBe(1);
  expect(await pump.flush()).toBe(true);
  expect(sent).toEqual([5, 9]);
});

it('repeats with the watermark of then after a failure, and never rejects', async () => {
  const { clock, pump, sent, retries, state, answer } = rig();
  pump.start();
  state.watermark = 3;
  await clock.advance(500);
  expect(sent).toEqual([3]);
  answer().reject(new Error('coordinator moved'));
  await clock.advance(0);
  expect(retries).toHaveLength(1);
  expect(state.committed).toBe(0);
  state.watermark = 8;
  await clock.advance(500);
  expect(sent).toEqual([3, 8]);
  answer().resolve();
  await clock.advance(0);
  expect(state.committed).toBe(8);
  pump.stop();
  state.watermark = 20;
  await clock.advance(5_000);
  expect(sent).toEqual([3, 8]);
  expect(clock.sleepers()).toBe(0);
});
