// Waits for events: those that come, and those that came before.
//
// Invariant: an event that came before its wait ends the first wait that it fits; one that comes later ends every wait that it fits.
import type { Json } from '../../action/outcome.ts';
import { TemplateError } from '../../templates/parse.ts';
import { runLimits } from '../limits.ts';
import { resolveValue } from '../values.ts';
import { viewsAt } from './context.ts';
import { sizeOf, stepAt, tell } from './draft.ts';
import { fail, succeed } from './flow.ts';
import type { Draft, Node } from './state.ts';

type Event = Readonly<Record<string, unknown>>;

function fits(draft: Draft, place: string, node: Node, correlation: string, event: Event): boolean {
  if (node.s !== 'waiting' || node.correlate !== correlation) return false;
  const { step, pointer } = stepAt(draft, place);
  const wanted = step.waitFor?.event ?? [];
  if (!(typeof wanted === 'string' ? [wanted] : wanted).includes(String(event['event']))) return false;
  const ask = draft.program.conditions.get(`${pointer}/waitFor/match`);
  const subject = { source: 'events', fields: event, search: null } as const;
  return ask === undefined || ask(subject, { now: draft.moment.now, lists: new Map() }) === true;
}

/** Looks for an event that came before the wait. */
export function eventCame(draft: Draft, place: string, node: Node): void {
  const { state, moment } = draft;
  const index = state.inbox.findIndex(
    ({ correlation, event, until }) => until > moment.now && fits(draft, place, node, correlation, event),
  );
  const found = state.inbox[index];
  if (found === undefined) return;
  state.inbox.splice(index, 1);
  finishWait(draft, place, found.event);
}

/** An event comes in: it ends the waits that it fits, or is kept for one to come. */
export function takeEvent(draft: Draft, correlation: string, event: Event): void {
  const { state, moment } = draft;
  const places = Object.entries(state.nodes).flatMap(([place, node]) =>
    fits(draft, place, node, correlation, event) ? [place] : [],
  );
  tell(draft, { what: 'event', event: event['event'], correlation, waits: places.length });
  for (const place of places) if (state.nodes[place]?.s === 'waiting') finishWait(draft, place, event);
  if (places.length > 0) return;
  state.inbox = state.inbox.filter(({ until }) => until > moment.now);
  const { id } = event;
  if (
    id !== undefined &&
    state.inbox.some((kept) => kept.event['id'] === id && kept.correlation === correlation)
  )
    return;
  state.inbox.push({ correlation, event, until: moment.now + runLimits.inboxTtl });
  // The oldest go first; one event larger than all room is not kept.
  while (state.inbox.length > runLimits.inboxEvents || sizeOf(state.inbox) > runLimits.inboxBytes) {
    state.inbox.shift();
    tell(draft, { what: 'note', text: 'too many events that nobody waits for: the oldest is dropped' });
  }
}

function finishWait(draft: Draft, place: string, event: Event): void {
  finishWithResult(draft, place, event, { event: event['event'] as string });
}

/** Ends a step well: its outputs are what the definition makes of `result`, or `otherwise`. */
export function finishWithResult(draft: Draft, place: string, result: unknown, otherwise: Json): void {
  const { step } = stepAt(draft, place);
  try {
    const outputs =
      step.outputs === undefined ? otherwise : resolveValue(step.outputs, viewsAt(draft, place, { result }));
    succeed(draft, place, { outputs });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    fail(draft, place, 'template', error.message);
  }
}
