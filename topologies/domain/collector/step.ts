// One step of the collector: a chunk or a timer, and what follows.
//
// Invariant: every chunk is part of a command, of a dead letter, or of a run that has its end already; the outcome says which.
// Surprise: the timer of a run is set once, and again only when it fires and chunks came meanwhile: a timer for each chunk would
// write two more records each.
import type { CollectionChunk, CollectionInput, CollectionTimer } from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment, FoldStep } from '../../run/fold/fold.ts';
import { actionEventRecord } from '../action/results.ts';
import { commandRecord } from '../evaluate/command.ts';
import { addChunk, judgeChunk, missingChunks } from './add-chunk.ts';
import { type Finished, finish, knownCommandId } from './finish.ts';
import { letterEffect } from './letters.ts';
import {
  type Collecting,
  type CollectionOutcome,
  type CollectionState,
  chunkTimeoutMs,
  endedMs,
  seenOf,
} from './state.ts';

export interface CollectorSettings {
  /** Name of the input topic, for dead letters. */
  readonly topic: string;
  readonly maxCommandBytes: number;
}

/** `outcome` says what became of the input; it goes into the changelog. */
export interface CollectorStep extends FoldStep<CollectionState> {
  readonly changes: { readonly outcome: CollectionOutcome };
}

export function collect(
  held: CollectionState | null,
  input: CollectionInput,
  moment: FoldMoment,
  settings: CollectorSettings,
): CollectorStep {
  // The store may keep a state longer than `until`; when it goes must not matter.
  const state = held?.status === 'ended' && moment.now >= held.until ? null : held;
  if (input.kind === 'timer') return onTimer(state, input, moment, settings);
  if (state?.status === 'ended') return stay(state, 'after_end');
  return onChunk(state, input, moment, settings);
}

function onChunk(
  state: Collecting | null,
  input: CollectionChunk,
  moment: FoldMoment,
  settings: CollectorSettings,
): CollectorStep {
  const judged = judgeChunk(state, input);
  if (judged.verdict === 'repeated') return stay(state, 'repeated');
  if (judged.verdict === 'contradicting') {
    const { topic, partition, offset } = input.template.source;
    const detail = `${judged.detail} (${topic}/${partition}/${offset})`;
    const letter = { reason: 'contradicting_chunk' as const, detail, template: input.template, value: input };
    return stay(state, 'contradicting', [letterEffect(letter, moment, settings.topic)]);
  }
  const run = addChunk(state, input, moment.now);
  const finished = finish(run, settings.maxCommandBytes);
  if (finished !== null) return end(state, run, finished, moment, settings);
  const timer = state?.timer ?? timerAt(moment, moment.now + chunkTimeoutMs);
  const templateBytes = Buffer.byteLength(JSON.stringify(run.template));
  const isTooLarge = run.bytes + templateBytes > settings.maxCommandBytes;
  return {
    state: { ...run, held: isTooLarge ? null : run.held, timer },
    effects: state === null ? [{ kind: 'timer', ...timer }] : [],
    changes: { outcome: 'collected' },
  };
}

function onTimer(
  state: CollectionState | null,
  { token, due }: CollectionTimer,
  moment: FoldMoment,
  { topic }: CollectorSettings,
): CollectorStep {
  if (state?.status !== 'collecting' || token !== state.timer.token || due !== state.timer.due)
    return stay(state, 'stale_timer');
  const giveUpAt = state.lastAt + chunkTimeoutMs;
  if (giveUpAt > due) {
    const timer = timerAt(moment, giveUpAt);
    return {
      state: { ...state, timer },
      effects: [{ kind: 'timer', ...timer }],
      changes: { outcome: 'waiting' },
    };
  }
  const missing = missingChunks(state);
  const minutes = chunkTimeoutMs / 60_000;
  const letter = {
    reason: 'incomplete_run' as const,
    detail: `of ${state.chunks} chunks these did not come within ${minutes} minutes after the last one: ${missing}`,
    template: state.template,
    value: { ...state, missing },
    commandId: knownCommandId(state),
  };
  // Nothing stays, so that the run can be sent again as a whole.
  return { state: null, effects: [letterEffect(letter, moment, topic)], changes: { outcome: 'incomplete' } };
}

function end(
  state: Collecting | null,
  run: Omit<Collecting, 'timer'>,
  finished: Finished,
  moment: FoldMoment,
  settings: CollectorSettings,
): CollectorStep {
  const until = moment.now + endedMs;
  const cancel: FoldEffect[] = state === null ? [] : [{ kind: 'cancel-timer', token: state.timer.token }];
  return {
    state: { status: 'ended', end: finished.end, until },
    keepUntil: until,
    effects: [...effectsOf(run, finished, moment, settings), ...cancel],
    changes: { outcome: finished.end },
  };
}

function effectsOf(
  run: Omit<Collecting, 'timer'>,
  finished: Finished,
  moment: FoldMoment,
  { topic, maxCommandBytes }: CollectorSettings,
): FoldEffect[] {
  if (finished.end === 'nothing') return [];
  if (finished.end === 'triggered') {
    const { command } = finished;
    const facts = {
      chunks: run.chunks,
      ...(run.revisions.length > 1 ? { rule_revisions: run.revisions } : {}),
    };
    return [
      { kind: 'produce', record: commandRecord(command, String(run.template.search['job_id'])) },
      { kind: 'produce', record: actionEventRecord(command, 'action.triggered', moment.now, facts) },
    ];
  }
  const rows = run.seen.map(seenOf).reduce((sum, { count }) => sum + count, 0);
  const letter = {
    reason: 'command_too_large' as const,
    detail: `${run.matching} of ${rows} rows in ${run.chunks} chunks match and have ${finished.bytes} bytes; a command has at most ${maxCommandBytes}`,
    template: run.template,
    value: { ...run, held: null },
    commandId: knownCommandId(run),
  };
  return [letterEffect(letter, moment, topic)];
}

/** The state as it is, for as long as it was to be kept. */
function stay(
  state: CollectionState | null,
  outcome: CollectionOutcome,
  effects: readonly FoldEffect[] = [],
): CollectorStep {
  return {
    state,
    ...(state?.status === 'ended' ? { keepUntil: state.until } : {}),
    effects,
    changes: { outcome },
  };
}

// The offset makes it a token that no other wait has, also of a later run under the same key.
function timerAt({ key, offset }: FoldMoment, due: number): Collecting['timer'] {
  return { token: `${key}.${offset}`, due };
}
