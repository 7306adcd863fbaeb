// How a step starts: its delay, its condition, then what it is.
import { sizeOf } from '../../action/kept-output.ts';
import type { Json } from '../../action/outcome.ts';
import { readInstant } from '../../rules/instant.ts';
import { TemplateError } from '../../templates/parse.ts';
import { durationMs } from '../duration.ts';
import { playbookLimits, runLimits } from '../limits.ts';
import type { ProgramStep } from '../program.ts';
import { childKey } from '../tokens.ts';
import { resolveText, resolveValue } from '../values.ts';
import { openApproval } from './approval.ts';
import { prepare, sendCommand } from './command.ts';
import { askAt, viewsAt } from './context.ts';
import { nextEpoch, produceInput, setFact, setTimer, stepAt, tell, tokenOf } from './draft.ts';
import { completeRun, endRun } from './ending.ts';
import { close, fail, succeed } from './flow.ts';
import { nextRound, startForEach, startIf, startParallel, startSwitch } from './loops.ts';
import type { Cursor, Draft, Node } from './state.ts';
import { startWait } from './wait.ts';

/** The next step of a list: its place is made and its delay starts. */
export function arrive(draft: Draft, entry: ProgramStep, key: string, cursor: Cursor): void {
  const { state, moment, program } = draft;
  const place = `${entry.path}#${cursor.it}${cursor.r === 0 ? '' : `~${cursor.r}`}`;
  state.transitions += 1;
  const most = program.version.document.limits?.transitions ?? runLimits.transitions;
  if (state.transitions > most) {
    endRun(draft, 'failed', `transitions: the run has started ${most} steps`);
    return;
  }
  const node: Node = { s: 'delayed', e: 1, l: key, at: moment.now };
  state.nodes[place] = node;
  const due = dueOf(draft, entry, place, cursor);
  if (typeof due === 'string') fail(draft, place, 'delay', due);
  else if (due === null || due <= moment.now) begin(draft, place, node);
  else {
    setTimer(draft, place, node, 'delay', due);
    tell(draft, { what: 'step', place, step: entry.id, status: 'delayed', due });
  }
}

/** Epoch ms at which a step may start; null: now; a text: why that cannot be told. */
function dueOf(draft: Draft, { step }: ProgramStep, place: string, cursor: Cursor): number | string | null {
  const { delay } = step;
  if (delay === undefined) return null;
  if (typeof delay === 'string') return cursor.at + durationMs(delay);
  if ('until' in delay) {
    let until: Json | undefined;
    try {
      until = resolveValue(delay.until, viewsAt(draft, place));
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      return error.message;
    }
    const due = readInstant(until);
    if (due === undefined) return 'until is no point in time';
    return due <= draft.moment.now + playbookLimits.maxDuration ? due : 'until is more than 90 days ahead';
  }
  const { after = 'previous' } = delay;
  const wait = durationMs(delay.for);
  if (after === 'previous') return cursor.at + wait;
  if (after === 'start') return draft.state.started_at + wait;
  const fact = draft.state.steps[after.slice('step:'.length)];
  return fact === undefined || fact.status === 'running' ? `${after} has not ended` : fact.at + wait;
}

/** The delay is over: `when` decides whether the step starts. */
export function begin(draft: Draft, place: string, node: Node): void {
  nextEpoch(draft, place, node);
  const { step, pointer, id, kind } = stepAt(draft, place);
  if (draft.state.paused !== undefined) {
    Object.assign(node, { s: 'held', then: 'begin' });
    return;
  }
  node.at = draft.moment.now;
  if (step.when !== undefined) {
    const verdict = askAt(draft, place, `${pointer}/when`);
    // With if and while, onUnknown speaks of their own condition.
    const onUnknown = kind === 'if' || kind === 'while' ? 'skip' : (step.onUnknown ?? 'skip');
    if (verdict === null)
      tell(draft, {
        what: 'note',
        place,
        step: id,
        unknown: true,
        text: 'when: a field that decides is missing',
      });
    if (verdict === null && onUnknown === 'fail') {
      fail(draft, place, 'unknown_condition', 'a field that decides is missing');
      return;
    }
    if (!(verdict ?? onUnknown === 'run')) {
      close(draft, place, 'skipped', {});
      return;
    }
  }
  setDeadline(draft, place, node);
  execute(draft, place, node);
}

export function setDeadline(draft: Draft, place: string, node: Node): void {
  const { step, kind } = stepAt(draft, place);
  const waits = kind === 'action' || kind === 'approve' || kind === 'waitFor' || kind === 'playbook';
  const text = step.deadline ?? (waits ? draft.program.version.document.defaults?.deadline : undefined);
  const wait = text === undefined ? (waits ? runLimits.deadline : null) : durationMs(text);
  if (wait !== null) setTimer(draft, place, node, 'deadline', draft.moment.now + wait);
}

