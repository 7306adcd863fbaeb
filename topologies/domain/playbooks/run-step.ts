// What a step of a run gives to whoever runs folds: the state, how long it is kept, and by when something else has to come.
import type { FoldEffect, FoldMoment, FoldStep } from '../../run/fold/fold.ts';
import { runLimits } from './limits.ts';
import { isOver, type RunChange, type RunState } from './machine/state.ts';

export type RunStep = FoldStep<RunState> & { readonly changes: readonly RunChange[] };

export function stepOf(
  state: RunState | null,
  { now }: FoldMoment,
  effects: readonly FoldEffect[],
  changes: readonly RunChange[],
): RunStep {
  if (state === null) return { state, effects, changes, keepUntil: null };
  if (isOver(state.status)) return { state, effects, changes, keepUntil: keptUntil(state) };
  const expectBy = expectedBy(state, now);
  const status = state.fault === undefined ? state.status : 'incident';
  const tally = `${state.playbook}/${state.paused === undefined ? status : 'paused'}`;
  return { state, effects, changes, keepUntil: null, expectBy, tally };
}

/** A run that is over may vanish a while after its key is free again. */
function keptUntil({ until = 0, ended_at = 0 }: RunState): number {
  return Math.max(until, ended_at) + runLimits.keep;
}

/**
 * Epoch ms by which an input comes by itself, if only that of a timer. null: an operator looks at the run. `now`: something is open
 * that nothing will end, which is a defect.
 */
export function expectedBy(state: RunState, now: number): number | null {
  const { nodes, lists, duration } = state;
  if (state.status === 'incident' || state.fault !== undefined || state.paused !== undefined) return null;
  const owners = new Set(Object.values(lists).map(({ o }) => o));
  const leaves = Object.entries(nodes).filter(([place]) => !owners.has(place));
  if (leaves.length === 0) return now;
  return leaves.reduce(
    (first, [, { due }]) => Math.min(first, ...(due === undefined ? [now] : Object.values(due))),
    duration ?? Infinity,
  );
}
