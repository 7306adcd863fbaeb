// Approval gates: who decides what, until when.
//
// Invariant: a gate passes only with its quorum of distinct people who may decide, each asked for the digest that the gate was
// opened with; silence rejects. After the gate is closed nothing changes. Surprise: whoever delegates has no vote any more.

import type { Approve, DecisionInput } from '@tocsin/schemas/types.ts';
import type { Json } from '../../action/outcome.ts';
import { digestOf } from '../../digest.ts';
import { durationMs } from '../duration.ts';
import { approvalId, type Gate, gateRefusal } from '../gate.ts';
import { runLimits } from '../limits.ts';
import type { ProgramStep } from '../program.ts';
import { resolveText } from '../values.ts';
import { prepare } from './command.ts';
import { viewsAt } from './context.ts';
import { emit, setTimer, shortened, shown, stepAt, tell, tokenOf } from './draft.ts';
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
    ...(message === undefined ? {} : { message }),
    sends: sends.map((send) => ({ ...send, params: shown(send['params'] as Json) })),
    digest: node.digest,
    by: approve.by.anyOf,
    quorum: { approve: approve.quorum?.approve ?? 1, reject: approve.quorum?.reject ?? 1 },
    ...(approve.delegate === undefined ? {} : { delegate_to: approve.delegate.to }),
    excluded: excludedFrom(draft, approve),
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
  const token = tokenOf(draft, place, node.e);
  emit(draft, event, `${place}.${name}`, {
    step: id,
    place,
    token,
    approval: approvalId(token),
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

/** The open gate as far as it matters who decides. */
function gateOf(draft: Draft, node: Node, approve: Approve): Gate {
  return {
    approvers: [...approve.by.anyOf, ...(node.added ?? [])],
    excluded: excludedFrom(draft, approve),
    delegateTo: approve.delegate?.to ?? null,
    delegates: node.delegates ?? {},
    votes: node.votes ?? [],
    digest: node.digest ?? '',
  };
}

function excludedFrom({ state, program }: Draft, approve: Approve): string[] {
  const author = program.version.published_by;
  return approve.notSelf === false
    ? []
    : [state.by, `user:${state.by}`, ...(author === undefined ? [] : [author])];
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
  const refused = gateRefusal(gateOf(draft, node, approve), input);
  if (refused !== null) {
    tell(draft, { ...facts, status: 'ignored', reason: refused.reason });
    return;
  }
  tell(draft, { ...facts, status: 'counted' });
  if (verdict === 'delegate') {
    node.delegates = { ...node.delegates, [actor]: to as string };
    return;
  }
  const words = comment === undefined ? {} : { comment: shortened(comment, runLimits.commentChars) };
  node.votes = [...(node.votes ?? []), { actor, verdict, at: draft.moment.now, ...words }];
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
