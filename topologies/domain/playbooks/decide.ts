// The state machine of playbook runs: one input changes the state of one run and calls for effects. Pure.
//
// Invariant: same state, input, moment and revision give the same state, effects and changes, byte for byte; every input leaves
// at least one change, and none of them throws over what came from outside.
import type { RunInput, StartInput } from '@tocsin/schemas/types.ts';
import type { FoldMoment } from '../../run/fold/fold.ts';
import type { CommandTypes } from '../action/define-action.ts';
import { sizeOf } from '../action/kept-output.ts';
import type { Json } from '../action/outcome.ts';
import { durationMs } from './duration.ts';
import { unknownProgram } from './fault.ts';
import { runLimits } from './limits.ts';
import { takeChildEnd, takeDecision, takeResult, takeTimer } from './machine/answers.ts';
import { copyState, emit, tell } from './machine/draft.ts';
import { durationToken, endRun } from './machine/ending.ts';
import { enterList, work } from './machine/flow.ts';
import { cancel, pause, resume, retry, skip } from './machine/operate.ts';
import { type Draft, isOver, type RunChange, type RunState } from './machine/state.ts';
import { takeEvent } from './machine/wait.ts';
import type { Definitions } from './program.ts';
import { type RunStep, stepOf } from './run-step.ts';

export interface Decide {
  readonly definitions: Definitions;
  /** Topic of the inputs of runs. */
  readonly runsTopic: string;
  /** Types that commands may have; all without it. */
  readonly commandTypes?: CommandTypes;
}

/** The step of the fold of runs. */
export function decideRun(
  state: RunState | null,
  input: RunInput,
  moment: FoldMoment,
  decide: Decide,
): RunStep {
  if (input.kind === 'start') return start(state, input, moment, decide);
  if (state === null) return stepOf(state, moment, [], [ignored(input, 'there is no such run')]);
  if (isOver(state.status)) return stepOf(state, moment, [], [ignored(input, `the run is ${state.status}`)]);
  const known = decide.definitions(state.playbook, state.revision);
  if (known === null && input.kind !== 'cancel')
    throw new Error(`revision ${state.revision} of ${state.playbook} is not known`);
  const program = known ?? unknownProgram(state);
  const draft: Draft = {
    state: copyState(state),
    program,
    moment,
    ...decide,
    effects: [],
    changes: [],
    agenda: [],
  };
  // Nothing can be undone that nobody can read.
  apply(draft, known === null && input.kind === 'cancel' ? { ...input, compensate: false } : input);
  return finished(draft);
}

function apply(draft: Draft, input: Exclude<RunInput, StartInput>): void {
  switch (input.kind) {
    case 'result':
      takeResult(draft, input);
      break;
    case 'timer':
      takeTimer(draft, input);
      break;
    case 'event':
      takeEvent(draft, input.correlation, input.event);
      break;
    case 'decision':
      takeDecision(draft, input);
      break;
    case 'child-done':
      takeChildEnd(draft, input);
      break;
    case 'cancel':
      cancel(draft, input);
      break;
    case 'pause':
      pause(draft, input);
      break;
    case 'resume':
      resume(draft, input);
      break;
    case 'retry':
      retry(draft, input);
      applyMissed(draft);
      break;
    case 'skip':
      skip(draft, input);
      break;
    default:
      input satisfies never;
  }
  work(draft);
}

/** What the engine failed on, once an operator took the fault away. */
function applyMissed(draft: Draft): void {
  const { missed = [] } = draft.state;
  if (draft.state.fault !== undefined) return;
  delete draft.state.missed;
  for (const input of missed)
    if (input.kind === 'start' || isOver(draft.state.status))
      tell(draft, { what: 'ignored', input: input.kind, reason: `the run is ${draft.state.status}` });
    else apply(draft, input);
}

