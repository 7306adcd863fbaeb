// The judge must find what it is for: books that are clean, from worlds of the simulation, and each invariant broken in them, by
// hand or by a state machine that is wrong on purpose.
import type { RunInput } from '@tocsin/schemas/types.ts';
import { decideRun } from '@tocsin/topologies/domain/playbooks/decide.ts';
import { brokenSteps } from '@tocsin/topologies/domain/playbooks/simulation/broken.ts';
import { type Step, simulate, type World } from '@tocsin/topologies/domain/playbooks/simulation/simulate.ts';
import { formatToken, parseToken } from '@tocsin/topologies/domain/playbooks/tokens.ts';
import { describe, expect, test } from 'vitest';
import { judge, lineOf, type Recording } from './checker.ts';

/** What the log and the store would hold after a world without faults. `early`: when its first run has ended, while others go on. */
function recordingOf(seed: number, step?: Step, early = false): Recording {
  const whole = simulate(seed, step);
  const end = early ? whole.log.findIndex(({ step: { state } }) => state?.ended_at !== undefined) : -1;
  const log = end < 0 ? whole.log : whole.log.slice(0, end + 1);
  const states = new Map(log.map(({ key, step: { state } }) => [key, state]));
  const world: World = { ...whole, log, states };
  const versions = new Map<string, number>();
  const changes = world.log.map(({ key, moment, step: { state, changes: told } }) => {
    const version = (versions.get(key) ?? 0) + 1;
    versions.set(key, version);
    const change = { v: 1, key, version, offset: moment.offset, at: moment.now, state, changes: told };
    return { partition: 0, text: JSON.stringify(change) };
  });
  const applied = world.log.length - 1;
  return {
    programs: world.programs,
    started: ['r0', 'r1'].filter((key) => states.has(key)),
    inputs: world.log.map(({ key, input, moment }) => ({
      partition: 0,
      offset: moment.offset,
      at: moment.now,
      key,
      input,
    })),
    changes,
    commands: world.log.flatMap(({ step: { effects } }) =>
      effects.flatMap((effect) =>
        effect.kind === 'produce' && effect.record.topic.startsWith('commands.')
          ? [{ text: String(effect.record.value) }]
          : [],
      ),
    ),
    stored: new Map(
      [...world.states].flatMap(([key, state]) =>
        state === null
          ? []
          : [[key, { partition: 0, version: versions.get(key) ?? 0, body: JSON.stringify(state) }] as const],
      ),
    ),
    applied: new Map([[0, applied]]),
    committed: new Map([[0, applied + 1]]),
    letters: new Set(),
    pending: pendingOf(world),
    faults: 0,
    repeatBound: 0,
    latenessMs: 60_000,
  };
}

function pendingOf({ log }: World): Set<string> {
  const pending = new Set<string>();
  for (const { input, step } of log) {
    if (input.kind === 'timer') pending.delete(input.token);
    for (const effect of step.effects)
      if (effect.kind === 'timer') pending.add(effect.token);
      else if (effect.kind === 'cancel-timer') pending.delete(effect.token);
  }
  return pending;
}

const kinds = (recording: Recording): string[] =>
  [...new Set(judge(recording).problems.map((text) => text.split(' ')[0] as string))].sort();

/** Books with something in them. */
const clean = [...Array(100).keys()]
  .map((seed) => recordingOf(seed))
  .find(
    ({ commands, inputs }) => commands.length > 5 && inputs.some(({ input }) => input?.kind === 'timer'),
  ) as Recording;

test.each([1, 2, 3, 4, 5, 6, 7, 8])('the books of world %i are clean', (seed) => {
  expect(judge(recordingOf(seed)).problems).toEqual([]);
  // Runs of the simulation that were told to pause, or wait for an answer that never comes, are for its operator.
  const early = judge(recordingOf(seed, undefined, true)).problems;
  expect(early.filter((text) => !text.startsWith('I1 '))).toEqual([]);
});

test('one line tells it', () => {
  expect(lineOf({ ...judge(clean), transitions: 7 })).toBe(
    'runs=2 transitions=7 faults=0 lost=0 repeated=0 of at most 0 stuck=0 violations=0',
  );
});

describe('a state machine that breaks', () => {
  // I4 needs repetitions, and I13 the correlator; the simulation has both.
  test.each(Object.keys(brokenSteps()).filter((invariant) => invariant !== 'I4' && invariant !== 'I13'))(
    '%s is caught',
    (invariant) => {
      const found = new Set<string>();
      for (let seed = 0; seed < 400 && !found.has(invariant); seed++)
        for (const early of [false, true])
          for (const kind of kinds(recordingOf(seed, brokenSteps()[invariant], early))) found.add(kind);
      expect([...found]).toContain(invariant);
    },
  );
});

test('a state machine that takes answers to earlier waits is caught', () => {
  const step: Step = (state, input, moment, options) => {
    const token = 'token' in input && input.token !== undefined ? parseToken(input.token) : null;
    const epoch = state?.nodes[token?.place ?? '']?.e;
    if (token === null || epoch === undefined) return decideRun(state, input, moment, options);
    const renewed = { ...input, token: formatToken({ ...token, epoch }) } as RunInput;
    return decideRun(state, renewed, moment, options);
  };
  const found = [...Array(200).keys()].some((seed) =>
    judge(recordingOf(seed, step)).problems.some((text) => text.includes('waits for another one')),
  );
  expect(found).toBe(true);
});

