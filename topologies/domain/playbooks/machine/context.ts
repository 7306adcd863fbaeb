// What conditions and values of a step see, and the answers to its conditions.
import type { Json } from '../../action/outcome.ts';
import type { Views } from '../../templates/lookup.ts';
import type { Ask, Verdict } from '../tri-state.ts';
import type { Draft } from './state.ts';

export type RunContext = Readonly<Record<string, unknown>>;

/** Round and item of the nearest loop around a place. */
export function loopOf(draft: Draft, place: string | null): { item?: Json; index?: number } {
  const { nodes, lists } = draft.state;
  let at = place;
  while (at !== null) {
    const node = nodes[at];
    if (node?.loop !== undefined) return node.loop;
    const cursor = lists[node?.l ?? ''];
    if (cursor === undefined) return {};
    if (cursor.n !== undefined) {
      const item = nodes[cursor.o ?? '']?.items?.[cursor.n];
      return { index: cursor.n, ...(item === undefined ? {} : { item }) };
    }
    at = cursor.o;
  }
  return {};
}

export function contextOf(draft: Draft, loop: { item?: Json; index?: number } = {}): RunContext {
  const { state, moment } = draft;
  const event = state.event ?? {};
  const data = event['data'];
  return {
    event,
    finding: typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {},
    steps: state.steps,
    run: {
      id: moment.key,
      number: state.run,
      playbook: state.playbook,
      revision: state.revision,
      by: state.by,
      started_at: new Date(state.started_at).toISOString(),
      ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
    },
    params: state.params ?? {},
    vars: state.vars,
    ...loop,
  };
}

export function viewsAt(draft: Draft, place: string, more: RunContext = {}): Views {
  return [{ ...contextOf(draft, loopOf(draft, place)), ...more }];
}

/** The answer to the condition at a JSON Pointer; null: a field that decides is missing. */
export function askAt(draft: Draft, place: string, pointer: string): Verdict {
  const ask = draft.program.conditions.get(pointer) as Ask;
  const fields = contextOf(draft, loopOf(draft, place));
  return ask({ source: 'events', fields, search: null }, { now: draft.moment.now, lists: new Map() });
}
