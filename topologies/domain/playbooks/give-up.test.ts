// B12: a run that is cancelled, or a step whose time is over, gives up the command that it waits for, where its type can be broken off.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { describe, expect, test } from 'vitest';
import { commandTopic } from '../../topics.ts';
import { stage } from './play-kit.ts';

const action = { type: 'script', connection: 'app1', params: { script: 'isolate' } } as const;
const isolate = { id: 'isolate', action };
const cancel = { kind: 'cancel', by: 'ann' } as const;

test('cancel of the run: the cancel follows the command, names its round, and the step ends as cancelled_uncertain', () => {
  const s = stage([isolate]);
  s.start();
  const [command] = s.commands;
  const step = s.send(cancel);
  expect(s.cancels).toEqual([
    {
      kind: 'cancel',
      command_id: command?.command_id,
      round: command?.round,
      reason: 'the step was cancelled',
      at: expect.any(Number),
    },
  ]);
  expect(checkDocument('command-cancel.json', s.cancels[0])).toEqual([]);
  // Same topic and key as the command, so that it is read after it.
  const records = step.effects.flatMap((effect) => (effect.kind === 'produce' ? [effect.record] : []));
  expect(records.filter(({ topic }) => topic === commandTopic('script').name)).toMatchObject([{ key: 'k' }]);
  expect(step.changes).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        what: 'step',
        step: 'isolate',
        status: 'cancelled',
        code: 'cancelled_uncertain',
        command_id: command?.command_id,
      }),
      expect.objectContaining({ what: 'run', status: 'cancelled' }),
    ]),
  );
  // What became of it is told in the history of the run that is over.
  const late = s.answer('isolate', { status: 'failed', code: 'cancelled_uncertain' });
  expect(late.changes).toMatchObject([
    { what: 'ignored', input: 'result', command_id: command?.command_id, code: 'cancelled_uncertain' },
  ]);
});

test('the deadline of the step', () => {
  const s = stage([{ ...isolate, deadline: 'PT1M', retry: { attempts: 3, base: 'PT1S' } }]);
  s.start();
  const step = s.fire();
  expect(s.cancels.length).toBe(1);
  expect(s.commands.length).toBe(1);
  expect(step.changes).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ what: 'step', status: 'failed', code: 'cancelled_uncertain' }),
      expect.objectContaining({ what: 'run', status: 'failed' }),
    ]),
  );
  expect(s.state.reason).toContain('cancelled_uncertain');
});

test('steps beside the one that failed, and those of a branch that is left', () => {
  const s = stage([
    {
      id: 'both',
      parallel: {
        branches: [
          [isolate],
          [{ id: 'mail', action: { type: 'email', connection: 'm', params: { to: 'a', subject: 's' } } }],
        ],
      },
    } as never,
  ]);
  s.start();
  s.answer('mail', { status: 'failed', code: 'smtp_permanent' });
  expect([s.state.status, s.cancels.length]).toEqual(['failed', 1]);
});

test('an operator who skips the step does not leave its script running', () => {
  const s = stage([isolate]);
  s.start();
  s.send({ kind: 'skip', step: 'isolate', by: 'ann' });
  expect([s.state.status, s.cancels[0]?.reason]).toEqual(['completed', 'skipped by ann']);
});

describe('nothing is given up', () => {
  test('of a type that cannot be broken off: it may still be carried out', () => {
    const s = stage([{ id: 'mail', action: 'mail' }]);
    s.start();
    const step = s.send(cancel);
    expect(s.cancels).toEqual([]);
    expect(step.changes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ status: 'cancelled', detail: 'the command may still be carried out' }),
      ]),
    );
  });

  test('of a step that waits for its next try, or has ended', () => {
    const s = stage([
      { ...isolate, retry: { attempts: 2, base: 'PT1M' } },
      { id: 'gate', approve: { title: 't', by: { anyOf: ['role:x'] } } } as never,
    ]);
    s.start();
    s.answer('isolate', { status: 'failed', code: 'script_failed' });
    s.send(cancel);
    expect(s.cancels).toEqual([]);
    const ended = stage([isolate, { id: 'wait', waitFor: { event: 'x', correlate: 'y' } }]);
    ended.start();
    ended.answer('isolate');
    ended.send(cancel);
    expect(ended.cancels).toEqual([]);
  });

  test('in a dry run', () => {
    const s = stage([isolate]);
    s.start({ dry_run: true });
    s.send(cancel);
    expect(s.cancels).toEqual([]);
  });
});