function start(state: RunState | null, input: StartInput, moment: FoldMoment, decide: Decide): RunStep {
  const { by } = input;
  if (state !== null && isOver(state.status) && moment.now < (state.until ?? 0))
    return stepOf(state, moment, [], [ignored(input, 'a run with this key has ended a short time ago')]);
  const program = decide.definitions(input.playbook, input.revision);
  if (program === null) throw new Error(`revision ${input.revision} of ${input.playbook} is not known`);
  const before: Draft['effects'][number][] = [];
  const changes: RunChange[] = [];
  if (state !== null && !isOver(state.status)) {
    // Written twice, because whoever wrote it could not know whether the first time arrived.
    if (state.source?.id === input.source.id)
      return stepOf(state, moment, [], [ignored(input, 'this start has been applied already')]);
    const policy = program.version.document.trigger?.dedupe?.onDuplicate ?? 'ignore';
    if (policy === 'attach') {
      const attached = (state.attached ?? 0) + 1;
      const change: RunChange = {
        what: 'note',
        text: 'one more start while it runs',
        attached,
        source: input.source.id,
      };
      return stepOf({ ...state, attached }, moment, [], [change]);
    }
    if (policy !== 'restart')
      return stepOf(state, moment, [], [ignored(input, 'a run with this key is live')]);
    const ended = decideRun(
      state,
      { kind: 'cancel', by, reason: 'a newer start replaces it' },
      moment,
      decide,
    );
    before.push(...ended.effects);
    changes.push(...ended.changes);
  }
  const vars = (program.version.document.vars ?? {}) as Record<string, Json>;
  const params = input.params ?? {};
  const draft: Draft = {
    state: {
      v: 1,
      run: state === null ? firstNumber(moment) : state.run + 1,
      playbook: input.playbook,
      revision: input.revision,
      status: 'running',
      by,
      started_at: moment.now,
      ...(input.tenant === undefined ? {} : { tenant: input.tenant }),
      hops: (input.hops ?? 0) + 1,
      depth: (input.parent?.depth ?? 0) + 1,
      ...(input.dry_run === undefined ? {} : { dry_run: input.dry_run }),
      ...(input.parent === undefined ? {} : { parent: { key: input.parent.key, token: input.parent.token } }),
      source: input.source,
      event: input.event,
      params,
      vars,
      steps: {},
      nodes: {},
      lists: {},
      inbox: [],
      undo: [],
      approved: {},
      gotos: {},
      transitions: 0,
      bytes: sizeOf(input.event) + sizeOf(params) + sizeOf(vars),
    },
    program,
    moment,
    ...decide,
    effects: before,
    changes,
    agenda: [],
  };
  begin(draft, by);
  return finished(draft);
}

/**
 * Seconds, because nobody remembers the runs of a key whose state has gone: a number that came again would give ids of commands that
 * receivers know already.
 */
function firstNumber({ now }: FoldMoment): number {
  return Math.floor(now / 1000);
}

function begin(draft: Draft, by: string): void {
  const { state, moment, program } = draft;
  tell(draft, {
    what: 'run',
    status: 'running',
    by,
    playbook: state.playbook,
    revision: state.revision,
    number: state.run,
    ...(state.dry_run === undefined ? {} : { dry_run: state.dry_run }),
  });
  emit(draft, 'playbook.started', 'started', { by });
  if (state.bytes > runLimits.contextBytes) {
    endRun(
      draft,
      'failed',
      `context_limit: the event and parameters have more than ${runLimits.contextBytes} bytes`,
    );
    return;
  }
  const { duration } = program.version.document.limits ?? {};
  if (duration !== undefined) {
    state.duration = moment.now + durationMs(duration);
    draft.effects.push({ kind: 'timer', token: durationToken(draft), due: state.duration });
  }
  enterList(draft, '', '0', null);
  work(draft);
}

function finished(draft: Draft): RunStep {
  const { state, moment, effects, changes } = draft;
  if (!isOver(state.status) && state.status !== 'compensating')
    state.status =
      state.fault !== undefined || Object.values(state.nodes).some(({ s }) => s === 'incident')
        ? 'incident'
        : 'running';
  return stepOf(state, moment, effects, changes);
}

function ignored(input: RunInput, reason: string): RunChange {
  const token = 'token' in input ? { token: input.token } : {};
  const by = 'by' in input ? { by: input.by } : {};
  const vote =
    input.kind === 'decision'
      ? { actor: input.actor, verdict: input.verdict, decision_id: input.decision_id }
      : {};
  // How a command ended that the run did not wait for any more.
  const end =
    input.kind === 'result'
      ? {
          command_id: input.command_id,
          status: input.status,
          ...(input.code === undefined ? {} : { code: input.code }),
        }
      : {};
  return { what: 'ignored', input: input.kind, reason, ...token, ...by, ...vote, ...end };
}
