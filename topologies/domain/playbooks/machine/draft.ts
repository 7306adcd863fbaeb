// Small moves on a draft: changes, timers, tokens, facts. Nothing here decides.

import type { EventEnvelope } from '@tocsin/schemas/types.ts';
import { topics } from '../../../topics.ts';
import { sizeOf } from '../../action/kept-output.ts';
import type { Json } from '../../action/outcome.ts';
import { digestOf } from '../../digest.ts';
import { runLimits } from '../limits.ts';
import type { ProgramStep } from '../program.ts';
import { formatToken } from '../tokens.ts';
import type { Draft, Node, RunChange, RunState, StepFact } from './state.ts';

/**
 * A copy of what steps change in place: the state's own maps and lists, nodes with their timers, and cursors. All else is shared,
 * because it is only ever replaced. The simulation freezes what it gives, so a step that changes more throws there.
 */
export function copyState(state: RunState): RunState {
  return {
    ...state,
    steps: { ...state.steps },
    nodes: copyEach(state.nodes, (node) => ({
      ...node,
      ...(node.due === undefined ? {} : { due: { ...node.due } }),
    })),
    lists: copyEach(state.lists, (cursor) => ({ ...cursor })),
    inbox: [...state.inbox],
    undo: [...state.undo],
    approved: { ...state.approved },
    gotos: { ...state.gotos },
  };
}

function copyEach<T>(members: Readonly<Record<string, T>>, copy: (member: T) => T): Record<string, T> {
  const copies = { ...members };
  for (const name of Object.keys(copies)) copies[name] = copy(copies[name] as T);
  return copies;
}

export function tell(draft: Draft, change: RunChange): void {
  draft.changes.push(change);
}

/** Path of the step at a place. */
export function pathOf(place: string): string {
  return place.slice(0, place.lastIndexOf('#'));
}

export function iterationOf(place: string): string {
  return place.slice(place.lastIndexOf('#') + 1);
}

export function stepAt(draft: Draft, place: string): ProgramStep {
  return draft.program.steps.get(pathOf(place)) as ProgramStep;
}

export function tokenOf(draft: Draft, place: string, epoch: number, purpose = ''): string {
  return formatToken({ key: draft.moment.key, run: draft.state.run, place, epoch, purpose });
}

/** Sets a timer of a node; one with the same purpose moves. */
export function setTimer(draft: Draft, place: string, node: Node, purpose: string, due: number): void {
  node.due = { ...node.due, [purpose]: due };
  draft.effects.push({ kind: 'timer', token: tokenOf(draft, place, node.e, purpose), due });
}

export function cancelTimers(draft: Draft, place: string, node: Node): void {
  for (const purpose of Object.keys(node.due ?? {}))
    draft.effects.push({ kind: 'cancel-timer', token: tokenOf(draft, place, node.e, purpose) });
  delete node.due;
}

/** The correlator no longer looks for the event of this node. */
export function stopListening(draft: Draft, place: string, node: Node): void {
  if (node.listens === undefined) return;
  const token = tokenOf(draft, place, node.e);
  produce(draft, topics.correlations.name, node.listens, { kind: 'done', run: draft.moment.key, token });
  delete node.listens;
}

/** The node waits for something else from here on; what comes with an older token is stale. */
export function nextEpoch(draft: Draft, place: string, node: Node): void {
  cancelTimers(draft, place, node);
  stopListening(draft, place, node);
  node.e += 1;
}

/** At most so many characters, with a mark where the rest was. */
export function shortened(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1).toWellFormed()}…`;
}

export function shown(value: Json): Json {
  const bytes = sizeOf(value);
  return bytes <= runLimits.shownBytes ? value : { truncated: true, bytes, sha256: digestOf(value) };
}

/** Bytes of what a step leaves behind that can grow. */
function weightOf(fact: StepFact | undefined): number {
  return sizeOf(fact?.outputs) + sizeOf(fact?.detail) + sizeOf(fact?.votes);
}

/** Writes what expressions see of a step. False: the run has no room for what can grow, and keeps the rest. */
export function setFact(draft: Draft, id: string, fact: StepFact): boolean {
  const { state } = draft;
  const before = weightOf(state.steps[id]);
  const growth = weightOf(fact) - before;
  const fits = state.bytes + growth <= runLimits.contextBytes || growth <= 0;
  if (fits) {
    state.steps[id] = fact;
    state.bytes += growth;
  } else {
    const { outputs: _, detail: __, votes: ___, ...rest } = fact;
    state.bytes -= before;
    state.steps[id] = rest;
  }
  return fits;
}

/** One of the engine's own events; `name` makes its id, so that a replay gives the same one. */
export function emit(draft: Draft, event: string, name: string, data: Record<string, unknown>): void {
  const { state, moment, program } = draft;
  const envelope: EventEnvelope = {
    id: `${moment.key}.${state.run}.${name}`,
    event,
    timestamp: new Date(moment.now).toISOString(),
    ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
    hops: state.hops,
    data: {
      run: moment.key,
      number: state.run,
      playbook_id: state.playbook,
      ...(program.version.document.name === undefined
        ? {}
        : { playbook_name: program.version.document.name }),
      revision: state.revision,
      ...(state.source === undefined ? {} : { source_id: state.source.id }),
      ...(state.dry_run === undefined ? {} : { dry_run: state.dry_run }),
      ...data,
    },
  };
  produce(draft, topics.events.name, moment.key, envelope);
}

export function produce(draft: Draft, topic: string, key: string, value: unknown): void {
  draft.effects.push({ kind: 'produce', record: { topic, key, value: JSON.stringify(value) } });
}

export function produceInput(draft: Draft, key: string, input: Record<string, unknown>): void {
  produce(draft, draft.runsTopic, key, input);
}
