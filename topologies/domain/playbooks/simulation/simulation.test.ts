// Random worlds keep every invariant, and every broken state machine is caught.
//
// TOCSIN_SIMULATION_SEEDS is how many worlds there are, 100 without it; TOCSIN_SIMULATION_FROM is the first seed.
import { expect, test } from 'vitest';
import { brokenSteps } from './broken.ts';
import { violations } from './check.ts';
import { simulate } from './simulate.ts';

const seeds = Number(process.env['TOCSIN_SIMULATION_SEEDS'] ?? 100);
const from = Number(process.env['TOCSIN_SIMULATION_FROM'] ?? 0);

function look(seed: number, step?: Parameters<typeof simulate>[1]): string[] {
  try {
    return violations(simulate(seed, step)).map((violation) => `seed ${seed}: ${violation}`);
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

test.each(Object.keys(brokenSteps()))('a machine that breaks %s is caught', (invariant) => {
  const found = new Set<string>();
  for (let seed = 0; seed < 400 && !found.has(invariant); seed++)
    for (const violation of look(seed, brokenSteps()[invariant]))
      found.add(violation.slice(violation.indexOf(': ') + 2).split(' ', 1)[0] as string);
  expect([...found]).toContain(invariant);
});
