// How a run starts and ends: everything open is cancelled, compensations run, the last event is written, and the state shrinks.
//
// Invariant: after its end a run calls for nothing. Compensations run one at a time, the last step that was done first.

import type { Json } from '../../action/outcome.ts';
import { TemplateError } from '../../templates/parse.ts';
import { durationMs } from '../duration.ts';
import { runLimits } from '../limits.ts';
import { formatToken } from '../tokens.ts';
import { resolveValue } from '../values.ts';
import { contextOf } from './context.ts';
import { emit, iterationOf, pathOf, produceInput, stepAt, tell } from './draft.ts';
import { begin } from './execute.ts';
import { cancelStep, undoList } from './flow.ts';
import type { Draft, Node } from './state.ts';

/** Every step is done, or one of them says so. */
export function completeRun(draft: Draft, reason?: string): void {
  let outputs: Json | undefined;
  try {
    outputs = resolveValue(draft.program.version.document.outputs ?? {}, [contextOf(draft)]);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    tell(draft, { what: 'note', text: `outputs: ${error.message}` });
  }
  finish(draft, 'completed', reason, outputs);
}

/** Cancels all that is open and ends the run; `compensate` undoes first what was done. */
export function endRun(
  draft: Draft,
  status: 'failed' | 'cancelled',
  reason: string,
  compensate = status === 'failed',
): void {
  const { state } = draft;
  cancelAll(draft);
  if (!compensate || state.undo.length === 0) {
    finish(draft, status, reason);
    return;
  }
  if (state.duration !== undefined) {
    draft.effects.push({ kind: 'cancel-timer', token: durationToken(draft) });
    delete state.duration;
  }
  state.status = 'compensating';
  state.ending = status;
  state.reason = reason;
  tell(draft, { what: 'run', status: 'compensating', reason, steps: state.undo.length });
  nextUndo(draft);
}

function cancelAll(draft: Draft): void {
  const { state } = draft;
  for (const place of Object.keys(state.nodes)) {
    const node = state.nodes[place];
    if (node !== undefined) cancelStep(draft, place, node);
  }
  state.lists = {};
  draft.agenda.length = 0;
}

/** The next compensation, or the end. */
export function nextUndo(draft: Draft): void {
  const { state, moment } = draft;
  if (state.paused !== undefined || Object.keys(state.nodes).length > 0) return;
  const done = state.undo.pop();
  if (done === undefined) {
    finish(draft, state.ending ?? 'failed', state.reason);
    return;
  }
  const place = `${pathOf(done.place)}/compensate#${iterationOf(done.place)}`;
  const { place: of, ...loop } = done;
  const node: Node = { s: 'delayed', e: 1, l: undoList, at: moment.now, loop };
  state.nodes[place] = node;
  state.transitions += 1;
  tell(draft, { what: 'note', place, step: stepAt(draft, place).id, text: 'compensates', of });
  begin(draft, place, node);
}

function finish(
  draft: Draft,
  status: 'completed' | 'failed' | 'cancelled',
  reason: string | undefined,
  outputs?: Json,
): void {
  const { state, moment, program } = draft;
  cancelAll(draft);
  if (state.duration !== undefined) draft.effects.push({ kind: 'cancel-timer', token: durationToken(draft) });
  state.status = status;
  state.ended_at = moment.now;
  if (reason !== undefined) state.reason = reason;
  tell(draft, {
    what: 'run',
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(outputs === undefined ? {} : { outputs }),
  });
  emit(draft, status === 'completed' ? 'playbook.completed' : 'playbook.failed', 'ended', {
    status,
    ...(reason === undefined ? {} : { reason }),
    started_at: new Date(state.started_at).toISOString(),
    transitions: state.transitions,
  });
  if (state.parent !== undefined)
    produceInput(draft, state.parent.key, {
      kind: 'child-done',
      token: state.parent.token,
      child: moment.key,
      status,
      ...(outputs === undefined ? {} : { outputs }),
      ...(reason === undefined ? {} : { reason: reason.slice(0, 4096) }),
    });
  const window = program.version.document.trigger?.dedupe?.window;
  state.until = window === undefined ? moment.now + runLimits.keep : state.started_at + durationMs(window);
  shrink(draft);
}

/** A run that is over is its outcome and until when its key is taken. */
function shrink({ state }: Draft): void {
  state.vars = {};
  state.steps = {};
  state.inbox = [];
  delete state.heard;
  delete state.missed;
  state.undo = [];
  state.approved = {};
  state.gotos = {};
  state.bytes = 0;
  for (const name of ['event', 'params', 'source', 'ending', 'paused', 'duration'] as const)
    delete state[name];
}

/** Token of the timer that ends a run which takes too long. */
export function durationToken({ moment, state }: Draft): string {
  return formatToken({ key: moment.key, run: state.run, place: '#0', epoch: 1, purpose: 'duration' });
}
