// The Sigma corpus: the same in every run, importable as a whole, and in the proportions it is said to have.
import type { Rule } from '@tocsin/schemas/types.ts';
import { importSigma } from '@tocsin/topologies/domain/rules/import/sigma/import-sigma.ts';
import { expect, test } from 'vitest';
import { sigmaEvents } from './sigma-events.ts';
import { sigmaRules } from './sigma-mix.ts';

type Selection = Record<string, readonly unknown[] | null>;

const count = 3_700;
const rules = sigmaRules(count);

/** Every `field|modifier...` with its values, of one rule. */
function items(rule: Record<string, unknown>): (readonly [readonly string[], readonly unknown[]])[] {
  const { condition: _, ...selections } = rule['detection'] as Record<string, Selection>;
  return Object.values(selections).flatMap((selection) =>
    Object.entries(selection).map(([key, values]) => [key.split('|').slice(1), values ?? []] as const),
  );
}

function share(has: (modifiers: readonly string[]) => boolean): number {
  return rules.filter((rule) => items(rule).some(([modifiers]) => has(modifiers))).length / count;
}

test('the same seed gives the same', () => {
  expect(sigmaRules(100)).toEqual(rules.slice(0, 100));
  expect(sigmaEvents(20)).toEqual(sigmaEvents(20));
  expect(sigmaRules(20, 8)).not.toEqual(rules.slice(0, 20));
});

test('events are one line of ASCII of 1,000 to 1,040 bytes', () => {
  for (const event of sigmaEvents(500)) {
    expect(event).toMatch(/^[ -~]+$/);
    expect(event.length).toBeGreaterThanOrEqual(1_000);
    expect(event.length).toBeLessThanOrEqual(1_040);
  }
});

test('every rule is imported', () => {
  const imported = rules.map((rule) => importSigma(rule, { actions: ['none'] }));
  expect(imported.flatMap(({ issues }) => issues)).toEqual([]);
  const ids = imported.map(({ rule }) => (rule as Rule).id);
  expect(new Set(ids).size).toBe(count);
});

test('the proportions of SigmaHQ, within a few points', () => {
  const all = rules.flatMap(items);
  expect(all.length / count).toBeCloseTo(3.5, 0);
  const values = all.reduce((sum, [, list]) => sum + list.length, 0) / count;
  expect(values).toBeGreaterThan(10);
  expect(values).toBeLessThan(15);
  const shares = {
    contains: share((modifiers) => modifiers[0] === 'contains'),
    endswith: share((modifiers) => modifiers[0] === 'endswith'),
    equals: share((modifiers) => modifiers.length === 0),
    all: share((modifiers) => modifiers.includes('all')),
    startswith: share((modifiers) => modifiers[0] === 'startswith'),
    re: share((modifiers) => modifiers[0] === 're'),
  };
  const counted = { contains: 0.64, endswith: 0.55, equals: 0.55, all: 0.22, startswith: 0.09, re: 0.03 };
  for (const [name, wanted] of Object.entries(counted))
    expect(Math.abs(shares[name as keyof typeof shares] - wanted), name).toBeLessThan(0.12);
  const lengths = all
    .filter(([modifiers]) => modifiers[0] === 'contains')
    .flatMap(([, list]) => list.map((value) => String(value).length))
    .sort((a, b) => a - b);
  const at = (part: number): number => lengths[Math.floor(lengths.length * part)] as number;
  expect(Math.abs(at(0.5) - 13)).toBeLessThanOrEqual(2);
  expect(Math.abs(at(0.95) - 64)).toBeLessThanOrEqual(10);
  const short = lengths.filter((length) => length < 4).length / lengths.length;
  expect(short).toBeGreaterThan(0.05);
  expect(short).toBeLessThan(0.15);
});
