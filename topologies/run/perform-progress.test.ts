// Commands of several parts: what attempts note is known to those that follow, whatever ended them; a part that is done is not done again.
import { describe, expect, test } from 'vitest';
import type { ActionContext } from '../domain/action/define-action.ts';
import type { Outcome, Progress } from '../domain/action/outcome.ts';
import { actionKit, failure, probeCommand } from '../testing/action-kit.ts';

const second = 1_000;
const hour = 3_600 * second;
const done: Outcome = { status: 'done' };

const partsOf = (progress: Progress | undefined): number => Number(progress?.['parts'] ?? 0);

/** Does parts 0 to 3, one after the other; `stop` says what happens instead of a part, by its number and the attempt. */
function inParts(stop: (part: number, context: ActionContext) => Outcome | null | Promise<Outcome | null>) {
  const sent: number[] = [];
  const kit = actionKit(async (_, context) => {
    for (let part = partsOf(context.progress); part < 4; part += 1) {
      const stopped = await stop(part, context);
      if (stopped !== null) return stopped;
      sent.push(part);
      if (part < 3) await context.note?.({ parts: part + 1 });
    }
    return done;
  });
  return { ...kit, sent };
}

const stopOnce = (outcome: Outcome, at = 2) => {
  let stopped = false;
  return (part: number): Outcome | null => {
    if (part !== at || stopped) return null;
    stopped = true;
    return outcome;
  };
};

describe('A32: the next attempt goes on where the last one stopped', () => {
  test.each([
    ['in memory', 'backoff', second, 0],
    ['parked', { afterMs: hour }, 3 * hour, 1],
    ['refused', 'pause', hour, 0],
  ] as const)('%s: no part twice, and no doubt about any', async (_, retry, ms, parked) => {
    const kit = inParts(stopOnce(failure('http_5xx', retry)));
    await kit.worker();
    await kit.publish([probeCommand(1, { retry: { initial_ms: 100 } })]);
    await kit.clock.advance(10);
    expect([kit.sent, kit.pending().length]).toEqual([[0, 1], parked]);
    await kit.clock.advance(ms);
    expect(kit.sent).toEqual([0, 1, 2, 3]);
    const [result] = kit.finals();
    expect(result).toMatchObject({ status: 'succeeded' });
    expect(result).not.toHaveProperty('possible_duplicate');
  });

  test('parked for longer than the ledger keeps its mark: the timer knows as well', async () => {
    const kit = inParts(stopOnce(failure('http_429', { afterMs: 300 * hour })));
    const first = await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    (kit.effects.entries as Map<string, unknown>).clear();
    await first.crash();
    await kit.worker();
    await kit.clock.advance(400 * hour);
    expect([kit.sent, kit.finals().length]).toEqual([[0, 1, 2, 3], 1]);
  });

  test('held for what is in doubt; whoever has it done again gets what is left', async () => {
    const kit = inParts(stopOnce(failure('timeout', 'backoff', { uncertain: true })));
    await kit.worker();
    await kit.publish([probeCommand(1, { on_uncertain: 'hold' })]);
    await kit.clock.advance(second);
    expect(kit.finals()).toMatchObject([{ status: 'held' }]);
    await kit.publish([probeCommand(1, { on_uncertain: 'hold', round: 2 })]);
    await kit.clock.advance(second);
    expect(kit.finals()).toMatchObject([
      { status: 'held' },
      { status: 'succeeded', possible_duplicate: true },
    ]);
    expect(kit.sent).toEqual([0, 1, 2, 3]);
  });

  test('failed for good; a later round does what is left', async () => {
    const kit = inParts(stopOnce(failure('http_4xx', 'never'), 3));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.publish([probeCommand(1, { round: 2 })]);
    await kit.clock.advance(second);
    expect(kit.finals().map(({ status }) => status)).toEqual(['failed', 'succeeded']);
    expect(kit.sent).toEqual([0, 1, 2, 3]);
  });
});

describe('A32: a worker that dies', () => {
  test('after a note: the next one begins behind it, and may repeat the part that was under way alone', async () => {
    const kit = inParts((part, { attempt }) => {
      if (part !== 2 || attempt > 1 || first.dead) return null;
      kit.sent.push(part);
      return new Promise<never>(() => undefined);
    });
    const first = await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    await first.crash();
    await kit.worker();
    await kit.clock.advance(second);
    expect(kit.sent).toEqual([0, 1, 2, 2, 3]);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', possible_duplicate: true }]);
  });

  test('as soon as a note is in the ledger', async () => {
    const kit = inParts(() => null);
    await kit.worker({ dieAfter: 'note' });
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    expect(kit.sent).toEqual([0]);
    await kit.worker();
    await kit.clock.advance(second);
    expect(kit.sent).toEqual([0, 1, 2, 3]);
  });
});

describe('notes', () => {
  test('wait for a ledger that is down, so that no more than one part is in doubt', async () => {
    const kit = inParts(() => null);
    let down = true;
    await kit.worker({
      effects: {
        ...kit.effects,
        note: async (...given) => {
          if (down) throw new Error('connection refused');
          return kit.effects.note(...given);
        },
      },
    });
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(5 * second);
    expect(kit.sent).toEqual([0]);
    expect(kit.metrics.total('tocsin_action_infrastructure_errors_total')).toBeGreaterThan(3);
    down = false;
    await kit.clock.advance(2 * second);
    expect([kit.sent, kit.failures]).toEqual([[0, 1, 2, 3], []]);
  });

  test.each([
    [0, 'before any part'],
    [1, 'behind a part'],
  ])('of an attempt whose time was over are not heard: %i, %s', async (at) => {
    let late: ActionContext['note'];
    const kit = inParts((part, context) => {
      if (context.attempt > 1 || part !== at) return null;
      late = context.note;
      return new Promise<never>(() => undefined);
    });
    await kit.worker();
    const retry = { initial_ms: 3_000 };
    await kit.publish([probeCommand(1, { timeout_ms: 1_000, retry })]);
    await kit.clock.advance(2 * second);
    expect(kit.calls.length).toBe(1);
    await late?.({ parts: 4 });
    await kit.clock.advance(hour);
    expect(kit.sent).toEqual([0, 1, 2, 3]);
  });
});
