// A position that the log no longer holds: the words say how many records were lost, and the policy is kept.
import { expect, it } from 'vitest';
import { answerOutOfRange } from './out-of-range.ts';

function rig(position: number) {
  const calls: unknown[] = [];
  const owned = {
    topic: 't',
    partition: 1,
    position,
    stop: (reason: string) => calls.push(['stop', reason]),
    skipTo: (offset: number) => calls.push(['skipTo', offset]),
    seek: (offset: number) => calls.push(['seek', offset]),
  };
  const notices: string[] = [];
  const core = { notice: (_: string, message: string) => notices.push(message) };
  return { owned, core, calls, notices };
}

it('stops the partition unless it is told to go on', () => {
  const { owned, core, calls, notices } = rig(5);
  expect(answerOutOfRange(core as never, owned, 8, 20, undefined)).toBeNull();
  expect(calls).toEqual([['stop', 'offset out of range']]);
  expect(notices).toEqual([
    'offsets 5 to 7 (3 records) were deleted before they were read; partition stopped',
  ]);
});

it('goes on behind what was deleted', () => {
  const { owned, core, calls, notices } = rig(5);
  expect(answerOutOfRange(core as never, owned, 8, 20, 'earliest')).toBe(8);
  expect(calls).toEqual([['skipTo', 8]]);
  expect(notices[0]).toContain('going on at 8');
});

it('goes back to the start of a log that was made anew', () => {
  const { owned, core, calls, notices } = rig(50);
  expect(answerOutOfRange(core as never, owned, 0, 20, 'earliest')).toBe(0);
  expect(calls).toEqual([['seek', 0]]);
  expect(notices[0]).toBe(
    'offset 50 is beyond the end 20 of the log: the topic was truncated or made anew; going on at 0',
  );
});
