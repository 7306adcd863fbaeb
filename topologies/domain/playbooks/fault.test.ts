// Inputs that the engine failed on: kept for a retry, bounded, and never in the way of a cancel.
import type { PlaybookStep, RunInput } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { decideRun } from './decide.ts';
import { faultRun } from './fault.ts';
import { runLimits } from './limits.ts';
import { isOver, type RunState } from './machine/state.ts';
import { outline, programOf, stage, started } from './play-kit.ts';

const moment = { now: started + 1_000, partition: 0, offset: 9, key: 'k' };
const runsTopic = 'runs.v1';
const steps: PlaybookStep[] = [
  { id: 'a', action: 'mail', compensate: { id: 'undo', action: 'mail' } },
  {
    id: 'both',
    parallel: {
      branches: [
        [{ id: 'b', action: 'mail' }],
        [{ id: 'w', waitFor: { event: 'x', correlate: 'c' } }],
        [{ id: 'c', playbook: { id: 'child' } }],
      ],
    },
  },
];
const known = { definitions: () => programOf(steps, {}, { child: 1 }), runsTopic };
const unknown = { definitions: () => null, runsTopic };

/** A run at work, with the results that its two mails would get. */
function running(): { state: RunState; result: RunInput } {
  const run = stage(steps, {}, { child: 1 });
  run.start();
  run.answer('a');
  const { command_id, reply_to } = run.commands[1] ?? {};
  return {
    state: run.state,
    result: {
      kind: 'result',
      command_id: command_id ?? '',
      status: 'succeeded',
      token: reply_to?.token ?? '',
    },
  };
}

describe('a fault', () => {
  test('keeps the input; a retry applies it, in order, and the run goes on', () => {
    const { state, result } = running();
    const event: RunInput = { kind: 'event', correlation: 'c', event: { event: 'x' } };
    let faulted = faultRun(state, result, moment, 'boom', runsTopic).state;
    faulted = faultRun(faulted, event, moment, 'boom', runsTopic).state;
    expect(faulted).toMatchObject({ status: 'incident', missed: [result, event], nodes: state.nodes });
    const again = decideRun(faulted, { kind: 'retry', by: 'op' }, moment, known);
    expect(outline(again)).toEqual(['b succeeded', 'w succeeded']);
    expect(again.state).toMatchObject({ status: 'running' });
    expect(again.state).not.toHaveProperty('missed');
    expect(again.state).not.toHaveProperty('fault');
  });

  test('keeps what comes from operators out: they are told', () => {
    const { state } = running();
    const faulted = faultRun(state, { kind: 'retry', by: 'op' }, moment, 'boom', runsTopic).state;
    expect(faulted).toMatchObject({ status: 'incident', fault: { input: 'retry', error: 'boom' } });
    expect(faulted).not.toHaveProperty('missed');
  });

  test('keeps so many, and so many bytes; the rest is told', () => {
    const { state, result } = running();
    let faulted: RunState | null = state;
    for (let n = 0; n < runLimits.missed; n++)
      faulted = faultRun(faulted, result, moment, 'boom', runsTopic).state;
    const full = faultRun(faulted, result, moment, 'boom', runsTopic);
    expect(full.state?.missed).toHaveLength(runLimits.missed);
    expect(full.changes).toHaveLength(2);
    const large: RunInput = { ...result, output: 'ü'.repeat(runLimits.missedBytes / 2) } as RunInput;
    expect(faultRun(state, large, moment, 'boom', runsTopic).state).not.toHaveProperty('missed');
  });

  test('of a run that ended meanwhile leaves it ended; what it missed is told', () => {
    const { state, result } = running();
    const faulted = faultRun(state, result, moment, 'boom', runsTopic).state;
    const ended = decideRun(faulted, { kind: 'cancel', by: 'op' }, moment, known).state;
    expect(ended).toMatchObject({ status: 'cancelled' });
    expect(ended).not.toHaveProperty('missed');
    expect(faultRun(ended, result, moment, 'boom', runsTopic).state).toEqual(ended);
  });

  test('of a start is a note to the live run of its key, and an answer to the run above', () => {
    const { state } = running();
    const source = { id: 'e', kind: 'event' as const, topic: 't', partition: 0, offset: 0 };
    const parent = { key: 'up', token: 'up.1/c#0.2', depth: 1 };
    const start: RunInput = { kind: 'start', playbook: 'p', revision: 9, by: 'x', event: {}, source, parent };
    const step = faultRun(state, start, moment, 'boom', runsTopic);
    expect(step.state).toEqual(state);
    expect(step.effects).toEqual([
      {
        kind: 'produce',
        record: {
          topic: runsTopic,
          key: 'up',
          value: JSON.stringify({
            kind: 'child-done',
            token: parent.token,
            child: 'k',
            status: 'failed',
            reason: 'boom',
          }),
        },
      },
    ]);
  });
});

describe('a revision that nobody knows any more', () => {
  test('is a fault of every input but cancel, which ends the run and all that it has open', () => {
    const { state, result } = running();
    expect(() => decideRun(state, result, moment, unknown)).toThrow('revision 1 of p is not known');
    const cancelled = decideRun(state, { kind: 'cancel', by: 'op', compensate: true }, moment, unknown);
    expect(cancelled.state !== null && isOver(cancelled.state.status)).toBe(true);
    expect(cancelled.state).toMatchObject({ nodes: {}, lists: {} });
    const produced = cancelled.effects.flatMap((effect) =>
      effect.kind === 'produce' ? [[effect.record.topic, JSON.parse(String(effect.record.value))]] : [],
    );
    expect(produced.map(([topic, { kind, event }]) => [topic, kind ?? event])).toEqual([
      ['correlations.v1', 'done'],
      [runsTopic, 'cancel'],
      ['events.v1', 'playbook.failed'],
    ]);
    const timers = cancelled.effects.filter(({ kind }) => kind === 'cancel-timer');
    expect(timers).toHaveLength(3);
  });
});

test('a command on its way is told when the run is cancelled', () => {
  const { state } = running();
  const { changes } = decideRun(state, { kind: 'cancel', by: 'op' }, moment, known);
  const told = changes.filter(({ what, status }) => what === 'step' && status === 'cancelled');
  expect(told.map(({ step, detail }) => [step, detail])).toEqual([
    ['b', 'the command may still be carried out'],
    ['w', undefined],
    ['c', undefined],
    ['both', undefined],
  ]);
});

test('an action type that this release does not have fails its step, not the engine', () => {
  const options = { ...known, definitions: () => programOf([{ id: 'a', action: 'mail' }]) };
  const source = { id: 'e', kind: 'event' as const, topic: 't', partition: 0, offset: 0 };
  const start = { kind: 'start' as const, playbook: 'p', revision: 1, by: 'x', event: {}, source };
  const step = decideRun(null, start, moment, { ...options, commandTypes: new Map([['webhook', {}]]) });
  expect(step.changes).toContainEqual(
    expect.objectContaining({ step: 'a', status: 'failed', code: 'unknown_action' }),
  );
  expect(
    decideRun(null, start, moment, { ...options, commandTypes: new Map([['email', {}]]) }).state?.status,
  ).toBe('running');
});
