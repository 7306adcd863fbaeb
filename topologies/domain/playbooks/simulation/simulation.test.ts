// Random worlds keep every invariant, and every broken state machine is caught.
//
// TOCSIN_SIMULATION_SEEDS is how many worlds there are, 100 without it; TOCSIN_SIMULATION_FROM is the first seed.
import { expect, test } from 'vitest';
import { brokenCorrelators, brokenSteps } from './broken.ts';
import { violations } from './check.ts';
import { simulate } from './simulate.ts';

const seeds = Number(process.env['TOCSIN_SIMULATION_SEEDS'] ?? 100);
const from = Number(process.env['TOCSIN_SIMULATION_FROM'] ?? 0);

type DropFirst<List extends readonly unknown[]> = List extends [unknown, ...infer Rest] ? Rest : never;

function look(seed: number, ...broken: DropFirst<Parameters<typeof simulate>>): string[] {
  try {
    return violations(simulate(seed, ...broken)).map((violation) => `seed ${seed}: ${violation}`);
  } catch (error) {
    return [`seed ${seed}: threw ${String((error as Error).stack)}`];
  }
}

test(`${seeds} worlds from seed ${from}`, { timeout: 60_000 + seeds * 200 }, () => {
  const found: string[] = [];
  for (let seed = from; seed < from + seeds && found.length === 0; seed++) found.push(...look(seed));
  expect(found).toEqual([]);
});

test('a world comes again from its seed', () => {
  const outline = (seed: number): string =>
    JSON.stringify(simulate(seed).log.map(({ input, step }) => [input, step.changes]));
  expect(outline(7)).toBe(outline(7));
  expect(outline(7)).not.toBe(outline(8));
});

test('worlds have crashes, ends of every kind and all invariants to keep', () => {
  const ends = new Set<string>();
  const inputs = new Set<string>();
  let crashes = 0;
  for (let seed = 0; seed < 60; seed++) {
    const world = simulate(seed);
    crashes += world.crashes;
    for (const state of world.states.values()) ends.add(state?.status ?? '');
    for (const { input } of world.log) inputs.add(input.kind);
  }
  expect(crashes).toBeGreaterThan(60);
  expect([...ends].sort()).toEqual(['cancelled', 'completed', 'failed']);
  expect([...inputs].sort()).toEqual(
    [
      'cancel',
      'child-done',
      'decision',
      'event',
      'pause',
      'result',
      'resume',
      'retry',
      'skip',
      'start',
      'timer',
    ].sort(),
  );
});

test('worlds have events before their waits, during them, twice and for nobody', () => {
  const told = new Set<string>();
  for (let seed = 0; seed < 60; seed++)
    for (const { input, step } of simulate(seed).meeting.log) {
      const given = step.changes.some(({ what }) => what === 'given');
      const ignored = step.changes.some(({ what }) => what === 'ignored');
      told.add(`${input.kind}${given ? ' given' : ''}${ignored ? ' ignored' : ''}`);
    }
  expect([...told]).toEqual(
    expect.arrayContaining(['wait', 'wait given', 'event', 'event given', 'event ignored', 'done']),
  );
});

function invariantsOf(looked: readonly string[]): string[] {
  return looked.map((violation) => violation.slice(violation.indexOf(': ') + 2).split(' ', 1)[0] as string);
}

test.each(Object.keys(brokenSteps()))('a machine that breaks %s is caught', (invariant) => {
  const found = new Set<string>();
  for (let seed = 0; seed < 400 && !found.has(invariant); seed++)
    for (const number of invariantsOf(look(seed, brokenSteps()[invariant]))) found.add(number);
  expect([...found]).toContain(invariant);
});

test.each(Object.keys(brokenCorrelators()))('a correlator that breaks %s is caught', (invariant) => {
  const found = new Set<string>();
  for (let seed = 0; seed < 400 && !found.has(invariant); seed++)
    for (const number of invariantsOf(look(seed, undefined, brokenCorrelators()[invariant])))
      found.add(number);
  expect([...found]).toContain(invariant);
});
