// How steps follow one another: lists go on, steps end, failures go to whoever answers for them.
//
// Invariant: a step ends once at each place; with its end every timer and child of it is gone. Lists go on through the agenda, so
// that a long playbook is no deep recursion.
import type { Goto, OnError } from '@tocsin/schemas/types.ts';
import { keptOutput, storedOutputBytes } from '../../action/kept-output.ts';
import type { Json } from '../../action/outcome.ts';
import { runLimits } from '../limits.ts';
import type { ProgramStep, StepList } from '../program.ts';
import { giveUpCommand } from './command.ts';
import { loopOf } from './context.ts';
import {
  cancelTimers,
  emit,
  iterationOf,
  nextEpoch,
  pathOf,
  produceInput,
  setFact,
  shortened,
  stepAt,
  stopListening,
  tell,
} from './draft.ts';
import { completeRun, endRun, nextUndo } from './ending.ts';
import { arrive } from './execute.ts';
import { roundDone } from './loops.ts';
import { planRetry } from './retry.ts';
import { type Cursor, type Draft, isOver, type Node, type StepStatus } from './state.ts';

/** Place of a compensation in `Node.l`. */
export const undoList = '!';

export interface End {
  readonly outputs?: Json | undefined;
  readonly code?: string;
  readonly detail?: string;
}

/** Starts a list of steps. */
export function enterList(
  draft: Draft,
  path: string,
  iteration: string,
  owner: string | null,
  n?: number,
): void {
  const key = `${path}#${iteration}`;
  const { now } = draft.moment;
  draft.state.lists[key] = {
    p: path,
    it: iteration,
    o: owner,
    i: 0,
    r: 0,
    at: now,
    ...(n === undefined ? {} : { n }),
  };
  draft.agenda.push(key);
}

/** Works the agenda off. */
export function work(draft: Draft): void {
  for (let key = draft.agenda.shift(); key !== undefined; key = draft.agenda.shift()) {
    const cursor = draft.state.lists[key];
    if (cursor === undefined || isOver(draft.state.status)) continue;
    const list = draft.program.lists.get(cursor.p) as StepList;
    const step = list.steps[cursor.i];
    if (draft.state.paused !== undefined) cursor.held = true;
    else if (step === undefined) listDone(draft, key, cursor);
    else arrive(draft, step, key, cursor);
  }
}

/** The part of the owner that a list is: then, branches/0, do, onError. */
function partOf(cursor: Cursor): string {
  return cursor.o === null ? '' : cursor.p.slice(pathOf(cursor.o).length + 1);
}

function listDone(draft: Draft, key: string, cursor: Cursor): void {
  delete draft.state.lists[key];
  if (cursor.o === null) {
    completeRun(draft);
    return;
  }
  const owner = draft.state.nodes[cursor.o] as Node;
  const part = partOf(cursor);
  if (part === 'onError' || part === 'onReject')
    close(draft, cursor.o, owner.ending ?? 'failed', {
      ...(owner.code === undefined ? {} : { code: owner.code }),
      ...(owner.detail === undefined ? {} : { detail: owner.detail }),
    });
  else roundDone(draft, cursor.o, owner, cursor, true);
}

/** A step ends well. */
export function succeed(draft: Draft, place: string, { outputs }: End = {}): void {
  const { step } = stepAt(draft, place);
  if (step.compensate !== undefined) draft.state.undo.push({ place, ...loopOf(draft, place) });
  close(draft, place, 'succeeded', outputs === undefined ? {} : { outputs });
}

/** A step ends badly: its policy decides what that means. */
export function fail(
  draft: Draft,
  place: string,
  code: string,
  detail: string,
  status: StepStatus = 'failed',
): void {
  const node = draft.state.nodes[place] as Node;
  const entry = stepAt(draft, place);
  if (node.l === undoList) {
    close(draft, place, status, { code, detail });
    return;
  }
  if (status === 'failed' && node.s !== 'handling' && planRetry(draft, place, node, code, detail)) return;
  const policy = node.s === 'handling' ? 'fail' : policyOf(draft, entry, status);
  cancelWithin(draft, place);
  if (policy === 'continue') close(draft, place, status, { code, detail });
  else if (policy === 'incident') holdForOperator(draft, place, node, code, detail);
  else if (policy === 'fail') failWith(draft, place, code, detail, status);
  else if ('run' in policy) {
    nextEpoch(draft, place, node);
    Object.assign(node, { s: 'handling', code, detail, ending: status });
    const part = status === 'failed' ? 'onError' : 'onReject';
    tell(draft, { what: 'branch', place, step: entry.id, took: part, code, detail });
    enterList(draft, `${entry.path}/${part}`, iterationOf(place), place);
  } else follow(draft, place, policy, status, { code, detail });
}

function policyOf(draft: Draft, { step, kind }: ProgramStep, status: StepStatus): OnError {
  if (status === 'expired' && typeof step.approve?.onTimeout === 'object') return step.approve.onTimeout;
  if (status === 'rejected' || status === 'expired') return step.onReject ?? 'fail';
  const { defaults } = draft.program.version.document;
  return step.onError ?? (kind === 'action' ? defaults?.onError : undefined) ?? 'fail';
}

function holdForOperator(draft: Draft, place: string, node: Node, code: string, detail: string): void {
  nextEpoch(draft, place, node);
  Object.assign(node, { s: 'incident', code, detail });
  tell(draft, { what: 'step', place, step: stepAt(draft, place).id, status: 'incident', code, detail });
}

