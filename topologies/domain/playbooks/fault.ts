// Runs that the engine cannot carry on: a step that threw, a revision that is not known.
//
// Invariant: the run waits for an operator and forgets nothing: `retry` applies what it missed, `cancel` ends it in any case.
import type { PlaybookVersion, RunInput, StartInput } from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment } from '../../run/fold/fold.ts';
import { runLimits } from './limits.ts';
import { pathOf } from './machine/draft.ts';
import { isOver, type RunChange, type RunState } from './machine/state.ts';
import type { Program, ProgramStep } from './program.ts';
import { type RunStep, stepOf } from './run-step.ts';

/** What operators do is told to them, and they can do it again. */
const kept: ReadonlySet<RunInput['kind']> = new Set(['result', 'timer', 'event', 'decision', 'child-done']);

/**
 * Instead of a step that threw: nothing of the run changes but that an operator has to look at it. The input waits for `retry`; it is
 * among the dead letters as well, for those that are too many. Never throws.
 */
export function faultRun(
  state: RunState | null,
  input: RunInput,
  moment: FoldMoment,
  error: string,
  runsTopic: string,
): RunStep {
  const fault = { input: input.kind, error: error.slice(0, 1024), at: moment.now };
  const change: RunChange = { what: 'note', text: 'the engine failed on this input', ...fault };
  if (input.kind === 'start')
    return stepOf(state, moment, refusal(input, moment, error, runsTopic), [change]);
  if (state === null || isOver(state.status)) return stepOf(state, moment, [], [change]);
  const missed = kept.has(input.kind) ? [...(state.missed ?? []), input] : (state.missed ?? []);
  const fits =
    missed.length <= runLimits.missed && Buffer.byteLength(JSON.stringify(missed)) <= runLimits.missedBytes;
  const next: RunState = {
    ...state,
    status: state.status === 'compensating' ? 'compensating' : 'incident',
    fault,
    ...(fits && missed.length > 0 ? { missed } : {}),
  };
  const changes = fits
    ? [change]
    : [change, { what: 'note' as const, text: 'too many of them: this one is among the dead letters only' }];
  return stepOf(next, moment, [], changes);
}

/** The run above a run that could not be started must not wait for it. */
function refusal(
  { parent }: StartInput,
  { key }: FoldMoment,
  error: string,
  runsTopic: string,
): FoldEffect[] {
  if (parent === undefined) return [];
  const answer = {
    kind: 'child-done',
    token: parent.token,
    child: key,
    status: 'failed',
    reason: error.slice(0, 1024),
  };
  return [{ kind: 'produce', record: { topic: runsTopic, key: parent.key, value: JSON.stringify(answer) } }];
}

/** Stands in for a revision that is not known, so that a run of it can at least be cancelled. */
export function unknownProgram({ playbook, revision, nodes }: RunState): Program {
  const document: PlaybookVersion['document'] = {
    kind: 'playbook',
    id: playbook,
    steps: [{ id: 'unknown' }],
  };
  const steps = Object.keys(nodes).map((place): [string, ProgramStep] => {
    const path = pathOf(place);
    const id = path.slice(path.lastIndexOf('/') + 1);
    return [path, { path, id, kind: 'set', step: { id }, list: '', index: 0, pointer: '', order: 0 }];
  });
  return {
    version: { v: 1, revision, document, actions: {}, playbooks: {} },
    steps: new Map(steps),
    lists: new Map(),
    paths: new Map(),
    conditions: new Map(),
  };
}
