// One random world: playbooks, workers that answer late, twice or never, people, operators, crashes that lose states, and a clock.
//
// Invariant: everything is drawn from the seed. A crash goes back to older states and applies the same inputs again; what they give
// must be what they gave, and what they call for happens a second time.
import type { Command, CorrelationInput, Playbook, RunInput } from '@tocsin/schemas/types.ts';
import type { FoldEffect, FoldMoment } from '../../../run/fold/fold.ts';
import { topics } from '../../../topics.ts';
import { correlate } from '../correlator/correlate.ts';
import { decideRun } from '../decide.ts';
import type { RunState } from '../machine/state.ts';
import { compileVersion } from '../parse-playbook.ts';
import type { Program } from '../program.ts';
import type { RunStep } from '../run-step.ts';
import { correlationKey } from '../tokens.ts';
import { generatePlaybook } from './generate.ts';
import { type Correlate, createMeeting, type Meeting } from './meeting.ts';
import { createRandom } from './random.ts';

/** The function under test; others than decideRun are broken on purpose. */
export type Step = typeof decideRun;

export interface Entry {
  readonly key: string;
  readonly input: RunInput;
  readonly moment: FoldMoment;
  readonly before: RunState | null;
  readonly step: RunStep;
}

/** What became of runs. */
export interface RunWorld {
  readonly log: readonly Entry[];
  readonly states: ReadonlyMap<string, RunState | null>;
  readonly programs: ReadonlyMap<string, Program>;
  /** Ids of commands that reached the receiver. */
  readonly sink: ReadonlySet<string>;
  /** Inputs whose repetition gave something else. */
  readonly differences: readonly string[];
}

export interface World extends RunWorld {
  readonly crashes: number;
  /** Events and the runs that wait for them. */
  readonly meeting: Meeting;
  /** False: it was cut off, and things were still on their way. */
  readonly drained: boolean;
}

/** Something on its way to a run, or to the correlator. */
type Pending = { readonly due: number; readonly key: string } & (
  | { readonly input: RunInput }
  | { readonly meets: CorrelationInput }
);

const runsTopic = 'runs.v1';
const people = [
  { actor: 'alice', roles: [] },
  { actor: 'bob', roles: ['lead'] },
  { actor: 'carol', roles: [] },
  { actor: 'dave', roles: [] },
  { actor: 'mallory', roles: ['guest'] },
  { actor: 'starter', roles: ['lead'] },
];
const maxInputs = 3000;
const operatorTries = 60;

