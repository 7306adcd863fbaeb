// Approval gates: who may decide, how often, until when, and what the decision is bound to.
import type { Approve, PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { firstRun, outline, type Stage, stage } from './play-kit.ts';

function gate(approve: Partial<Approve> = {}, more: Partial<PlaybookStep> = {}): Stage {
  const run = stage([
    {
      id: 'g',
      approve: {
        title: 'Isolate {{finding.asset.name}}?',
        by: { anyOf: ['role:lead', 'user:alice'] },
        ...approve,
      },
      ...more,
    },
    { id: 'b', action: 'mail', with: { host: { $: 'finding.asset.name' }, flag: { $: 'vars.flag' } } },
  ]);
  run.start();
  return run;
}

const tokenOf = (run: Stage): string =>
  run.events.find(({ event }) => event === 'approval.requested')?.data['token'] as string;

function vote(
  run: Stage,
  actor: string,
  verdict: 'approve' | 'reject' | 'delegate',
  more: Record<string, unknown> = {},
) {
  return run.send(
    {
      kind: 'decision',
      token: tokenOf(run),
      decision_id: `${actor}-${verdict}`,
      actor,
      roles: [],
      verdict,
      ...more,
    },
    1000,
  );
}

const reasonOf = (step: ReturnType<Stage['send']>): unknown =>
  step.changes.find(({ what }) => what === 'vote' || what === 'ignored')?.['reason'] ?? 'counted';

test('the request says what, who and until when', () => {
  const run = gate({}, { deadline: 'PT4H' });
  expect(run.events.at(-1)).toMatchObject({
    event: 'approval.requested',
    data: {
      title: 'Isolate web?',
      approvers: ['role:lead', 'user:alice'],
      until: '2026-04-28T16:00:00.000Z',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
});

test('one of the named people is enough, and who it was is an output', () => {
  const run = gate();
  expect(outline(vote(run, 'alice', 'approve'))).toEqual(['g succeeded']);
  expect(run.state.steps['g']?.outputs).toMatchObject({ approved: true, by: ['alice'] });
  expect(run.commands).toHaveLength(1);
});

test.each([
  ['somebody else', 'mallory', { roles: ['guest'] }, 'is no approver'],
  [
    'whoever started it',
    'starter',
    { roles: ['lead'] },
    'whoever started the run or wrote the playbook cannot decide',
  ],
  [
    'the author',
    'author',
    { roles: ['lead'] },
    'whoever started the run or wrote the playbook cannot decide',
  ],
  ['another digest', 'alice', { digest: 'f'.repeat(64) }, 'what was shown is not what the gate is for'],
  ['a token of before', 'alice', { token: `k.${firstRun}/g#0.1` }, 'the gate is closed'],
  ['a token of nothing', 'alice', { token: 'x' }, 'the gate is closed'],
])('%s changes nothing', (_what, actor, more, reason) => {
  const run = gate();
  const before = structuredClone(run.state);
  expect(reasonOf(vote(run, actor, 'approve', more))).toBe(reason);
  expect(run.state).toEqual(before);
});

test('notSelf: false lets the starter decide', () => {
  expect(outline(vote(gate({ notSelf: false }), 'starter', 'approve', { roles: ['lead'] }))).toEqual([
    'g succeeded',
  ]);
});

describe('quorum', () => {
  test('distinct people; the same person counts once, whatever the second vote says', () => {
    const run = gate({ quorum: { approve: 2 } });
    expect(outline(vote(run, 'alice', 'approve'))).toEqual([]);
    expect(reasonOf(vote(run, 'alice', 'approve'))).toBe('has decided already');
    expect(reasonOf(vote(run, 'alice', 'reject'))).toBe('has decided already');
    expect(outline(vote(run, 'bob', 'approve', { roles: ['lead'] }))).toEqual(['g succeeded']);
    expect(reasonOf(vote(run, 'carol', 'reject', { roles: ['lead'] }))).toBe('the gate is closed');
  });

  test('one no is enough, and ends the run', () => {
    const run = gate({ quorum: { approve: 2 } });
    vote(run, 'alice', 'approve');
    expect(outline(vote(run, 'bob', 'reject', { roles: ['lead'] }))).toEqual(['g rejected', 'run failed']);
    expect(run.commands).toEqual([]);
  });
});

describe('silence', () => {
  test('rejects by itself', () => {
    expect(outline(gate({}, { deadline: 'PT1H' }).fire())).toEqual(['g expired', 'run failed']);
  });

  test('follows onReject, or goes where onTimeout says', () => {
    const rejected = gate({}, { deadline: 'PT1H', onReject: 'continue' });
    expect(outline(rejected.fire())).toEqual(['g expired']);
    expect(rejected.commands).toHaveLength(1);
    const elsewhere = gate({ onTimeout: { goto: 'b' } }, { deadline: 'PT1H' });
    expect(outline(elsewhere.fire())).toEqual(['g expired']);
    expect(elsewhere.commands).toHaveLength(1);
    expect(outline(gate({ onTimeout: 'fail' }, { deadline: 'PT1H', onReject: 'continue' }).fire())).toEqual([
      'g failed',
      'run failed',
    ]);
  });

  test('reminders, then more approvers', () => {
    const run = gate({ remind: ['PT1H'], escalate: { after: 'PT2H', add: ['user:carol'] } });
    expect(reasonOf(vote(run, 'carol', 'approve'))).toBe('is no approver');
    run.fire();
    run.fire();
    expect(run.events.slice(-2)).toMatchObject([
      { event: 'approval.reminder' },
      { event: 'approval.escalated', data: { approvers: ['role:lead', 'user:alice', 'user:carol'] } },
    ]);
    expect(outline(vote(run, 'carol', 'approve'))).toEqual(['g succeeded']);
  });
});

describe('delegation', () => {
  const delegated = { delegate: { to: ['user:dave', 'role:soc'] as [string, string] } };

  test('moves one vote, once', () => {
    const run = gate(delegated);
    expect(reasonOf(vote(run, 'alice', 'delegate', { to: 'dave' }))).toBe('counted');
    expect(reasonOf(vote(run, 'alice', 'approve'))).toBe('has delegated');
    expect(reasonOf(vote(run, 'dave', 'delegate', { to: 'erin' }))).toBe('a delegate cannot delegate');
    expect(outline(vote(run, 'dave', 'approve'))).toEqual(['g succeeded']);
  });

  test.each([
    ['where the gate does not allow it', {}, 'alice', { to: 'dave' }, 'this gate cannot be delegated'],
    ['by somebody else', delegated, 'mallory', { to: 'dave' }, 'is no approver'],
    ['to nobody', delegated, 'alice', {}, 'names nobody to delegate to'],
    [
      'to whoever started the run',
      delegated,
      'alice',
      { to: 'starter' },
      'whoever started the run or wrote the playbook cannot decide',
    ],
  ])('not %s', (_what, approve, actor, more, reason) => {
    expect(reasonOf(vote(gate(approve), actor, 'delegate', more))).toBe(reason);
  });

  test('to somebody who may not stand in', () => {
    const run = gate(delegated);
    vote(run, 'alice', 'delegate', { to: 'erin' });
    expect(reasonOf(vote(run, 'erin', 'approve'))).toBe('cannot stand in for an approver');
    expect(outline(vote(run, 'erin', 'approve', { roles: ['soc'] }))).toEqual(['g succeeded']);
  });
});

test('the approval is for what was shown', () => {
  const steps = (change: boolean): PlaybookStep[] => [
    { id: 'g', approve: { title: 't', by: { anyOf: ['user:alice'] }, covers: ['b'] } },
    { id: 's', set: { flag: change ? 2 : 1 } },
    { id: 'b', action: 'mail', with: { flag: { $: 'vars.flag' } } },
  ];
  const same = stage(steps(false), { vars: { flag: 1 } });
  same.start();
  expect(outline(vote(same, 'alice', 'approve'))).toEqual(['g succeeded', 's succeeded']);
  expect(same.commands).toHaveLength(1);
  const other = stage(steps(true), { vars: { flag: 1 } });
  other.start();
  expect(outline(vote(other, 'alice', 'approve'))).toEqual([
    'g succeeded',
    's succeeded',
    'b failed',
    'run failed',
  ]);
  expect(other.state.reason).toContain('digest_mismatch');
  expect(other.commands).toEqual([]);
});
