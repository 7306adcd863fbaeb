// Answers that come back to open steps: results, timers, ends of child runs, decisions.
//
// Invariant: an answer counts only for the wait that it names; everything else is told and changes nothing. Surprise: a result that
// says succeeded counts for any try of a step that is open, because the effect has happened.

import type { ChildDoneInput, DecisionInput, ResultInput, TimerInput } from '@tocsin/schemas/types.ts';
import type { Json } from '../../action/outcome.ts';
import { runLimits } from '../limits.ts';
import { parseToken } from '../tokens.ts';
import { approvalTimer, decideApproval } from './approval.ts';
import { giveUpCommand } from './command.ts';
import { stepAt, tell } from './draft.ts';
import { durationToken, endRun } from './ending.ts';
import { begin, execute } from './execute.ts';
import { fail } from './flow.ts';
import type { Draft, Node } from './state.ts';
import { finishWithResult } from './wait.ts';

interface Open {
  readonly place: string;
  readonly node: Node;
  /** Whether the token names what the node waits for now. */
  readonly current: boolean;
}

function openAt(draft: Draft, text: string): Open | null {
  const token = parseToken(text);
  if (token === null || token.key !== draft.moment.key || token.run !== draft.state.run) return null;
  const node = Object.hasOwn(draft.state.nodes, token.place) ? draft.state.nodes[token.place] : undefined;
  return node === undefined ? null : { place: token.place, node, current: node.e === token.epoch };
}

function stale(
  draft: Draft,
  input: string,
  facts: Record<string, unknown>,
  reason = 'nothing waits for it',
): void {
  tell(draft, { what: 'ignored', input, reason, ...facts });
}

export function takeResult(draft: Draft, input: ResultInput): void {
  const { command_id, status, token, attempt } = input;
  const well = status === 'succeeded' || status === 'suppressed';
  const named = token === undefined ? null : openAt(draft, token);
  const byCommand = Object.entries(draft.state.nodes).find(([, node]) => node.command === command_id);
  const [place, node] = byCommand ?? [];
  const open =
    node !== undefined &&
    (node.s === 'running' || node.s === 'retrying' || node.s === 'incident' || node.s === 'held');
  if (
    place === undefined ||
    !open ||
    (!well && (named?.node !== node || !named?.current || node.s !== 'running'))
  ) {
    const { code } = input;
    stale(draft, 'result', {
      command_id,
      status,
      ...(attempt === undefined ? {} : { attempt }),
      ...(code === undefined ? {} : { code }),
    });
    return;
  }
  if (!well) {
    fail(draft, place, input.code ?? (status === 'held' ? 'uncertain' : 'failed'), input.detail ?? '');
    return;
  }
  const { output, ref, code } = input;
  const known = {
    ...(ref === undefined ? {} : { ref }),
    ...(isObject(output) ? output : output === undefined ? {} : { output }),
  };
  const result = {
    status: 'succeeded',
    ...(ref === undefined ? {} : { ref }),
    output: output ?? null,
    ...(code === undefined ? {} : { code }),
  };
  finishWithResult(draft, place, result, known as Json);
}

function isObject(value: unknown): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function takeTimer(draft: Draft, input: TimerInput): void {
  const { token } = input;
  const { state, moment } = draft;
  if (token === durationToken(draft) && state.duration !== undefined) {
    if (early(draft, input, state.duration)) return;
    endRun(draft, 'failed', 'duration: the run takes longer than it may');
    return;
  }
  const open = openAt(draft, token);
  const purpose = parseToken(token)?.purpose ?? '';
  const due = open?.node.due?.[purpose];
  if (open === null || !open.current || due === undefined) {
    stale(draft, 'timer', { token });
    return;
  }
  const { place, node } = open;
  if (early(draft, input, due)) return;
  // A deadline that ends in a pause which extends it is set again when the pause ends.
  if (purpose === 'deadline' && state.paused?.extend === true) return;
  delete node.due?.[purpose];
  const late = moment.now - due;
  tell(draft, {
    what: 'timer',
    place,
    step: stepAt(draft, place).id,
    purpose,
    ...(late > 60_000 ? { late_by: late } : {}),
  });
  if (purpose === 'delay') begin(draft, place, node);
  else if (purpose === 'retry') tryAgain(draft, place, node);
  else if (purpose === 'deadline') missDeadline(draft, place, node);
  else approvalTimer(draft, place, node, purpose);
}

/**
 * A timer that comes in long before it is due, because the clock that fired it is ahead of the log's, is set again: after the rest of
 * the wait, because that clock would fire it again at once.
 */
function early(draft: Draft, { token }: TimerInput, due: number): boolean {
  const rest = due - draft.moment.now;
  if (rest <= runLimits.clockTolerance) return false;
  draft.effects.push({ kind: 'timer', token, due, after: Math.min(rest, runLimits.clockRetry) });
  tell(draft, { what: 'ignored', input: 'timer', token, reason: 'too early, set again', due });
  return true;
}

function tryAgain(draft: Draft, place: string, node: Node): void {
  if (draft.state.paused === undefined) execute(draft, place, node);
  else Object.assign(node, { s: 'held', then: 'execute' });
}

function missDeadline(draft: Draft, place: string, node: Node): void {
  const { step, kind } = stepAt(draft, place);
  const expires = kind === 'approve' && step.approve?.onTimeout !== 'fail' && node.s === 'open';
  const stopped = giveUpCommand(draft, place, node, 'the deadline of the step has passed');
  fail(
    draft,
    place,
    stopped ?? (expires ? 'expired' : 'deadline'),
    `the deadline has passed${stopped === undefined ? '' : '; the command is being stopped'}`,
    expires ? 'expired' : 'failed',
  );
}

export function takeChildEnd(draft: Draft, { token, child, status, outputs, reason }: ChildDoneInput): void {
  const open = openAt(draft, token);
  if (open === null || open.node.child !== child || open.node.s !== 'running') {
    stale(draft, 'child-done', { child, status });
    return;
  }
  const { place, node } = open;
  delete node.child;
  if (status === 'completed')
    finishWithResult(draft, place, { status, output: outputs ?? {} }, (outputs ?? {}) as Json);
  else fail(draft, place, `child_${status}`, reason ?? '');
}

export function takeDecision(draft: Draft, input: DecisionInput): void {
  const open = openAt(draft, input.token);
  const { actor, verdict, decision_id } = input;
  if (open === null || !open.current || open.node.s !== 'open') {
    stale(draft, 'decision', { actor, verdict, decision_id }, 'the gate is closed');
    return;
  }
  decideApproval(draft, open.place, open.node, input);
}
