// Commands that are given up: before, while and after they run, in memory, in a timer, and across the death of a worker.
import { describe, expect, test } from 'vitest';
import type { ActionContext } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import { actionKit, failure, probeCommand, probeManifest } from '../testing/action-kit.ts';
import { topics } from '../topics.ts';

const manifest = { ...probeManifest, cancellable: true } as const;
const done: Outcome = { status: 'done' };
const stopped: Outcome = failure('cancelled_uncertain', 'never', { uncertain: true });

const cancelOf = (number: number, round = 1): string =>
  JSON.stringify({
    kind: 'cancel',
    command_id: probeCommand(number).command_id,
    round,
    reason: 'somebody gave it up',
    at: 0,
  });

/** Runs until it is cancelled, or until nobody waits any more. */
function untilCancelled({ cancel, signal }: ActionContext): Promise<Outcome> {
  return new Promise((resolve) => {
    if (cancel?.aborted) resolve(stopped);
    cancel?.addEventListener('abort', () => resolve(stopped));
    signal.addEventListener('abort', () => resolve(failure('aborted', 'backoff', { uncertain: true })));
  });
}

const ends = (kit: ReturnType<typeof actionKit>) =>
  kit.finals().map(({ command_id, status, code }) => [Number.parseInt(command_id, 16), status, code]);

