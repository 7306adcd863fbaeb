// What must hold of every world, told from its inputs, changes and effects, not from how the machine works.
//
// The numbers are those of the invariants: I1 nothing is stuck, I2 what is told as sent was sent, under an id of its own, I3 a step ends once, I4 a repetition gives
// the same, I5 order of lists, I6 nothing before its time, I7 no timer outlives its wait, I8 quorum of distinct people, I9 silence in a
// pause and after the end, I10 the states are what all inputs give. Of events and waits see check-meetings.ts.
import type { Approve, RunInput } from '@tocsin/schemas/types.ts';
import type { FoldMoment } from '../../../run/fold/fold.ts';
import { decideRun } from '../decide.ts';
import { faultRun } from '../fault.ts';
import type { RunChange, RunState } from '../machine/state.ts';
import type { RunStep } from '../run-step.ts';
import { meetings } from './check-meetings.ts';
import type { Entry, RunWorld, World } from './simulate.ts';

const ends = ['succeeded', 'skipped', 'failed', 'rejected', 'expired', 'cancelled', 'left'];

/** One line per violation, the number of the invariant first. */
export function violations(world: World): string[] {
  return [...runViolations(world), ...meetings(world)];
}

/** Those that runs alone can break. */
export function runViolations(world: RunWorld): string[] {
  return [
    ...nothingStuck(world),
    ...sentWhatWasTold(world),
    ...endsOnce(world),
    ...world.differences.map((what) => `I4 the repetition of ${what} gave something else`),
    ...listOrder(world),
    ...notBeforeTime(world),
    ...noOrphanTimers(world),
    ...quorums(world),
    ...silence(world),
    ...statesFromInputs(world),
  ];
}

interface Told {
  readonly entry: Entry;
  readonly change: RunChange;
  /** `<key>.<number>` of the run. */
  readonly run: string;
}

function* told({ log }: RunWorld): Generator<Told> {
  for (const entry of log)
    for (const change of entry.step.changes)
      yield { entry, change, run: `${entry.key}.${entry.step.state?.run ?? 0}` };
}

function isEnd({ what, status }: RunChange): boolean {
  return what === 'step' && ends.includes(status ?? '');
}

function nothingStuck({ states, log }: RunWorld): string[] {
  return [...states].flatMap(([key, state]) =>
    state !== null && state.ended_at === undefined
      ? [`I1 ${key} is ${state.status} after ${log.length} inputs`]
      : [],
  );
}

function sentWhatWasTold(world: RunWorld): string[] {
  const places = new Map<string, string>();
  const found: string[] = [];
  for (const { change, run } of told(world)) {
    const id = change['command_id'] as string | undefined;
    if (id === undefined || change.what === 'ignored') continue;
    const place = `${run}/${change.place}`;
    if ((places.get(id) ?? place) !== place) found.push(`I2 ${id} is the command of two places`);
    places.set(id, place);
    if (change.what === 'command' && !world.sink.has(id)) found.push(`I2 ${place} was never sent`);
  }
  return found;
}

function endsOnce(world: RunWorld): string[] {
  const ended = new Set<string>();
  const found: string[] = [];
  for (const { change, run } of told(world)) {
    const name =
      change.what === 'run' && change.status !== 'running' && change.status !== 'compensating' ? run : null;
    const place = isEnd(change) ? `${run}/${change.place}` : name;
    if (place === null) continue;
    if (ended.has(place)) found.push(`I3 ${place} ends twice`);
    ended.add(place);
  }
  return found;
}

/** Where a step is: its list with the round, and its place in it. */
function listOrder(world: RunWorld): string[] {
  const ended = new Set<string>();
  const found: string[] = [];
  for (const { change, run, entry } of told(world)) {
    const place = change.place;
    if (isEnd(change)) ended.add(`${run}/${place}`);
    if (change.what !== 'command' || place === undefined) continue;
    const hash = place.lastIndexOf('#');
    const [path, iteration] = [place.slice(0, hash), place.slice(hash + 1)];
    const program = world.programs.get(entry.step.state?.playbook ?? '');
    const step = program?.steps.get(path);
    // Who was jumped over has no end, and a round that went back starts anywhere.
    if (step === undefined || path.endsWith('/compensate') || iteration.includes('~')) continue;
    const list = program?.lists.get(step.list)?.steps ?? [];
    for (const before of list.slice(0, step.index))
      if (!ended.has(`${run}/${before.path}#${iteration}`))
        found.push(`I5 ${run}/${place} is sent before ${before.id} has ended`);
  }
  return found;
}

function notBeforeTime(world: RunWorld): string[] {
  const due = new Map<string, number>();
  const found: string[] = [];
  for (const { change, run, entry } of told(world)) {
    const place = `${run}/${change.place}`;
    if (change.what === 'step' && (change.status === 'delayed' || change.status === 'retrying'))
      due.set(place, change['due'] as number);
    else if (change.what === 'command' && entry.moment.now < (due.get(place) ?? 0))
      found.push(`I6 ${place} acts ${(due.get(place) as number) - entry.moment.now} ms before its time`);
  }
  return found;
}

