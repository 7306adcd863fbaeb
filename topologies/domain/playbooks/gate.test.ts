// Who may decide: every rule once, alone.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { approvalId, type Decision, type Gate, gateRefusal } from './gate.ts';

const gate: Gate = {
  approvers: ['role:lead', 'user:alice'],
  excluded: ['user:starter', 'user:user:starter', 'key:author'],
  delegateTo: ['role:soc'],
  delegates: { bob: 'dora' },
  votes: [{ actor: 'vera' }],
  digest: 'd',
};
const approve = (actor: string, more: Partial<Decision> = {}): Decision => ({
  actor,
  roles: [],
  verdict: 'approve',
  digest: 'd',
  ...more,
});

test.each([
  ['by name', approve('alice'), null],
  ['by role', approve('lena', { roles: ['guest', 'lead'] }), null],
  ['nothing shown is not compared', approve('alice', { digest: undefined }), null],
  ['another digest', approve('alice', { digest: 'e' }), 'digest_mismatch'],
  ['who started it', approve('starter', { roles: ['lead'] }), 'self'],
  ['who has voted', approve('vera', { roles: ['lead'] }), 'decided'],
  ['who has delegated', approve('bob', { roles: ['lead'] }), 'delegated'],
  ['a stranger', approve('mallory'), 'not_approver'],
  ['a name that looks like a role', approve('role:lead'), 'not_approver'],
  ['a delegate of the right role', approve('dora', { roles: ['soc'] }), null],
  ['a delegate of another role', approve('dora', { roles: ['x'] }), 'not_approver'],
  ['delegating', approve('alice', { verdict: 'delegate', to: 'carl' }), null],
  ['delegating to nobody', approve('alice', { verdict: 'delegate' }), 'not_delegable'],
  ['delegating to oneself', approve('alice', { verdict: 'delegate', to: 'alice' }), 'not_delegable'],
  ['delegating to who started it', approve('alice', { verdict: 'delegate', to: 'starter' }), 'self'],
  [
    'a delegate delegates',
    approve('dora', { roles: ['soc'], verdict: 'delegate', to: 'carl' }),
    'not_delegable',
  ],
])('%s', (_title, decision, code) => {
  expect(gateRefusal(gate, decision)?.code ?? null).toBe(code);
});

test('a gate without delegation takes none', () => {
  const decision = approve('alice', { verdict: 'delegate', to: 'carl' });
  expect(gateRefusal({ ...gate, delegateTo: null }, decision)?.code).toBe('not_delegable');
});

test('the id of a gate is the beginning of the SHA-256 of its token', () => {
  const token = 'k.1/gate#0.2';
  expect(approvalId(token)).toBe(createHash('sha256').update(token).digest('hex').slice(0, 32));
});