const change = (at: number, with_: object): Recording['changes'] =>
  clean.changes.map(({ partition, text }, index) => ({
    partition,
    text: index === at ? JSON.stringify({ ...(JSON.parse(text) as object), ...with_ }) : text,
  }));

const firstOf = (kind: RunInput['kind']): number =>
  clean.inputs.findIndex(({ input }) => input?.kind === kind);
const last = clean.changes.length - 1;
const [command] = clean.commands;

describe('books in which', () => {
  test.each<[string, Partial<Recording>, string]>([
    ['an acknowledged start is not in the log', { started: ['r0', 'r1', 'r2'] }, 'I1'],
    ['an input has no change', { changes: clean.changes.slice(0, -1), stored: clean.stored }, 'I1'],
    [
      'what is no input has no dead letter',
      { inputs: [...clean.inputs, { partition: 0, offset: last + 1, at: 0, key: 'x', input: null }] },
      'I1',
    ],
    ['a told command was never written', { commands: clean.commands.slice(1) }, 'I2'],
    ['a command is written again without a fault', { commands: [...clean.commands, command!] }, 'I2'],
    [
      'a command comes again with another content',
      {
        repeatBound: 9,
        commands: [...clean.commands, { text: command!.text.replace('"hops":1', '"hops":2') }],
      },
      'I2',
    ],
    [
      'a command is made up',
      {
        commands: [
          ...clean.commands,
          {
            text: command!.text
              .replace(/"command_id":"."/, '"command_id":"0"')
              .replace(/("command_id":")[0-9a-f]{32}/, `$1${'0'.repeat(32)}`),
          },
        ],
      },
      'I2',
    ],
    ['a version is missing', { changes: change(last, { version: 999 }) }, 'I4'],
    [
      'a version was written twice, differently',
      { changes: [...clean.changes, ...change(0, { at: 1 }).slice(0, 1)] },
      'I4',
    ],
    ['a change belongs to no input', { inputs: clean.inputs.slice(1) }, 'I4'],
    [
      'a fire is early',
      {
        inputs: clean.inputs.map((one, index) =>
          index === firstOf('timer')
            ? {
                ...one,
                input: { ...(one.input as { token: string; due: number; kind: 'timer' }), fired_at: 5 },
              }
            : one,
        ),
      },
      'I6',
    ],
    [
      'a timer fires again and again',
      { inputs: clean.inputs.concat(Array(21).fill(clean.inputs[firstOf('timer')])) },
      'I7',
    ],
    ['a fire is late', { latenessMs: -1 }, 'I7'],
    ['a timer is set for nobody', { pending: new Set(['r0.1/s#0.1!delay']) }, 'I7'],
    ['a state is not what the inputs give', { changes: change(last >> 1, { state: null }) }, 'I10'],
    [
      'the store has an older state',
      {
        stored: new Map(
          [...clean.stored].map(([key, stored]) => [key, { ...stored, version: stored.version - 1 }]),
        ),
      },
      'I10',
    ],
    [
      'the store has another state',
      {
        stored: new Map(
          [...clean.stored].map(([key, stored]) => [
            key,
            { ...stored, body: stored.body.replace('"run":1', '"run":2') },
          ]),
        ),
      },
      'I10',
    ],
    ['the store has lost a state', { stored: new Map() }, 'I10'],
    ['more is committed than applied', { committed: new Map([[0, last + 2]]) }, 'I11'],
    ['others wait three times as long', { bystanders: { calm: [500], fault: [1_500] } }, 'I12'],
  ])('%s', (_what, broken, invariant) => {
    expect(kinds({ ...clean, ...broken })).toContain(invariant);
  });

  test('a run waits for nothing', () => {
    const seed = [...Array(400).keys()].find(
      (one) => judge(recordingOf(one, brokenSteps()['I1'])).stuck.length > 0,
    );
    const recording = recordingOf(seed as number, brokenSteps()['I1']);
    const { stuck } = judge(recording);
    expect(kinds(recording)).toContain('I1');
    // A timer in the log that will wake it is what it needs.
    const pending = new Set(stuck.map((key) => `${key}.1777377600/s1#0.2!deadline`));
    expect(judge({ ...recording, pending }).stuck).toEqual([]);
  });

  test('a command comes again and a fault explains it', () => {
    const verdict = judge({ ...clean, commands: [...clean.commands, command!], faults: 1, repeatBound: 1 });
    expect([verdict.problems, verdict.repeated]).toEqual([[], 1]);
  });

  test('what is no input is among the dead letters', () => {
    const poison = { partition: 0, offset: last + 1, at: 0, key: 'x', input: null };
    const letters = new Set([`0/${last + 1}`]);
    expect(kinds({ ...clean, inputs: [...clean.inputs, poison], letters })).toEqual([]);
  });

  test('the engine failed on an input and left no dead letter', () => {
    const at = firstOf('timer');
    const note = { what: 'note', text: 'the engine failed on this input', error: 'boom' };
    const broken = { ...clean, changes: change(at, { changes: [note] }) };
    const missing = expect.stringContaining('left no dead letter');
    expect(judge(broken).problems).toContainEqual(missing);
    expect(judge({ ...broken, letters: new Set([`0/${at}`]) }).problems).not.toContainEqual(missing);
  });

  test('others wait a little longer on a busy machine', () => {
    expect(kinds({ ...clean, bystanders: { calm: [100], fault: [900] } })).toEqual([]);
  });
});