function noOrphanTimers({ log }: RunWorld): string[] {
  const set = new Map<string, Set<string>>();
  const found: string[] = [];
  for (const { key, input, step } of log) {
    const tokens = set.get(key) ?? new Set();
    set.set(key, tokens);
    if (input.kind === 'timer') tokens.delete(input.token);
    for (const effect of step.effects)
      if (effect.kind === 'timer') tokens.add(effect.token);
      else if (effect.kind === 'cancel-timer') tokens.delete(effect.token);
    if (step.state?.ended_at === undefined) continue;
    for (const token of tokens) found.push(`I7 ${token} is set though the run is over`);
    tokens.clear();
  }
  return found;
}

function quorums(world: RunWorld): string[] {
  const found: string[] = [];
  const votes = new Map<string, Entry['input'][]>();
  for (const entry of world.log) {
    const { input, key, step, before } = entry;
    if (input.kind === 'decision') votes.set(input.token, [...(votes.get(input.token) ?? []), input]);
    for (const change of step.changes) {
      if (!isEnd(change) || change.status !== 'succeeded') continue;
      const place = change.place ?? '';
      const definition = world.programs
        .get(before?.playbook ?? '')
        ?.steps.get(place.slice(0, place.lastIndexOf('#')));
      if (definition?.kind !== 'approve' || before === null) continue;
      const token = `${key}.${before.run}/${place}.${before.nodes[place]?.e}`;
      const approve = definition.step.approve as Approve;
      const people = peopleFor(approve, votes.get(token) ?? []);
      const wanted = approve.quorum?.approve ?? 1;
      if (people.size < wanted)
        found.push(`I8 ${token} passes with ${[...people].join(', ') || 'nobody'} of ${wanted}`);
    }
  }
  return found;
}

/** Everybody who may decide, or was named by somebody who may, and said yes. More generous than the machine. */
function peopleFor(approve: Approve, inputs: readonly Entry['input'][]): Set<string> {
  const named = [...approve.by.anyOf, ...(approve.escalate?.add ?? [])];
  const yes = new Set<string>();
  const delegates = new Set<string>();
  for (const input of inputs) {
    if (input.kind !== 'decision' || input.actor === 'starter' || input.actor === 'author') continue;
    const may = [`user:${input.actor}`, ...input.roles.map((role) => `role:${role}`)].some((one) =>
      named.includes(one),
    );
    if (may && input.verdict === 'delegate' && approve.delegate !== undefined) delegates.add(input.to ?? '');
    if (input.verdict === 'approve' && (may || delegates.has(input.actor))) yes.add(input.actor);
  }
  return yes;
}

function silence(world: RunWorld): string[] {
  const paused = new Set<string>();
  const over = new Set<string>();
  const found: string[] = [];
  for (const { key, input, step, moment } of world.log) {
    if (
      input.kind === 'start' &&
      step.changes.some(({ what, status }) => what === 'run' && status === 'running')
    ) {
      over.delete(key);
      paused.delete(key);
    }
    if (input.kind === 'resume' || input.kind === 'cancel') paused.delete(key);
    const sends = step.effects.filter(
      (effect) => effect.kind === 'produce' && effect.record.topic.startsWith('commands.'),
    );
    if (sends.length > 0 && paused.has(key))
      found.push(`I9 ${key} acts at ${moment.offset} though it is paused`);
    if (step.effects.length > 0 && over.has(key))
      found.push(`I9 ${key} acts at ${moment.offset} though it is over`);
    for (const { what, status } of step.changes) {
      if (what === 'operator' && status === 'pause') paused.add(key);
      if (what === 'run' && ['completed', 'failed', 'cancelled'].includes(status ?? '')) over.add(key);
    }
  }
  return found;
}

/** As the fold has it: a step that throws is a fault of its run. */
function stateAfter(
  step: () => RunStep,
  before: RunState | null,
  input: RunInput,
  moment: FoldMoment,
): RunState | null {
  try {
    return step().state;
  } catch (error) {
    return faultRun(before, input, moment, (error as Error).message, 'runs.v1').state;
  }
}

function statesFromInputs({ log, states, programs }: RunWorld): string[] {
  const again = new Map<string, RunState | null>();
  const definitions = (id: string, revision: number) => {
    const program = programs.get(id);
    return program?.version.revision === revision ? program : null;
  };
  const options = { definitions, runsTopic: 'runs.v1' };
  for (const { key, input, moment } of log) {
    const before = JSON.parse(JSON.stringify(again.get(key) ?? null)) as RunState | null;
    again.set(
      key,
      stateAfter(() => decideRun(before, input, moment, options), before, input, moment),
    );
  }
  return [...states].flatMap(([key, state]) =>
    JSON.stringify(again.get(key) ?? null) === JSON.stringify(state)
      ? []
      : [`I10 ${key} is not what its inputs give`],
  );
}