export function simulate(seed: number, decide: Step = decideRun, correlator: Correlate = correlate): World {
  const random = createRandom(seed);
  const child = generatePlaybook(random, 'child', null);
  const programs = new Map([
    ['child', programOf(child)],
    ['main', programOf(generatePlaybook(random, 'main', 'child'))],
  ]);
  const options = { definitions: (id: string) => programs.get(id) ?? null, runsTopic };
  const states = new Map<string, RunState | null>();
  const log: Entry[] = [];
  const timers = new Map<string, { due: number; key: string }>();
  const pending: Pending[] = [];
  const sink = new Set<string>();
  const differences: string[] = [];
  let now = 1_777_377_600_000;
  let crashes = 0;
  let scans = 0;
  const meeting = createMeeting(random, correlator, (key, input) =>
    pending.push({ due: now + 1, key, input }),
  );

  /** Comes in after a random time; now and then twice. */
  function send(key: string, input: RunInput, most = 60_000): void {
    pending.push({ due: now + random.below(most), key, input });
    if (random.chance(20)) pending.push({ due: now + random.below(most * 4), key, input });
  }

  function carryOut(key: string, effect: FoldEffect): void {
    if (effect.kind === 'timer') timers.set(effect.token, { due: effect.due, key });
    else if (effect.kind === 'cancel-timer') timers.delete(effect.token);
    else {
      const { topic, value, key: to } = effect.record;
      const content = JSON.parse(String(value)) as Record<string, unknown>;
      if (topic === runsTopic)
        pending.push({ due: now + 1, key: String(to), input: content as unknown as RunInput });
      else if (topic === topics.correlations.name)
        pending.push({ due: now + 1, key: String(to), meets: content as unknown as CorrelationInput });
      else if (topic.startsWith('commands.')) work(content as unknown as Command);
      else if (content['event'] === 'approval.requested')
        vote(content['data'] as { token: string; run: string });
    }
  }

  function work({ command_id, reply_to }: Command): void {
    sink.add(command_id);
    if (reply_to === undefined || random.chance(5)) return;
    const well = random.chance(70);
    const result: RunInput = {
      kind: 'result',
      command_id,
      token: reply_to.token,
      attempt: 1,
      status: well ? 'succeeded' : 'failed',
      ...(well ? { output: { n: random.below(10) } } : { code: random.pick(['dns', 'timeout', 'denied']) }),
    };
    send(reply_to.key, result, 200_000);
  }

  function vote({ token, run }: { token: string; run: string }): void {
    const votes = random.below(5);
    for (let n = 0; n < votes; n++) {
      const { actor, roles } = random.pick(people);
      const verdict = random.pick(['approve', 'approve', 'approve', 'reject', 'delegate'] as const);
      const decision: RunInput = {
        kind: 'decision',
        token,
        decision_id: `d${n}`,
        actor,
        roles: [...roles],
        verdict,
        to: 'dave',
      };
      send(run, decision, 400_000);
    }
  }

  function apply(key: string, input: RunInput): void {
    const moment = { now, partition: 0, offset: log.length, key };
    const before = states.get(key) ?? null;
    const step = decide(freeze(before), input, moment, options);
    states.set(key, step.state);
    log.push({ key, input, moment, before, step });
    for (const effect of step.effects) carryOut(key, effect);
  }

  /** The states of some inputs ago, and the same inputs again. */
  function crash(): void {
    crashes += 1;
    const from = Math.max(0, log.length - 1 - random.below(20));
    const lost = log.slice(from);
    for (const { key, before } of [...lost].reverse()) states.set(key, before);
    for (const { key, input, moment, step } of lost) {
      const again = decide(states.get(key) ?? null, input, moment, options);
      if (JSON.stringify(again) !== JSON.stringify(step)) differences.push(`${moment.offset} ${input.kind}`);
      states.set(key, again.state);
      for (const effect of again.effects) carryOut(key, effect);
    }
  }

  /** An event that some step waits for, has waited for or will wait for, or nobody ever. */
  function scan(): void {
    const id = `scan-${scans++}`;
    const type = random.pick(['scan.completed', 'scan.completed', 'scan.failed']);
    const at = random.pick(['data.correlation_id', 'data.scan_id']);
    const key = correlationKey('', at, `c${random.below(2)}`);
    const meets = { kind: 'event', id, event: { event: type, data: { n: random.below(10) } } } as const;
    pending.push({ due: now + random.below(60_000), key, meets });
    if (random.chance(20)) pending.push({ due: now + random.below(240_000), key, meets });
  }

  function operate(key: string): void {
    const state = states.get(key);
    const step = random.pick(Object.keys(state?.nodes ?? {}).concat('none'));
    const inputs: RunInput[] = [
      { kind: 'pause', by: 'op', extend: random.chance(50) },
      { kind: 'resume', by: 'op' },
      { kind: 'resume', by: 'op' },
      { kind: 'skip', by: 'op', step, output: { n: 7 } },
      { kind: 'retry', by: 'op' },
      ...(random.chance(20) ? [{ kind: 'cancel' as const, by: 'op', compensate: random.chance(50) }] : []),
    ];
    send(key, random.pick(inputs));
  }

  const source = { id: 'e1', kind: 'event' as const, topic: 'findings.v1', partition: 0, offset: 1 };
  const event = {
    event: 'finding.new',
    data: {
      title: 'X',
      severity: random.pick(['critical', 'low']),
      hosts: ['a', 'b', 'c'].slice(0, random.below(4)),
    },
  };
  const keys = ['r0', 'r1'];
  for (const key of keys)
    send(key, { kind: 'start', playbook: 'main', revision: 1, by: 'starter', event, source });
  let tries = 0;
  while (log.length < maxInputs) {
    const next = takeNext(pending, timers);
    if (next === null) {
      const live = [...states].filter(([, state]) => state !== null && state.ended_at === undefined);
      if (live.length === 0 || tries >= operatorTries) break;
      tries += 1;
      for (const [key, state] of live)
        if (state?.paused !== undefined) send(key, { kind: 'resume', by: 'op' });
        else if (state?.status === 'incident')
          if (tries > operatorTries / 2) send(key, { kind: 'cancel', by: 'op' });
          else
            send(
              key,
              random.chance(50)
                ? { kind: 'retry', by: 'op' }
                : { kind: 'skip', by: 'op', step: incidentOf(state) },
            );
      continue;
    }
    now = Math.max(now, next.due);
    if ('meets' in next) meeting.apply(next.key, next.meets, now);
    else apply(next.key, next.input);
    if (random.chance(4)) operate(random.pick(keys));
    if (random.chance(8)) scan();
    if (random.chance(5)) crash();
    if (random.chance(3)) meeting.crash();
  }
  const drained = pending.length === 0 && timers.size === 0;
  return { log, states, programs, sink, differences, crashes, meeting, drained };
}

function incidentOf(state: RunState): string {
  return Object.entries(state.nodes).find(([, node]) => node.s === 'incident')?.[0] ?? '';
}

function takeNext(pending: Pending[], timers: Map<string, { due: number; key: string }>): Pending | null {
  let at = -1;
  for (const [index, one] of pending.entries()) if (at < 0 || one.due < pending[at]!.due) at = index;
  let timer: [string, { due: number; key: string }] | undefined;
  for (const entry of timers) if (timer === undefined || entry[1].due < timer[1].due) timer = entry;
  if (timer !== undefined && (at < 0 || timer[1].due < pending[at]!.due)) {
    timers.delete(timer[0]);
    return { ...timer[1], input: { kind: 'timer', token: timer[0], due: timer[1].due } };
  }
  return at < 0 ? null : (pending.splice(at, 1)[0] ?? null);
}

function programOf(document: Playbook): Program {
  const { program, issues } = compileVersion({
    v: 1,
    revision: 1,
    document,
    actions: {},
    playbooks: { child: 1 },
    published_by: 'author',
  });
  if (program === null) throw new Error(JSON.stringify(issues));
  return program;
}

/** A step that changes the state it was given throws. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
