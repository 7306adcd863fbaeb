// What operators do to a run: cancel, pause, resume, retry a step, skip one. Each is told with who did it.

import type { CancelInput, PauseInput, ResumeInput, RetryInput, SkipInput } from '@tocsin/schemas/types.ts';
import type { Json } from '../../action/outcome.ts';
import { playbookLimits } from '../limits.ts';
import { giveUpCommand } from './command.ts';
import { nextEpoch, setTimer, stepAt, tell } from './draft.ts';
import { endRun, nextUndo } from './ending.ts';
import { begin, execute, setDeadline } from './execute.ts';
import { close } from './flow.ts';
import type { Draft, Node } from './state.ts';
import { listenOn } from './wait.ts';

function ignore(draft: Draft, verb: string, by: string, reason: string): void {
  tell(draft, { what: 'ignored', input: verb, by, reason });
}

export function cancel(draft: Draft, { by, reason, compensate }: CancelInput): void {
  const { state } = draft;
  tell(draft, { what: 'operator', status: 'cancel', by, ...(reason === undefined ? {} : { reason }) });
  // Whoever cancels a run that compensates already wants that to stop.
  if (state.status === 'compensating') state.undo = [];
  delete state.paused;
  endRun(draft, 'cancelled', reason ?? `cancelled by ${by}`, compensate === true);
}

export function pause(draft: Draft, { by, reason, extend }: PauseInput): void {
  const { state, moment } = draft;
  if (state.paused !== undefined) {
    ignore(draft, 'pause', by, 'is paused already');
    return;
  }
  state.paused = { at: moment.now, by, ...(extend === true ? { extend } : {}) };
  // Their deadlines stand still, and nobody knows for how long.
  if (extend === true) listenOn(draft, moment.now + playbookLimits.maxDuration);
  tell(draft, { what: 'operator', status: 'pause', by, ...(reason === undefined ? {} : { reason }) });
}

export function resume(draft: Draft, { by }: ResumeInput): void {
  const { state, moment } = draft;
  const { paused } = state;
  if (paused === undefined) {
    ignore(draft, 'resume', by, 'is not paused');
    return;
  }
  delete state.paused;
  tell(draft, { what: 'operator', status: 'resume', by });
  if (paused.extend === true) {
    for (const [place, node] of Object.entries(state.nodes)) {
      const due = node.due?.['deadline'];
      if (due !== undefined) setTimer(draft, place, node, 'deadline', due + moment.now - paused.at);
    }
    listenOn(draft);
  }
  for (const [key, cursor] of Object.entries(state.lists))
    if (cursor.held === true) {
      delete cursor.held;
      draft.agenda.push(key);
    }
  for (const [place, node] of Object.entries(state.nodes)) {
    if (node.s !== 'held' || state.nodes[place] !== node) continue;
    if (node.then === 'begin') begin(draft, place, node);
    else execute(draft, place, node);
  }
  if (state.status === 'compensating') nextUndo(draft);
}

function named(draft: Draft, step: string | undefined): [place: string, node: Node][] {
  return Object.entries(draft.state.nodes).filter(
    ([place]) => step === undefined || place === step || stepAt(draft, place).id === step,
  );
}

/** Steps that wait for an operator start again, under the same command ids. */
export function retry(draft: Draft, { step, by }: RetryInput): void {
  const incidents = named(draft, step).filter(([, node]) => node.s === 'incident');
  if (draft.state.fault !== undefined) {
    tell(draft, { what: 'operator', status: 'retry', by, fault: draft.state.fault.error });
    delete draft.state.fault;
    if (incidents.length === 0) return;
  }
  if (incidents.length === 0) {
    ignore(draft, 'retry', by, 'no such step waits for an operator');
    return;
  }
  for (const [place, node] of incidents) {
    tell(draft, { what: 'operator', status: 'retry', by, place, step: stepAt(draft, place).id });
    nextEpoch(draft, place, node);
    delete node.code;
    delete node.detail;
    delete node.try;
    setDeadline(draft, place, node);
    if (draft.state.paused === undefined) execute(draft, place, node);
    else Object.assign(node, { s: 'held', then: 'execute' });
  }
}

/** A step that has begun ends as skipped, with these outputs. */
export function skip(draft: Draft, { step, output, by }: SkipInput): void {
  const [first] = named(draft, step);
  if (first === undefined) {
    ignore(draft, 'skip', by, `no step ${step} has begun and not ended`);
    return;
  }
  const [place, node] = first;
  giveUpCommand(draft, place, node, `skipped by ${by}`);
  tell(draft, { what: 'operator', status: 'skip', by, place, step: stepAt(draft, place).id });
  close(draft, place, 'skipped', output === undefined ? {} : { outputs: output as Json });
}