/** Does what the step is. Its deadline runs. */
export function execute(draft: Draft, place: string, node: Node): void {
  const entry = stepAt(draft, place);
  node.s = 'running';
  delete node.then;
  if (entry.kind !== 'set' && entry.kind !== 'end') {
    tell(draft, { what: 'step', place, step: entry.id, status: 'running' });
    setFact(draft, entry.id, { status: 'running', at: draft.moment.now, started_at: node.at });
  }
  try {
    start(draft, entry, place, node);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    fail(draft, place, 'template', error.message);
  }
}

function start(draft: Draft, entry: ProgramStep, place: string, node: Node): void {
  const { step, kind } = entry;
  switch (kind) {
    case 'action':
      startAction(draft, entry, place, node);
      return;
    case 'approve':
      openApproval(draft, place, node);
      return;
    case 'waitFor':
      startWait(draft, place, node);
      return;
    case 'if':
      startIf(draft, place);
      return;
    case 'switch':
      startSwitch(draft, place);
      return;
    case 'parallel':
      startParallel(draft, place, node);
      return;
    case 'forEach':
      startForEach(draft, place, node);
      return;
    case 'while':
      nextRound(draft, place, node);
      return;
    case 'playbook':
      startChild(draft, entry, place, node);
      return;
    case 'set':
      setVars(draft, entry, place);
      return;
    case 'end': {
      const { status = 'completed', reason } = step.end ?? {};
      const why = reason === undefined ? `step ${entry.id}` : resolveText(reason, viewsAt(draft, place));
      succeed(draft, place);
      if (status === 'completed') completeRun(draft, why);
      else endRun(draft, 'failed', why);
      return;
    }
    default:
      kind satisfies never;
  }
}

function startAction(draft: Draft, entry: ProgramStep, place: string, node: Node): void {
  const prepared = prepare(draft, entry, place);
  const approved = draft.state.approved[entry.id];
  if (prepared === null) fail(draft, place, 'action_disabled', 'the action is switched off');
  else if (draft.commandTypes !== undefined && draft.commandTypes.get(prepared.type) === undefined)
    fail(draft, place, 'unknown_action', `there is no action type ${prepared.type}`);
  else if (approved !== undefined && approved !== prepared.digest())
    fail(draft, place, 'digest_mismatch', 'what would be sent is not what was approved');
  else {
    sendCommand(draft, entry, place, node, prepared);
    setFact(draft, entry.id, {
      status: 'running',
      at: draft.moment.now,
      started_at: node.at,
      ...(node.command === undefined ? {} : { command_id: node.command }),
    });
  }
}

function startChild(draft: Draft, { id, step }: ProgramStep, place: string, node: Node): void {
  const { state, program } = draft;
  const playbook = step.playbook?.id ?? '';
  const revision = program.version.playbooks[playbook];
  if (state.depth >= runLimits.depth) {
    fail(draft, place, 'depth', `playbooks are in playbooks at most ${runLimits.depth} deep`);
    return;
  }
  if (revision === undefined) {
    fail(draft, place, 'unknown_playbook', `the revision names none of ${playbook}`);
    return;
  }
  const token = tokenOf(draft, place, node.e);
  const params = resolveValue(step.playbook?.params ?? {}, viewsAt(draft, place));
  node.child = childKey(token);
  produceInput(draft, node.child, {
    kind: 'start',
    playbook,
    revision,
    ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
    event: state.event,
    source: state.source,
    params,
    hops: state.hops,
    by: state.by,
    ...(state.dry_run === undefined ? {} : { dry_run: state.dry_run }),
    parent: { key: draft.moment.key, token, depth: state.depth },
  });
  tell(draft, { what: 'note', place, step: id, text: 'starts a run', child: node.child, playbook, revision });
}

function setVars(draft: Draft, { step }: ProgramStep, place: string): void {
  const { state } = draft;
  const values = (resolveValue(step.set ?? {}, viewsAt(draft, place)) ?? {}) as Record<string, Json>;
  const vars = { ...state.vars, ...values };
  const growth = sizeOf(vars) - sizeOf(state.vars);
  if (state.bytes + growth > runLimits.contextBytes) {
    fail(draft, place, 'context_limit', `the run keeps at most ${runLimits.contextBytes} bytes`);
    return;
  }
  state.vars = vars;
  state.bytes += growth;
  succeed(draft, place, { outputs: values });
}
