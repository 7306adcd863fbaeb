// Waits for events: the correlator is told of them, and of their end; events that come, and those that came before.
//
// Invariant: an event that came before its wait ends the first wait that it fits; one that comes later ends every wait that it fits;
// one that comes again counts once. Surprise: the correlator keeps events for waits to come, and the run does so too: what came while
// it waited at another step is with the run already.

import type { CorrelationWait, WaitFor } from '@tocsin/schemas/types.ts';
import { topics } from '../../../topics.ts';
import { sizeOf } from '../../action/kept-output.ts';
import type { Json } from '../../action/outcome.ts';
import { digestOf } from '../../digest.ts';
import { TemplateError } from '../../templates/parse.ts';
import { runLimits } from '../limits.ts';
import { correlationKey } from '../tokens.ts';
import { resolveText, resolveValue } from '../values.ts';
import { defaultWaitPath } from '../waits-of.ts';
import { viewsAt } from './context.ts';
import { produce, stepAt, tell, tokenOf } from './draft.ts';
import { fail, succeed } from './flow.ts';
import type { Draft, Node } from './state.ts';

type Event = Readonly<Record<string, unknown>>;

function typesOf({ event }: WaitFor): CorrelationWait['events'] {
  return typeof event === 'string' ? [event] : event;
}

/** What comes back with events of this wait. The path is in it where it is not the usual one: the text alone may stand elsewhere too. */
function correlationOf({ at = defaultWaitPath }: WaitFor, text: string): string {
  return at === defaultWaitPath ? text : `${at}=${text}`;
}

/** The step waits from here on, unless its event came before. */
export function startWait(draft: Draft, place: string, node: Node): void {
  const { step, id } = stepAt(draft, place);
  const wait = step.waitFor as WaitFor;
  const text = resolveText(wait.correlate, viewsAt(draft, place));
  if (text === '' || correlationOf(wait, text).length > runLimits.correlation) {
    const problem = text === '' ? 'gives no text' : `gives more than ${runLimits.correlation} characters`;
    fail(draft, place, 'correlate', `waitFor.correlate ${problem}`);
    return;
  }
  Object.assign(node, { s: 'waiting', correlate: text });
  tell(draft, { what: 'step', place, step: id, status: 'waiting', correlate: text });
  eventCame(draft, place, node);
  if (draft.state.nodes[place] === node && node.s === 'waiting') listen(draft, place, node);
}

/** Tells the correlator of a wait, until its deadline or another moment (epoch ms); again under the same token moves that. */
function listen(draft: Draft, place: string, node: Node, until?: number): void {
  const { state, moment } = draft;
  const wait = stepAt(draft, place).step.waitFor as WaitFor;
  const text = node.correlate ?? '';
  node.listens = correlationKey(state.tenant ?? '', wait.at ?? defaultWaitPath, text);
  const input: CorrelationWait = {
    kind: 'wait',
    run: moment.key,
    token: tokenOf(draft, place, node.e),
    correlation: correlationOf(wait, text),
    events: typesOf(wait),
    until: until ?? node.due?.['deadline'] ?? moment.now + runLimits.deadline,
  };
  produce(draft, topics.correlations.name, node.listens, input);
}

/** All waits of the run last until another moment; without one until their deadlines. */
export function listenOn(draft: Draft, until?: number): void {
  for (const [place, node] of Object.entries(draft.state.nodes))
    if (node.listens !== undefined) listen(draft, place, node, until);
}

function fits(draft: Draft, place: string, node: Node, correlation: string, event: Event): boolean {
  if (node.s !== 'waiting' || node.correlate === undefined) return false;
  const { step, pointer } = stepAt(draft, place);
  const wait = step.waitFor as WaitFor;
  if (correlation !== node.correlate && correlation !== correlationOf(wait, node.correlate)) return false;
  if (!typesOf(wait).includes(String(event['event']))) return false;
  const ask = draft.program.conditions.get(`${pointer}/waitFor/match`);
  const subject = { source: 'events', fields: event, search: null } as const;
  return ask === undefined || ask(subject, { now: draft.moment.now, lists: new Map() }) === true;
}

/** Looks for an event that came before the wait. */
function eventCame(draft: Draft, place: string, node: Node): void {
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
  if (event['id'] !== undefined) {
    const mark = digestOf([correlation, event['id']]).slice(0, 32);
    if (state.heard?.includes(mark)) {
      tell(draft, {
        what: 'ignored',
        input: 'event',
        reason: 'has come before',
        id: event['id'],
        correlation,
      });
      return;
    }
    state.heard = [...(state.heard ?? []), mark].slice(-runLimits.heard);
  }
  const places = Object.entries(state.nodes).flatMap(([place, node]) =>
    fits(draft, place, node, correlation, event) ? [place] : [],
  );
  tell(draft, { what: 'event', event: event['event'], correlation, waits: places.length });
  for (const place of places) if (state.nodes[place]?.s === 'waiting') finishWait(draft, place, event);
  if (places.length > 0) return;
  state.inbox = state.inbox.filter(({ until }) => until > moment.now);
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
