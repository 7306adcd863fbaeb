// What must hold of events and the runs that wait for them, told from inputs and changes.
//
// I13: whoever waits gets every event that came up to a day before or while it waits. I14: no run gets one twice from the correlator,
// unless the correlator crashed. I15: no wait outlives its step. I4 and I10 as for runs.
import type { WaitFor } from '@tocsin/schemas/types.ts';
import { correlate } from '../correlator/correlate.ts';
import { type CorrelatorState, correlatorLimits } from '../correlator/state.ts';
import { correlationKey, parseToken } from '../tokens.ts';
import { defaultWaitPath } from '../waits-of.ts';
import type { Entry, World } from './simulate.ts';

/** Time that an event and a wait need to come together, ms. */
const slack = 10;

/** One line per violation, the number of the invariant first. */
export function meetings(world: World): string[] {
  return [
    ...world.meeting.differences.map((what) => `I4 the repetition of ${what} gave something else`),
    ...missed(world),
    ...givenTwice(world),
    ...leftOver(world),
    ...statesFromInputs(world),
  ];
}

/** Ids that the correlator says it keeps no longer for want of room. */
function dropped({ meeting }: World): Set<unknown> {
  return new Set(
    meeting.log.flatMap(({ step }) => step.changes.flatMap(({ what, id }) => (what === 'note' ? [id] : []))),
  );
}

function missed(world: World): string[] {
  const without = dropped(world);
  const began = new Map<string, number>();
  const had = new Map<string, Set<unknown>>();
  const found: string[] = [];
  for (const { key, input, moment, step, before } of world.log) {
    // Ends that an input causes are those of the run before it, unless it has begun with it.
    const run = `${key}.${step.state?.run ?? before?.run ?? 0}`;
    if (input.kind === 'event') had.set(run, (had.get(run) ?? new Set()).add(input.event['id']));
    for (const { what, status, place, purpose } of step.changes) {
      if (place === undefined) continue;
      const name = `${run}/${place}`;
      if (status === 'waiting') began.set(name, moment.now);
      else if (what === 'step') began.delete(name);
      else if (what === 'timer' && purpose === 'deadline' && began.has(name)) {
        const wait = waitAt(world, before, place);
        for (const id of wait === null ? [] : due(world, wait, began.get(name) ?? 0, moment.now))
          if (!without.has(id) && had.get(run)?.has(id) !== true) found.push(`I13 ${name} has missed ${id}`);
      }
    }
  }
  return found;
}

function waitAt(world: World, before: Entry['before'], place: string): WaitFor | null {
  const program = world.programs.get(before?.playbook ?? '');
  return program?.steps.get(place.slice(0, place.lastIndexOf('#')))?.step.waitFor ?? null;
}

/** Ids of the events that a wait from `from` to `to` must get. */
function due({ meeting }: World, wait: WaitFor, from: number, to: number): Set<string> {
  const wanted = correlationKey('', wait.at ?? defaultWaitPath, wait.correlate);
  const ids = new Set<string>();
  const before = new Set<string>();
  for (const { key, input, moment } of meeting.log) {
    if (key !== wanted || input.kind !== 'event' || before.has(input.id)) continue;
    // Its day begins when it comes for the first time.
    before.add(input.id);
    const { now } = moment;
    const inTime = now > from - correlatorLimits.eventTtl + slack && now < to - slack;
    if (inTime && input.event.event === wait.event) ids.add(input.id);
  }
  return ids;
}

function givenTwice(world: World): string[] {
  const without = dropped(world);
  const given = new Set<string>();
  const found: string[] = [];
  for (const { key, step } of world.meeting.log)
    for (const { what, id, run, token } of step.changes) {
      if (what !== 'given' || without.has(id)) continue;
      const name = `${key} ${id} to ${run}.${parseToken(String(token))?.run}`;
      if (given.has(name)) found.push(`I14 ${name} a second time`);
      given.add(name);
    }
  return found;
}

function leftOver({ meeting, states, drained }: World): string[] {
  const live = [...states.values()].some((state) => state !== null && state.ended_at === undefined);
  if (!drained || live) return [];
  return [...meeting.states].flatMap(([key, state]) =>
    (state?.waits ?? []).map(({ token }) => `I15 ${key} still has the wait ${token}`),
  );
}

function statesFromInputs({ meeting }: World): string[] {
  const again = new Map<string, CorrelatorState | null>();
  for (const { key, input, moment } of meeting.log)
    again.set(key, correlate(again.get(key) ?? null, input, moment, 'runs.v1').state);
  return [...meeting.states].flatMap(([key, state]) =>
    JSON.stringify(again.get(key) ?? null) === JSON.stringify(state)
      ? []
      : [`I10 ${key} is not what its inputs give`],
  );
}
