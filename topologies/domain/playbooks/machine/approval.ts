// Approval gates: who decides what, until when.
//
// Invariant: a gate passes only with its quorum of distinct people who may decide, each asked for the digest that the gate was
// opened with; silence rejects. After the gate is closed nothing changes. Surprise: whoever delegates has no vote any more.

import type { Approve, DecisionInput } from '@tocsin/schemas/types.ts';
import { durationMs } from '../duration.ts';
import type { ProgramStep } from '../program.ts';
import { digestOf } from '../tokens.ts';
import { resolveText } from '../values.ts';
import { prepare } from './command.ts';
import { viewsAt } from './context.ts';
import { emit, setTimer, stepAt, tell, tokenOf } from './draft.ts';
import { fail, succeed } from './flow.ts';
import type { Draft, Node } from './state.ts';

export function openApproval(draft: Draft, place: string, node: Node): void {
  const entry = stepAt(draft, place);
  const approve = entry.step.approve as Approve;
  const views = viewsAt(draft, place);
  const title = resolveText(approve.title, views);
  const message = approve.message === undefined ? undefined : resolveText(approve.message, views);
  const covered: Record<string, string> = {};
  const sends: Record<string, unknown>[] = [];
  for (const id of approve.covers ?? []) {
    const step = draft.program.steps.get(draft.program.paths.get(id) ?? '') as ProgramStep;
    const prepared = prepare(draft, step, place);
    if (prepared === null) continue;
    covered[id] = prepared.digest();
    sends.push({ step: id, type: prepared.type, params: prepared.params });
  }
  Object.assign(node, {
    s: 'open',
    votes: [],
    covered,
    digest: digestOf({ title, message: message ?? null, covered }),
  });
  const now = draft.moment.now;
  for (const [index, text] of approve.remind?.entries() ?? [])
    setTimer(draft, place, node, `remind${index}`, now + durationMs(text));
  if (approve.escalate !== undefined)
    setTimer(draft, place, node, 'escalate', now + durationMs(approve.escalate.after));
  tell(draft, {
    what: 'step',
    place,
    step: entry.id,
    status: 'open',
    title,
    digest: node.digest,
    by: approve.by.anyOf,
  });
  announce(draft, place, node, 'approval.requested', 'requested', {
    title,
    ...(message === undefined ? {} : { message }),
    sends,
  });
}

function announce(
  draft: Draft,
  place: string,
  node: Node,
  event: string,
  name: string,
  more: Record<string, unknown> = {},
): void {
  const { step, id } = stepAt(draft, place);
  const due = node.due?.['deadline'];
  emit(draft, event, `${place}.${name}`, {
    step: id,
    place,
    token: tokenOf(draft, place, node.e),
    approvers: [...(step.approve?.by.anyOf ?? []), ...(node.added ?? [])],
    digest: node.digest,
    ...(due === undefined ? {} : { until: new Date(due).toISOString() }),
    ...more,
  });
}

/** A reminder or the escalation is due. */
export function approvalTimer(draft: Draft, place: string, node: Node, purpose: string): void {
  const { step, id } = stepAt(draft, place);
  if (purpose === 'escalate') {
    node.added = [...(step.approve?.escalate?.add ?? [])];
    tell(draft, { what: 'timer', place, step: id, purpose, added: node.added });
    announce(draft, place, node, 'approval.escalated', 'escalated');
    return;
  }
  tell(draft, { what: 'timer', place, step: id, purpose });
  announce(draft, place, node, 'approval.reminder', purpose);
}

/** Why a decision does not count; null: it does. */
function refusal(draft: Draft, node: Node, approve: Approve, input: DecisionInput): string | null {
  const { actor, roles, verdict, digest, to } = input;
  const { state, program } = draft;
  if (digest !== undefined && digest !== node.digest) return 'what was shown is not what the gate is for';
  const self = [state.by, `user:${state.by}`, program.version.published_by];
  if (approve.notSelf !== false && (self.includes(actor) || self.includes(`user:${actor}`)))
    return 'whoever started the run or wrote the playbook cannot decide';
  if (node.votes?.some((vote) => vote.actor === actor)) return 'has decided already';
  if (Object.hasOwn(node.delegates ?? {}, actor)) return 'has delegated';
  const names = new Set([`user:${actor}`, ...roles.map((role) => `role:${role}`)]);
  const named = [...approve.by.anyOf, ...(node.added ?? [])].some((one) => names.has(one));
  const delegate = Object.values(node.delegates ?? {}).includes(actor);
  if (!named && !delegate) return 'is no approver';
  if (delegate && !named && approve.delegate !== undefined) {
    const allowed = approve.delegate.to.some((one) => names.has(one));
    if (!allowed) return 'cannot stand in for an approver';
  }
  if (verdict !== 'delegate') return null;
  if (approve.delegate === undefined) return 'this gate cannot be delegated';
  if (!named) return 'a delegate cannot delegate';
  if (to === undefined || to === actor) return 'names nobody to delegate to';
  if (approve.notSelf !== false && (self.includes(to) || self.includes(`user:${to}`)))
    return 'whoever started the run or wrote the playbook cannot decide';
  return null;
}

/** One decision of one person; `node` is the open gate that it names. */
export function decideApproval(draft: Draft, place: string, node: Node, input: DecisionInput): void {
  const { step, id } = stepAt(draft, place);
  const approve = step.approve as Approve;
  const { actor, verdict, decision_id, comment, at, via, to } = input;
  const facts = {
    what: 'vote' as const,
    place,
    step: id,
    actor,
    verdict,
    decision_id,
    ...(comment === undefined ? {} : { comment }),
    ...(at === undefined ? {} : { at }),
    ...(via === undefined ? {} : { via }),
    ...(to === undefined ? {} : { to }),
  };
  const refused = refusal(draft, node, approve, input);
  if (refused !== null) {
    tell(draft, { ...facts, status: 'ignored', reason: refused });
    return;
  }
  tell(draft, { ...facts, status: 'counted' });
  if (verdict === 'delegate') {
    node.delegates = { ...node.delegates, [actor]: to as string };
    return;
  }
  node.votes = [...(node.votes ?? []), { actor, verdict }];
  const count = node.votes.filter((vote) => vote.verdict === verdict).length;
  if (count < (approve.quorum?.[verdict] ?? 1)) return;
  if (verdict === 'reject') {
    fail(draft, place, 'rejected', `by ${actor}`, 'rejected');
    return;
  }
  Object.assign(draft.state.approved, node.covered);
  const approvers = node.votes.flatMap((vote) => (vote.verdict === 'approve' ? [vote.actor] : []));
  succeed(draft, place, { outputs: { approved: true, by: approvers, digest: node.digest ?? '' } });
}
