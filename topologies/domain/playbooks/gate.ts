// Who may decide at an approval gate: one answer for the state machine, which has the last word, and for the API, which tells people
// at once.
import { createHash } from 'node:crypto';

/** An open gate as far as it matters who decides. Names are `role:<role>` and `user:<name>`, people are plain names. */
export interface Gate {
  /** Those of the playbook and those that an escalation added. */
  readonly approvers: readonly string[];
  /** Who cannot decide because they started the run or wrote the revision. */
  readonly excluded: readonly string[];
  /** Who may stand in for an approver; null: nobody. */
  readonly delegateTo: readonly string[] | null;
  /** Who decides instead of whom, by the one who delegated. */
  readonly delegates: Readonly<Record<string, string>>;
  readonly votes: readonly { readonly actor: string }[];
  readonly digest: string;
}

export interface Decision {
  readonly actor: string;
  readonly roles: readonly string[];
  readonly verdict: 'approve' | 'reject' | 'delegate';
  /** What was shown; undefined is not compared. */
  readonly digest?: string | undefined;
  readonly to?: string | undefined;
}

export interface GateRefusal {
  readonly code: 'digest_mismatch' | 'self' | 'decided' | 'delegated' | 'not_approver' | 'not_delegable';
  readonly reason: string;
}

/** Why a decision does not count; null: it does. */
export function gateRefusal(gate: Gate, decision: Decision): GateRefusal | null {
  const { actor, roles, verdict, digest, to } = decision;
  const refuse = (code: GateRefusal['code'], reason: string): GateRefusal => ({ code, reason });
  const isSelf = (name: string): boolean =>
    gate.excluded.includes(name) || gate.excluded.includes(`user:${name}`);
  const self = refuse('self', 'whoever started the run or wrote the playbook cannot decide');
  if (digest !== undefined && digest !== gate.digest)
    return refuse('digest_mismatch', 'what was shown is not what the gate is for');
  if (isSelf(actor)) return self;
  if (gate.votes.some((vote) => vote.actor === actor)) return refuse('decided', 'has decided already');
  if (Object.hasOwn(gate.delegates, actor)) return refuse('delegated', 'has delegated');
  const names = new Set([`user:${actor}`, ...roles.map((role) => `role:${role}`)]);
  const named = gate.approvers.some((one) => names.has(one));
  const delegate = Object.values(gate.delegates).includes(actor);
  if (!named && !delegate) return refuse('not_approver', 'is no approver');
  if (delegate && !named && gate.delegateTo !== null && !gate.delegateTo.some((one) => names.has(one)))
    return refuse('not_approver', 'cannot stand in for an approver');
  if (verdict !== 'delegate') return null;
  if (gate.delegateTo === null) return refuse('not_delegable', 'this gate cannot be delegated');
  if (!named) return refuse('not_delegable', 'a delegate cannot delegate');
  if (to === undefined || to === actor) return refuse('not_delegable', 'names nobody to delegate to');
  return isSelf(to) ? self : null;
}

/** The name of a gate where its token cannot stand, in paths of URLs: 128 bits of SHA-256 as 32 hex characters. */
export function approvalId(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 32);
}
