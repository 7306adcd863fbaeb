// Brings events and the runs that wait for them together, under one key: whichever comes first is kept for the other. Pure.
//
// Invariant: a run gets an event at most once, and gets every event of a type that it waits for that came between a day before its
// wait and the end of the wait. Surprise: what no longer counts is left out when the next input comes, by the time of that input;
// the store forgets the rest.
import type {
  CorrelationDone,
  CorrelationEvent,
  CorrelationInput,
  CorrelationWait,
} from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment, FoldStep } from '../../../run/fold/fold.ts';
import { parseToken } from '../tokens.ts';
import {
  type CorrelatorChange,
  type CorrelatorState,
  correlatorLimits,
  type HeldWait,
  type KeptEvent,
} from './state.ts';

export type CorrelatorStep = FoldStep<CorrelatorState> & { readonly changes: readonly CorrelatorChange[] };

interface Draft {
  readonly now: number;
  readonly runsTopic: string;
  waits: HeldWait[];
  events: KeptEvent[];
  readonly effects: FoldEffect[];
  readonly changes: CorrelatorChange[];
}

/** The step of the fold of correlations; `runsTopic` is that of the inputs of runs. */
export function correlate(
  state: CorrelatorState | null,
  input: CorrelationInput,
  { now }: FoldMoment,
  runsTopic: string,
): CorrelatorStep {
  const draft = { now, runsTopic, ...living(state, now), effects: [], changes: [] as CorrelatorChange[] };
  const expired = (state?.waits.length ?? 0) - draft.waits.length;
  if (expired > 0) draft.changes.push({ what: 'expired', waits: expired });
  switch (input.kind) {
    case 'wait':
      takeWait(draft, input);
      break;
    case 'done':
      takeDone(draft, input);
      break;
    case 'event':
      takeEvent(draft, input);
      break;
    case 'timer':
      draft.changes.push({ what: 'ignored', input: 'timer', reason: 'nothing here waits for its time' });
      break;
    default:
      input satisfies never;
  }
  return finished(draft);
}

/** Instead of a step that threw: nothing changes. Must not throw. */
export function faultCorrelation(
  state: CorrelatorState | null,
  input: CorrelationInput,
  error: string,
): CorrelatorStep {
  const changes: CorrelatorChange[] = [{ what: 'note', text: 'a fault', input: input.kind, error }];
  return { state, keepUntil: state === null ? null : lastUntil(state), effects: [], changes };
}

function living(state: CorrelatorState | null, now: number): { waits: HeldWait[]; events: KeptEvent[] } {
  return {
    waits: (state?.waits ?? []).filter(({ until }) => until >= now),
    events: (state?.events ?? []).filter(({ until }) => until > now),
  };
}

function finished(draft: Draft): CorrelatorStep {
  bound(draft);
  const { waits, events, effects, changes } = draft;
  const state = waits.length === 0 && events.length === 0 ? null : ({ v: 1, waits, events } as const);
  return { state, keepUntil: state === null ? null : lastUntil(state), effects, changes };
}

function lastUntil({ waits, events }: CorrelatorState): number {
  return [...waits, ...events].reduce((last, { until }) => Math.max(last, until), 0);
}

/** The run that a token belongs to, its number included: a run that starts again under the same key is another one. */
function runOf({ run, token }: { readonly run: string; readonly token: string }): string {
  return `${run}.${parseToken(token)?.run ?? 0}`;
}

/** The same step of the same run. */
function samePlace(one: HeldWait, other: CorrelationWait): boolean {
  if (one.token === other.token) return true;
  const [a, b] = [parseToken(one.token), parseToken(other.token)];
  return a !== null && b !== null && one.run === other.run && a.run === b.run && a.place === b.place;
}

function takeWait(draft: Draft, input: CorrelationWait): void {
  const { run, token, correlation, events, until } = input;
  const epoch = parseToken(token)?.epoch ?? 0;
  const held = draft.waits.find((wait) => samePlace(wait, input));
  if (held !== undefined && (parseToken(held.token)?.epoch ?? 0) > epoch) {
    draft.changes.push({ what: 'ignored', input: 'wait', token, reason: 'a later wait of the step is here' });
    return;
  }
  if (until < draft.now) {
    draft.changes.push({ what: 'ignored', input: 'wait', token, reason: 'its deadline has passed' });
    return;
  }
  draft.waits = draft.waits.filter((wait) => wait !== held);
  if (draft.waits.length >= correlatorLimits.waits) {
    draft.changes.push({ what: 'note', text: 'too many waits: this one gets no later event', token });
  } else {
    draft.waits.push({ run, token, correlation, events, until });
    draft.changes.push({ what: 'wait', token, until });
  }
  for (const kept of draft.events) give(draft, kept, [{ run, token, correlation, events, until }]);
}

function takeDone(draft: Draft, { run, token }: CorrelationDone): void {
  const left = draft.waits.filter((wait) => wait.token !== token || wait.run !== run);
  if (left.length === draft.waits.length)
    draft.changes.push({ what: 'ignored', input: 'done', token, reason: 'no such wait' });
  else draft.changes.push({ what: 'done', token });
  draft.waits = left;
}

function takeEvent(draft: Draft, { id, event }: CorrelationEvent): void {
  const before = draft.events.find((kept) => kept.id === id);
  if (before !== undefined) {
    draft.changes.push({ what: 'ignored', input: 'event', id, reason: 'has come before' });
    return;
  }
  const kept: KeptEvent = { id, event, until: draft.now + correlatorLimits.eventTtl, given: [] };
  draft.changes.push({ what: 'event', id, event: event.event });
  if (sizeOf([kept]) <= correlatorLimits.eventBytes) draft.events.push(kept);
  else draft.changes.push({ what: 'note', text: 'too large to be kept for waits to come', id });
  give(draft, kept, draft.waits);
}

/** The oldest events go first. */
function bound(draft: Draft): void {
  while (
    draft.events.length > correlatorLimits.events ||
    sizeOf(draft.events) > correlatorLimits.eventBytes
  ) {
    const [dropped, ...rest] = draft.events;
    draft.events = rest;
    draft.changes.push({
      what: 'note',
      text: 'too many events: the oldest is kept no longer',
      id: dropped?.id,
    });
  }
}

function sizeOf(events: readonly KeptEvent[]): number {
  return Buffer.byteLength(JSON.stringify(events));
}

/** Hands an event to each run among these waits that it fits and that has not had it. */
function give(draft: Draft, kept: KeptEvent, waits: readonly HeldWait[]): void {
  const given = new Set(kept.given);
  for (const wait of waits) {
    if (given.has(runOf(wait)) || !wait.events.includes(kept.event.event)) continue;
    given.add(runOf(wait));
    // The id goes along: the run knows by it what comes to it again.
    const input = { kind: 'event', correlation: wait.correlation, event: { id: kept.id, ...kept.event } };
    draft.effects.push({
      kind: 'produce',
      record: { topic: draft.runsTopic, key: wait.run, value: JSON.stringify(input) },
    });
    draft.changes.push({ what: 'given', id: kept.id, run: wait.run, token: wait.token });
  }
  if (given.size === kept.given.length) return;
  draft.events = draft.events.map((one) => (one === kept ? { ...kept, given: [...given] } : one));
}