test('one that runs is stopped, and its end is recorded; nothing is committed before', async () => {
  const contexts: ActionContext[] = [];
  const kit = actionKit(
    (_, context) => {
      contexts.push(context);
      return untilCancelled(context);
    },
    { manifest },
  );
  await kit.worker();
  await kit.publish([probeCommand(1, { timeout_ms: 1_000 })]);
  // It keeps its own time.
  await kit.clock.advance(60_000);
  expect([kit.results(), kit.committed()]).toEqual([[], -1]);
  await kit.publish([cancelOf(1)], { key: 'evt-1' });
  await kit.clock.advance(1_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled_uncertain']]);
  expect([kit.committed(), kit.calls.length, kit.failures]).toEqual([2, 1, []]);
  expect(kit.effects.entries.get(probeCommand(1).command_id)?.outcome).toMatchObject({
    code: 'cancelled_uncertain',
  });
});

test('one whose turn has not come is never begun', async () => {
  const kit = actionKit((_, context) => untilCancelled(context), { manifest });
  await kit.worker({ laneSettings: () => ({ concurrency: 1, ratePerSecond: null }) });
  await kit.publish([probeCommand(1), probeCommand(2), probeCommand(3)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(2)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(1)]);
  await kit.clock.advance(1_000);
  // The probe does as the script action does: a cancel before the start ends it.
  expect(kit.calls.map(({ id }) => Number.parseInt(id, 16))).toEqual([1, 2, 3]);
  expect(ends(kit).map(([number]) => number)).toEqual([1, 2]);
});

test('a retry that waits in memory is not made: it did not happen', async () => {
  const kit = actionKit(() => failure('script_busy', { afterMs: 3_000 }), { manifest });
  await kit.worker();
  await kit.publish([probeCommand(1)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(1)]);
  await kit.clock.advance(5_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled']]);
  expect(kit.finals()[0]?.detail).toBe('somebody gave it up: script_busy');
  expect(kit.committed()).toBe(2);
});

test('one that waits in a timer is called back and ends at once; a later round is not meant', async () => {
  const kit = actionKit(() => failure('script_busy', { afterMs: 3_600_000 }), { manifest });
  await kit.worker();
  await kit.publish([probeCommand(1), probeCommand(2, { round: 2 })]);
  await kit.clock.advance(2_000);
  expect([kit.pending().length, kit.committed()]).toEqual([2, 2]);
  await kit.publish([cancelOf(1), cancelOf(2, 1)]);
  await kit.clock.advance(5_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled']]);
  expect(kit.pending().length).toBe(1);
});

test('an attempt that may have begun ends as uncertain, whatever its failure', async () => {
  const kit = actionKit(() => failure('timeout', { afterMs: 3_000 }, { uncertain: true }), { manifest });
  await kit.worker();
  await kit.publish([probeCommand(1)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(1)]);
  await kit.clock.advance(5_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled_uncertain']]);
});

test('one of which a part is done ends as uncertain, whatever its failure', async () => {
  const kit = actionKit(
    async (_, { note }) => {
      await note?.({ parts: 1 });
      return failure('script_busy', { afterMs: 3_000 });
    },
    { manifest },
  );
  await kit.worker();
  await kit.publish([probeCommand(1)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(1)]);
  await kit.clock.advance(5_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled_uncertain']]);
});

test('what a person would decide about has been decided: nothing is held', async () => {
  const kit = actionKit(
    async (_, context) => {
      await untilCancelled(context);
      return failure('uncertain', 'never');
    },
    { manifest },
  );
  await kit.worker();
  await kit.publish([probeCommand(1), cancelOf(1)]);
  await kit.clock.advance(1_000);
  expect(ends(kit)).toEqual([[1, 'failed', 'cancelled_uncertain']]);
});

test('an effect that came first stands, and a cancel of what has ended or never was completes', async () => {
  const kit = actionKit(() => done, { manifest });
  await kit.worker();
  await kit.publish([probeCommand(1)]);
  await kit.clock.advance(1_000);
  await kit.publish([cancelOf(1), cancelOf(9)]);
  await kit.clock.advance(1_000);
  expect(ends(kit)).toEqual([[1, 'succeeded', undefined]]);
  expect(kit.committed()).toBe(3);
});

test('types that cannot be broken off go on', async () => {
  const kit = actionKit(() => kit.clock.sleep(5_000).then(() => done));
  await kit.worker();
  await kit.publish([probeCommand(1), cancelOf(1)]);
  await kit.clock.advance(6_000);
  expect(ends(kit)).toEqual([[1, 'succeeded', undefined]]);
  expect(kit.committed()).toBe(2);
});

test.each(['{"kind":"cancel"}', '{"kind":"cancel","command_id":"x","round":1,"reason":"r","at":0}'])(
  'a cancel that is none is a dead letter: %s',
  async (value) => {
    const kit = actionKit(() => done, { manifest });
    await kit.worker();
    await kit.publish([value]);
    await kit.clock.advance(1_000);
    expect(kit.letters().length).toBe(1);
    expect(kit.committed()).toBe(1);
  },
);

describe('the worker dies', () => {
  test('between cancel and end: the next one reads both again, and asks only', async () => {
    const seen: Pick<ActionContext, 'begun' | 'cancel'>[] = [];
    let first = true;
    const kit = actionKit(
      (_, context) => {
        seen.push(context);
        if (first) {
          first = false;
          return new Promise(() => undefined);
        }
        return untilCancelled(context);
      },
      { manifest },
    );
    const dying = await kit.worker();
    await kit.publish([probeCommand(1), cancelOf(1)]);
    await kit.clock.advance(1_000);
    await dying.crash();
    expect(kit.committed()).toBe(-1);
    await kit.worker();
    await kit.clock.advance(20_000);
    expect(ends(kit)).toEqual([[1, 'failed', 'cancelled_uncertain']]);
    expect(seen.map(({ begun, cancel }) => [begun, cancel?.aborted])).toEqual([
      [false, true],
      [true, true],
    ]);
    expect(kit.committed()).toBe(2);
  });

  test('a partition that goes to another worker: the wait ends here, the end is asked for there', async () => {
    const begun: (boolean | undefined)[] = [];
    const kit = actionKit(
      (_, context) => {
        begun.push(context.begun);
        return begun.length === 1 ? untilCancelled(context) : done;
      },
      { manifest },
    );
    const leaving = await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(1_000);
    const left = leaving.stop();
    await kit.clock.advance(1_000);
    await left;
    await kit.worker();
    await kit.clock.advance(20_000);
    expect(begun).toEqual([false, true]);
    expect(ends(kit)).toEqual([[1, 'succeeded', undefined]]);
    expect(kit.log.records(topics.deadLetters.name).length).toBe(0);
  });
});

describe('begun', () => {
  test('another round that somebody asked for is not begun before its own attempt', async () => {
    const begun: (boolean | undefined)[] = [];
    const outcomes = [
      failure('timeout', 'never', { uncertain: true }),
      failure('connect', { afterMs: 1_000 }),
      failure('timeout', { afterMs: 1_000 }, { uncertain: true }),
      done,
    ];
    const kit = actionKit(
      (_, context) => {
        begun.push(context.begun);
        return outcomes.shift() ?? done;
      },
      { manifest },
    );
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(5_000);
    await kit.publish([probeCommand(1, { round: 2 })]);
    await kit.clock.advance(10_000);
    expect(begun).toEqual([false, false, false, true]);
    expect(ends(kit)).toEqual([
      [1, 'failed', 'timeout'],
      [1, 'succeeded', undefined],
    ]);
  });

  test('that is remembered where it waits in a timer', async () => {
    const begun: (boolean | undefined)[] = [];
    const outcomes = [
      failure('timeout', 'never', { uncertain: true }),
      failure('connect', { afterMs: 3_600_000 }),
      done,
    ];
    const kit = actionKit(
      (_, context) => {
        begun.push(context.begun);
        return outcomes.shift() ?? done;
      },
      { manifest },
    );
    await kit.worker();
    await kit.publish([probeCommand(1), probeCommand(1, { round: 2 })]);
    await kit.clock.advance(3 * 3_600_000);
    expect(begun).toEqual([false, false, false]);
  });
});
