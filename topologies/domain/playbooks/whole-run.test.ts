// Commands that carry all that their run knows: who gets it, what is in it, how large it is, and that approvals do not depend on it.
import type { Command, PlaybookStep } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { runLimits } from './limits.ts';
import { outline, stage } from './play-kit.ts';

const report: PlaybookStep = { id: 'report', action: { type: 'report', params: { title: 'x' } } };

function contextOf(command: Command | undefined): Record<string, unknown> {
  return command?.subject.context as Record<string, unknown>;
}

test('only a type that asks for it gets the whole run', () => {
  const run = stage([{ id: 'a', action: 'mail', with: { body: '{{run.id}}' } }, report], { name: 'P' });
  run.start();
  run.answer('a', { ref: 'R' });
  const [mail, whole] = run.commands;
  expect(Object.keys(contextOf(mail))).toEqual(['run']);
  expect(contextOf(whole)).toMatchObject({
    run: { id: 'k', name: 'P', status: 'running', by: 'starter' },
    params: {},
    vars: {},
    steps: { a: { status: 'succeeded', outputs: { ref: 'R' }, started_at: expect.any(Number) } },
    outline: [
      { id: 'a', path: 'a', kind: 'action', type: 'email' },
      { id: 'report', path: 'report', kind: 'action', type: 'report' },
    ],
    open: [{ step: 'report', state: 'running' }],
  });
});

test('an approval of a report holds although the run has gone on since', () => {
  const gate: PlaybookStep = {
    id: 'gate',
    approve: { title: 'ok?', by: { anyOf: ['user:alice'] }, covers: ['report'] },
  };
  const run = stage([gate, { id: 'wait', delay: 'PT1H', set: { a: 1 } }, report]);
  run.start();
  const token = String(run.events.find(({ event }) => event === 'approval.requested')?.data['token']);
  run.send({ kind: 'decision', token, decision_id: 'd', actor: 'alice', roles: [], verdict: 'approve' });
  expect(outline(run.fire())).toContain('wait succeeded');
  expect(run.commands).toHaveLength(1);
  expect(contextOf(run.commands[0])).toMatchObject({
    steps: { gate: { votes: [{ actor: 'alice', verdict: 'approve', at: expect.any(Number) }] } },
    vars: { a: 1 },
  });
});

test('the votes of an open gate, and the tries and the reason of a failure, are told', () => {
  const gate: PlaybookStep = {
    id: 'gate',
    approve: { title: 'ok?', by: { anyOf: ['user:alice', 'user:bob'] }, quorum: { approve: 2 } },
  };
  const flaky: PlaybookStep = {
    id: 'flaky',
    action: 'mail',
    retry: { attempts: 2, base: 'PT1M' },
    onError: 'continue',
  };
  const run = stage([{ id: 'both', parallel: { branches: [[gate], [flaky, report]] } }]);
  run.start();
  const token = String(run.events.find(({ event }) => event === 'approval.requested')?.data['token']);
  const comment = 'c'.repeat(4096);
  run.send({
    kind: 'decision',
    token,
    decision_id: 'd',
    actor: 'bob',
    roles: [],
    verdict: 'approve',
    comment,
  });
  run.answer('flaky', { status: 'failed', code: 'dns', detail: 'x'.repeat(4096) });
  run.fire();
  run.answer('flaky', { status: 'failed', code: 'dns', detail: 'x'.repeat(4096) });
  const { steps, open } = contextOf(run.commands.at(-1)) as {
    steps: Record<string, { detail: string; tries: number }>;
    open: { step: string; votes?: { actor: string; comment: string }[] }[];
  };
  expect(steps['flaky']).toMatchObject({ status: 'failed', code: 'dns', tries: 2 });
  expect(steps['flaky']?.detail).toHaveLength(runLimits.detailChars);
  const [vote] = open.find(({ step }) => step === 'gate')?.votes ?? [];
  expect(vote?.actor).toBe('bob');
  expect(vote?.comment).toHaveLength(runLimits.commentChars);
});

test('a run that is as full as it may be has a command of bounded size', () => {
  const many = Array.from(
    { length: 198 },
    (_, n): PlaybookStep => ({ id: `s${n}`, name: 'n'.repeat(128), action: 'mail', onError: 'continue' }),
  );
  const run = stage([...many, report]);
  run.start();
  for (const { id } of many) run.answer(id, { output: { text: 'x'.repeat(4000) }, detail: 'd'.repeat(4096) });
  const command = run.commands.at(-1) as Command;
  expect(command.type).toBe('report');
  const bytes = Buffer.byteLength(JSON.stringify(command));
  expect(bytes).toBeGreaterThan(runLimits.contextBytes);
  expect(bytes).toBeLessThan(4 * runLimits.contextBytes);
  expect(run.state.bytes).toBeLessThanOrEqual(runLimits.contextBytes);
  const steps = contextOf(command)['steps'] as Record<string, { status: string; outputs?: unknown }>;
  // The steps are all there; those for which there was no room have no outputs.
  expect(Object.keys(steps)).toHaveLength(199);
  expect(steps['s0']).toHaveProperty('outputs');
  expect(steps['s197']).not.toHaveProperty('outputs');
});
