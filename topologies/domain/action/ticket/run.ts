// Carries out the plan of a ticket command.
//
// Invariant: when an earlier attempt may have made the ticket, it is looked for, also among closed ones, waited for, and looked for
// again, before another one is made.
//
// Surprise: the wait is not politeness. Indexes lag behind by seconds, and a request that timed out here may still be at work there.
import { failed, isFailed } from '../fail.ts';
import type { Failed, Outcome } from '../outcome.ts';
import { type Link, sendCall, shownCalls } from './send.ts';
import type { Call, ChangePlan, CreatePlan, Next, Plan, Step, Ticket } from './system.ts';

/** Between the first and the last look for a ticket that may exist, ms. */
export const settleMs = 5_000;

/** Steps of one command follow each other through at most this many requests. */
const requestsMax = 20;

export async function runPlan(plan: Plan, link: Link): Promise<Outcome> {
  return plan.operation === 'create' ? create(plan, link) : change(plan, link);
}

async function create(plan: CreatePlan, link: Link): Promise<Outcome> {
  const again = link.context.possibleDuplicate === true;
  if (again && plan.made === null && plan.blind !== true)
    return failed(
      'uncertain',
      'an earlier attempt may have made a ticket, and no request to find it is configured',
    );
  for (let looks = again ? 2 : 1; looks > 0; looks -= 1) {
    const seen = await look(plan, again, link);
    if (seen !== null) return seen;
    if (looks > 1 && !(await settle(link)))
      return { ...failed('aborted', 'the worker is stopping', 'backoff'), uncertain: true };
  }
  const made = await sendCall(plan.create, link);
  if (isFailed(made)) return made;
  const notes =
    plan.made === null
      ? ['an earlier attempt may have made a ticket, too']
      : ['an earlier attempt left no ticket'];
  return done(made, { operation: 'create', created: true }, [...plan.warnings, ...(again ? notes : [])]);
}

/** The end of the command when there is a ticket already; null when there is none. */
async function look(plan: CreatePlan, again: boolean, link: Link): Promise<Outcome | null> {
  if (again && plan.made !== null) {
    const found = await sendCall(plan.made, link);
    if (isFailed(found)) return found;
    if (found.ticket !== null)
      return done(found.ticket, { operation: 'create', created: true }, [
        ...plan.warnings,
        'an earlier attempt had made this ticket: no second one was made',
      ]);
  }
  if (plan.open === null) return null;
  const found = await sendCall(plan.open, link);
  if (isFailed(found)) return found;
  if (found.ticket === null) return null;
  const notes = await walk(plan.onOpen, found.ticket, link);
  if (isFailed(notes)) return notes;
  return done(found.ticket, { operation: 'create', created: false }, [
    ...plan.warnings,
    'an open ticket has the same fingerprint: no second one was made',
    ...notes,
  ]);
}

async function settle({ context }: Link): Promise<boolean> {
  const { clock } = context.ports;
  if (clock === undefined) throw new TypeError('tickets need the clock port');
  try {
    await clock.sleep(settleMs, context.signal);
    return true;
  } catch (error) {
    if (context.signal.aborted) return false;
    throw error;
  }
}

async function change(plan: ChangePlan, link: Link): Promise<Outcome> {
  let ticket: Ticket = { ref: plan.ref, id: plan.ref, url: null, closed: null };
  if (plan.get !== null) {
    const found = await sendCall(plan.get, link);
    if (isFailed(found)) return found;
    ticket = found;
  }
  if (ticket.closed !== null && plan.failsWhenClosed)
    return failed(
      'wrong_state',
      `${ticket.ref} is closed (${ticket.closed}); on_closed: proceed changes closed tickets`,
    );
  const notes = await walk(plan.steps, ticket, link);
  if (isFailed(notes)) return notes;
  return done(ticket, { operation: plan.operation, created: false }, [...plan.warnings, ...notes]);
}

/** Carries out steps one after the other; what people should know of them. */
async function walk(steps: readonly Step[], ticket: Ticket, link: Link): Promise<string[] | Failed> {
  const notes: string[] = [];
  let requests = 0;
  for (const step of steps) {
    let call: Call<Next> | Failed | null = step(ticket, link.context.possibleDuplicate === true);
    while (call !== null) {
      if (isFailed(call)) return call;
      requests += 1;
      if (requests > requestsMax) throw new RangeError('a step of a ticket command does not end');
      const next: Next | Failed = await sendCall(call, link);
      if (isFailed(next)) return next;
      if (!('then' in next) && next.note !== undefined) notes.push(next.note);
      call = 'then' in next ? next.then : null;
    }
  }
  return notes;
}

function done(
  ticket: Ticket,
  facts: { readonly operation: Plan['operation']; readonly created: boolean },
  warnings: readonly string[],
): Outcome {
  return {
    status: 'done',
    ref: ticket.ref,
    output: { ...facts, key: ticket.ref, id: ticket.id, ...(ticket.url === null ? {} : { url: ticket.url }) },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** What the plan would send first: for a ticket that is not known yet its reference stands in for its id. */
export function previewPlan(plan: Plan, link: Pick<Link, 'target'>): Outcome {
  const calls: (Call<unknown> | Failed)[] =
    plan.operation === 'create'
      ? [...(plan.open === null ? [] : [plan.open]), plan.create]
      : [
          ...(plan.get === null ? [] : [plan.get]),
          ...plan.steps.map((step) => step({ ref: plan.ref, id: plan.ref, url: null, closed: null }, false)),
        ];
  const refused = calls.find(isFailed);
  if (refused !== undefined) return refused;
  return {
    status: 'done',
    output: { requests: shownCalls(calls as Call<unknown>[], link.target) },
    ...(plan.warnings.length === 0 ? {} : { warnings: plan.warnings }),
  };
}