/** The step fails, and with it what it is in. */
function failWith(draft: Draft, place: string, code: string, detail: string, status: StepStatus): void {
  const node = draft.state.nodes[place] as Node;
  const cursor = draft.state.lists[node.l] as Cursor;
  const { id } = stepAt(draft, place);
  conclude(draft, place, node, status, { code, detail });
  if (cursor.o === null) {
    endRun(draft, 'failed', `step ${id}: ${code}${detail === '' ? '' : `: ${detail}`}`);
    return;
  }
  delete draft.state.lists[node.l];
  const owner = draft.state.nodes[cursor.o] as Node;
  if (!roundDone(draft, cursor.o, owner, cursor, false))
    fail(draft, cursor.o, 'step_failed', `${id}: ${code}`);
}

/** The step ends with this status, and its list goes on. */
export function close(draft: Draft, place: string, status: StepStatus, end: End): void {
  const node = draft.state.nodes[place] as Node;
  cancelWithin(draft, place);
  conclude(draft, place, node, status, end);
  if (node.l === undoList) {
    nextUndo(draft);
    return;
  }
  const cursor = draft.state.lists[node.l] as Cursor;
  cursor.i += 1;
  cursor.at = draft.moment.now;
  draft.agenda.push(node.l);
}

/** Takes a step out of the state. The one place where a step ends. */
function conclude(
  draft: Draft,
  place: string,
  node: Node,
  status: StepStatus,
  { outputs, code, detail }: End,
): void {
  const { id, kind } = stepAt(draft, place);
  cancelTimers(draft, place, node);
  stopListening(draft, place, node);
  for (const item of node.items ?? []) draft.state.bytes -= JSON.stringify(item).length;
  delete draft.state.nodes[place];
  if (kind === 'approve')
    emit(draft, 'approval.closed', `${place}.closed`, {
      place,
      step: id,
      status,
      token: `${place}.${node.e}`,
    });
  const command = node.command === undefined ? {} : { command_id: node.command };
  const kept = setFact(draft, id, {
    status,
    at: draft.moment.now,
    started_at: node.at,
    ...(outputs === undefined ? {} : { outputs: keptOutput(outputs, runLimits.outputBytes) as Json }),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined || detail === '' ? {} : { detail: shortened(detail, runLimits.detailChars) }),
    ...command,
    ...(node.try === undefined || node.try < 2 ? {} : { tries: node.try }),
    ...(node.votes === undefined || node.votes.length === 0 ? {} : { votes: node.votes }),
  });
  tell(draft, {
    what: 'step',
    place,
    step: id,
    status,
    ...(outputs === undefined ? {} : { outputs: keptOutput(outputs, storedOutputBytes) as Json }),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...command,
    ...(kept
      ? {}
      : { dropped: `what it left behind, the run keeps at most ${runLimits.contextBytes} bytes` }),
  });
}

/** Ends everything that is open below a step, as cancelled. */
export function cancelWithin(draft: Draft, place: string): void {
  const { lists } = draft.state;
  for (const [key, cursor] of Object.entries(lists)) {
    if (cursor.o !== place) continue;
    delete lists[key];
    cancelList(draft, key);
  }
}

function cancelList(draft: Draft, key: string): void {
  for (const [place, node] of Object.entries(draft.state.nodes))
    if (node.l === key) cancelStep(draft, place, node);
}

export function cancelStep(draft: Draft, place: string, node: Node): void {
  cancelWithin(draft, place);
  const inFlight = node.command !== undefined && node.s === 'running';
  const code = giveUpCommand(draft, place, node, 'the step was cancelled');
  if (node.child !== undefined)
    produceInput(draft, node.child, {
      kind: 'cancel',
      by: `run:${draft.moment.key}`,
      reason: 'the run above it ended',
    });
  conclude(
    draft,
    place,
    node,
    'cancelled',
    code !== undefined
      ? { code, detail: 'the command is being stopped' }
      : inFlight
        ? { detail: 'the command may still be carried out' }
        : {},
  );
}

/** Goes to another step of the same list or of one around it. */
function follow(draft: Draft, place: string, { goto, max }: Goto, status: StepStatus, end: End): void {
  const { state, program } = draft;
  const target = program.steps.get(program.paths.get(goto) as string) as ProgramStep;
  const entry = stepAt(draft, place);
  let at = place;
  let node = state.nodes[at] as Node;
  let cursor = state.lists[node.l] as Cursor;
  while (cursor.p !== target.list) {
    at = cursor.o as string;
    node = state.nodes[at] as Node;
    cursor = state.lists[node.l] as Cursor;
  }
  const back = target.index <= cursor.i;
  if (back) {
    const counter = `${entry.pointer}>${goto}@${node.l}`;
    const times = state.gotos[counter] ?? 0;
    if (times >= (max ?? 0)) {
      failWith(draft, place, 'goto_limit', `went back to ${goto} ${times} times`, status);
      return;
    }
    state.gotos[counter] = times + 1;
  }
  const key = node.l;
  conclude(draft, place, state.nodes[place] as Node, status, end);
  if (at !== place) {
    cancelWithin(draft, at);
    conclude(draft, at, node, 'left', {});
  }
  tell(draft, { what: 'goto', place, step: entry.id, to: goto });
  cursor.i = target.index;
  if (back) cursor.r += 1;
  cursor.at = draft.moment.now;
  draft.agenda.push(key);
}
