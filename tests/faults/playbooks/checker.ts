// The judge of the fault runs of playbooks: from inputs, changelog, commands, stored states and offsets to a verdict.
//
// Invariant: pure. What happened is told by the changelog; what should have happened by applying every input once, in order, to a
// state machine that never met a fault. I1 to I10 within a run are those of the simulation; here stand those that need a real log.
import type { Command, RunInput } from '@tocsin/schemas/types.ts';
import { decideRun } from '@tocsin/topologies/domain/playbooks/decide.ts';
import { faultRun } from '@tocsin/topologies/domain/playbooks/fault.ts';
import { isOver, type RunChange, type RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import type { Program } from '@tocsin/topologies/domain/playbooks/program.ts';
import type { RunStep } from '@tocsin/topologies/domain/playbooks/run-step.ts';
import { runViolations } from '@tocsin/topologies/domain/playbooks/simulation/check.ts';
import type { Entry, RunWorld } from '@tocsin/topologies/domain/playbooks/simulation/simulate.ts';
import { formatToken, parseToken } from '@tocsin/topologies/domain/playbooks/tokens.ts';
import type { FoldChange } from '@tocsin/topologies/run/fold/fold.ts';

export interface RecordedInput {
  readonly partition: number;
  readonly offset: number;
  /** Time of the broker, epoch ms. */
  readonly at: number;
  readonly key: string;
  /** null: no input of a run; its outcome is a dead letter. */
  readonly input: RunInput | null;
}

export interface RecordedChange {
  readonly partition: number;
  /** As it was written. */
  readonly text: string;
}

export interface StoredRun {
  readonly partition: number;
  readonly version: number;
  readonly body: string;
}

/** What was found after a fault run. */
export interface Recording {
  readonly programs: ReadonlyMap<string, Program>;
  /** Keys of runs whose start was acknowledged by the log. */
  readonly started: readonly string[];
  readonly inputs: readonly RecordedInput[];
  readonly changes: readonly RecordedChange[];
  readonly commands: readonly { readonly text: string }[];
  readonly stored: ReadonlyMap<string, StoredRun>;
  /** By partition: last applied input in the store; next offset of the group, -1 without one. */
  readonly applied: ReadonlyMap<number, number>;
  readonly committed: ReadonlyMap<number, number>;
  /** `partition/offset` of the inputs among the dead letters. */
  readonly letters: ReadonlySet<string>;
  /** Tokens of the timers that are pending in the log. */
  readonly pending: ReadonlySet<string>;
  readonly faults: number;
  /** Most commands that the faults may have written again. */
  readonly repeatBound: number;
  /** Most that a timer may come late, outages included, ms. */
  readonly latenessMs: number;
  /** How much earlier than due a step may act, because of a clock that is wrong, ms; 0 without one. */
  readonly earlyMs?: number;
  /** Start to first command of runs that the fault was not for, without it and with it, ms. */
  readonly bystanders?: { readonly calm: readonly number[]; readonly fault: readonly number[] };
}

export interface Verdict {
  readonly runs: number;
  readonly transitions: number;
  readonly faults: number;
  /** Command records beyond the first of the same try. */
  readonly repeated: number;
  readonly repeatBound: number;
  readonly lost: readonly string[];
  readonly stuck: readonly string[];
  /** Everything that breaks an invariant, its number first. */
  readonly problems: readonly string[];
}

type Change = FoldChange<RunState> & { readonly changes: readonly RunChange[] };

export function judge(recording: Recording): Verdict {
  const problems: string[] = [];
  const changes = uniqueChanges(recording, problems);
  const lost = lostInputs(recording, changes);
  const world = worldOf(recording, changes, problems);
  const stuck = stuckRuns(recording, world);
  const repeated = repeatedCommands(recording, world, problems);
  // A run that waits for something far away is not stuck; whether something is on its way is asked above.
  problems.push(...runViolations(world).filter((text) => !knownOtherwise(recording, world, text)));
  problems.push(
    ...lost.map((what) => `I1 ${what}`),
    ...stuck.map((key) => `I1 ${key} waits for nothing`),
    ...staleAnswers(world),
    ...storedStates(recording, changes),
    ...timersInTime(recording),
    ...timersOfWaits(recording, world),
    ...offsets(recording),
    ...bystandersSuffer(recording),
  );
  return {
    runs: recording.started.length,
    transitions: changes.filter((change) => change.changes.some(({ what }) => what === 'step')).length,
    faults: recording.faults,
    repeated,
    repeatBound: recording.repeatBound,
    lost,
    stuck,
    problems,
  };
}

/**
 * Violations of a simulated world that are none here: runs that wait, states after an input that the engine failed on (both are
 * looked at beside it), and steps that are early within what a wrong clock is allowed.
 */
function knownOtherwise({ earlyMs = 0 }: Recording, { log }: RunWorld, text: string): boolean {
  const ms = /^I6 .* acts (\d+) ms before its time$/.exec(text)?.[1];
  const failed = /^I10 (\S+) is not what its inputs give$/.exec(text)?.[1];
  return (
    text.startsWith('I1 ') ||
    (ms !== undefined && Number(ms) <= earlyMs) ||
    (failed !== undefined && log.some(({ key, step }) => key === failed && faultOf(step.changes) !== null))
  );
}

/** One line for people. */
export function lineOf(verdict: Verdict): string {
  const { runs, transitions, faults, lost, repeated, repeatBound, stuck, problems } = verdict;
  return (
    `runs=${runs} transitions=${transitions} faults=${faults} lost=${lost.length} ` +
    `repeated=${repeated} of at most ${repeatBound} stuck=${stuck.length} violations=${problems.length}`
  );
}

const placeOf = (partition: number, offset: number): string => `${partition}/${offset}`;

/** I4: an input has one change, whoever writes it again writes the same, and versions of a state are 1 to n. In the order of inputs. */
function uniqueChanges({ changes }: Recording, problems: string[]): (Change & { partition: number })[] {
  const texts = new Map<string, string>();
  const unique: (Change & { partition: number })[] = [];
  for (const { partition, text } of changes) {
    const change = JSON.parse(text) as Change;
    const name = `the change of ${change.key} at ${placeOf(partition, change.offset)}`;
    const known = texts.get(name);
    if (known === undefined) unique.push({ ...change, partition });
    else if (known !== text) problems.push(`I4 ${name} was written with two contents`);
    texts.set(name, text);
  }
  unique.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  const versions = new Map<string, number>();
  for (const { key, version, state } of unique) {
    const expected = (versions.get(key) ?? 0) + 1;
    if (version !== expected) problems.push(`I4 ${key} goes to version ${version} and not ${expected}`);
    // A key without a state begins anew.
    versions.set(key, state === null ? 0 : version);
  }
  return unique;
}

/** Inputs without an outcome. */
function lostInputs(
  recording: Recording,
  changes: readonly { partition: number; offset: number }[],
): string[] {
  const applied = new Set(changes.map(({ partition, offset }) => placeOf(partition, offset)));
  const known = new Set(recording.inputs.map(({ key }) => key));
  return [
    ...recording.started
      .filter((key) => !known.has(key))
      .map((key) => `the start of ${key} is not in the log`),
    ...recording.inputs.flatMap(({ partition, offset, key, input }) => {
      const place = placeOf(partition, offset);
      const there = input === null ? recording.letters.has(place) : applied.has(place);
      return there ? [] : [`input ${place} of ${key} has no ${input === null ? 'dead letter' : 'change'}`];
    }),
  ];
}

/** The world of the simulation's checks: what the changelog tells, with the effects that its inputs call for. */
function worldOf(
  recording: Recording,
  changes: readonly (Change & { partition: number })[],
  problems: string[],
): RunWorld {
  const inputs = new Map(recording.inputs.map((one) => [placeOf(one.partition, one.offset), one]));
  const options = {
    definitions: (id: string, revision: number) => {
      const program = recording.programs.get(id);
      return program?.version.revision === revision ? program : null;
    },
    runsTopic: 'runs.v1',
  };
  const told = new Map<string, RunState | null>();
  const ideal = new Map<string, RunState | null>();
  const log: Entry[] = [];
  for (const change of changes) {
    const { key, partition, offset } = change;
    const found = inputs.get(placeOf(partition, offset));
    if (found === undefined || found.input === null || found.key !== key) {
      problems.push(`I4 the change of ${key} at ${placeOf(partition, offset)} belongs to no input`);
      continue;
    }
    const { input, at: now } = found;
    const moment = { now, partition, offset, key };
    const before = ideal.get(key) ?? null;
    const error = faultOf(change.changes);
    if (error !== null && !recording.letters.has(placeOf(partition, offset)))
      problems.push(
        `I1 the engine failed on ${placeOf(partition, offset)} of ${key} and left no dead letter`,
      );
    const step: RunStep =
      error === null
        ? decideRun(before, input, moment, options)
        : faultRun(before, input, moment, error, options.runsTopic);
    ideal.set(key, json(step.state));
    if (!same(step.state, change.state) || !same(step.changes, change.changes) || change.at !== now)
      problems.push(
        `I10 ${key} at ${placeOf(partition, offset)} (${input.kind}) is not what its inputs give: ${shortly(change.changes)}, not ${shortly(step.changes)}`,
      );
    log.push({
      key,
      input,
      moment,
      before: told.get(key) ?? null,
      step: { ...step, state: change.state, changes: change.changes },
    });
    told.set(key, change.state);
  }
  const sink = new Set(recording.commands.map(({ text }) => (JSON.parse(text) as Command).command_id));
  return {
    log,
    states: told,
    programs: recording.programs,
    sink,
    differences: [],
  };
}

/** What the engine failed with on an input; null: it did not. */
function faultOf(changes: readonly RunChange[]): string | null {
  const fault = changes.find(
    ({ what, text }) => what === 'note' && text === 'the engine failed on this input',
  );
  return fault === undefined ? null : String(fault['error']);
}

/** I1: a run that is not over has a timer in the log that will wake it. */
function stuckRuns({ pending }: Recording, { states }: RunWorld): string[] {
  const awake = new Set(
    [...pending].map((token) => token.slice(0, token.lastIndexOf('.', token.indexOf('/')))),
  );
  return [...states].flatMap(([key, state]) =>
    state === null || isOver(state.status) || awake.has(key) ? [] : [key],
  );
}

/** I2: a command is written again under the same id with the same content, not more often than faults explain, and none is made up. */
function repeatedCommands(recording: Recording, { log }: RunWorld, problems: string[]): number {
  const told = new Set(
    log.flatMap(({ step }) =>
      step.changes.flatMap(({ what, command_id }) => (what === 'command' ? [command_id] : [])),
    ),
  );
  const texts = new Map<string, string>();
  let repeated = 0;
  for (const { text } of recording.commands) {
    const { command_id, reply_to } = JSON.parse(text) as Command;
    if (!told.has(command_id)) problems.push(`I2 nobody tells of command ${command_id}`);
    const name = `${command_id} ${reply_to?.token}`;
    const known = texts.get(name);
    if (known !== undefined) repeated += 1;
    if (known !== undefined && known !== text) problems.push(`I2 command ${name} was sent with two contents`);
    texts.set(name, text);
  }
  if (repeated > recording.repeatBound)
    problems.push(`I2 ${repeated} commands were written again, ${recording.repeatBound} explain themselves`);
  return repeated;
}

/** I3: what comes with the token of an earlier wait changes nothing; only a success counts for any try of an open step. */
function staleAnswers({ log }: RunWorld): string[] {
  return log.flatMap(({ key, input, before, step }) => {
    const token = 'token' in input && input.token !== undefined ? parseToken(input.token) : null;
    const success =
      input.kind === 'result' && (input.status === 'succeeded' || input.status === 'suppressed');
    if (token === null || token.purpose === 'duration' || success || faultOf(step.changes) !== null)
      return [];
    if (step.changes.every(({ what, status }) => what === 'ignored' || status === 'ignored')) return [];
    const current = before?.run === token.run && before.nodes[token.place]?.e === token.epoch;
    return current ? [] : [`I3 ${key} takes a ${input.kind} for ${token.place}, which waits for another one`];
  });
}

/** I10: the store has what the changelog ends with. */
function storedStates({ stored }: Recording, changes: readonly Change[]): string[] {
  const last = new Map(changes.map((change) => [change.key, change]));
  return [...last].flatMap(([key, { state, version }]) => {
    const found = stored.get(key);
    if (state === null) return found === undefined ? [] : [`I10 the store still has ${key}`];
    if (found === undefined) return [`I10 the store has lost ${key}`];
    return found.version === version && same(JSON.parse(found.body), state)
      ? []
      : [`I10 the store has ${key} as version ${found.version}, the changelog ends with ${version}`];
  });
}

/** Fires of one timer; a crash between fire and removal repeats it, and so does, now and then, a clock that is ahead. */
const mostFires = 20;

/** I6 and I7: fires are not early, their first is not too late, and a clock that is wrong does not fire for ever. */
function timersInTime({ inputs, latenessMs }: Recording): string[] {
  const first = new Set<string>();
  const fires = new Map<string, number>();
  for (const { input } of inputs)
    if (input?.kind === 'timer') fires.set(input.token, (fires.get(input.token) ?? 0) + 1);
  const often = [...fires].flatMap(([token, times]) =>
    times > mostFires ? [`I7 ${token} fires ${times} times`] : [],
  );
  const wrong = inputs.flatMap(({ input, at }) => {
    if (input?.kind !== 'timer' || input.due === undefined) return [];
    const name = `${input.token} ${input.due}`;
    if (input.fired_at !== undefined && input.fired_at < input.due) return [`I6 ${name} fires early`];
    if (first.has(name)) return [];
    first.add(name);
    return at - input.due > latenessMs ? [`I7 ${name} comes ${at - input.due} ms late`] : [];
  });
  return [...often, ...wrong];
}

/** I7: what a run waits for is set, and nothing is set for who waits no more; a fault may leave some, which are ignored when they fire. */
function timersOfWaits({ pending, repeatBound }: Recording, { states }: RunWorld): string[] {
  const waited = new Map<string, boolean>();
  for (const [key, state] of states)
    for (const [place, { e, due = {} }] of Object.entries(state?.nodes ?? {}))
      for (const purpose of Object.keys(due))
        waited.set(
          formatToken({ key, run: state?.run ?? 0, place, epoch: e, purpose }),
          state?.paused === undefined,
        );
  const orphans = [...pending].filter((token) => !waited.has(token));
  return [
    ...[...waited].flatMap(([token, runs]) =>
      runs && !pending.has(token) ? [`I7 ${token} is not set`] : [],
    ),
    ...(orphans.length > repeatBound
      ? [`I7 ${orphans.length} timers are set for nobody, such as ${orphans[0]}`]
      : []),
  ];
}

/** I11: nothing is committed that is not applied. */
function offsets({ committed, applied }: Recording): string[] {
  return [...committed].flatMap(([partition, next]) =>
    next <= (applied.get(partition) ?? -1) + 1
      ? []
      : [
          `I11 partition ${partition} is committed to ${next}, applied to ${applied.get(partition) ?? 'nothing'}`,
        ],
  );
}

/** Below this a doubling is the noise of a machine with other work. */
const noiseMs = 1_000;

/** I12: who is not meant waits at most twice as long. */
function bystandersSuffer({ bystanders }: Recording): string[] {
  if (bystanders === undefined) return [];
  const p99 = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * 0.99) - 1)] ??
    Number.POSITIVE_INFINITY;
  const [calm, fault] = [p99(bystanders.calm), p99(bystanders.fault)];
  return fault > Math.max(noiseMs, 2 * calm)
    ? [`I12 others wait ${Math.round(fault)} ms where ${Math.round(calm)} ms is usual`]
    : [];
}

function shortly(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}

function json<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
