// The SOC mix: the same in every run, of the shape it is said to have, and of one meaning in both languages.

import type { Rule } from '@tocsin/schemas/types.ts';
import { referenceMatches } from '@tocsin/topologies/domain/rules/reference/match-rule.ts';
import { describe, expect, test } from 'vitest';
import { eventBytes, socEvents } from './soc-events.ts';
import { socRules, toPattern, toRule } from './soc-rules.ts';

type Json = Record<string, unknown>;
const parse = (text: string): Json => JSON.parse(text) as Json;

describe('the same seed gives the same', () => {
  test('events', () => expect(socEvents(50)).toEqual(socEvents(50)));
  test('rules, and fewer rules are the first of more', () => {
    expect(socRules(200).slice(0, 100)).toEqual(socRules(100));
  });
  test('another seed gives others', () => {
    expect(socEvents(50, 9)).not.toEqual(socEvents(50));
    expect(socRules(50, 9)).not.toEqual(socRules(50));
  });
});

test('every event is one line of ASCII of 631 bytes', () => {
  for (const event of socEvents(2_000)) {
    expect(Buffer.byteLength(event)).toBe(eventBytes);
    expect(event).toMatch(/^[\x20-\x7e]+$/);
  }
});

test('every kind of predicate is there, and ids are unique', () => {
  const rules = socRules(2_000);
  const ops = new Set(rules.flatMap(({ predicates }) => predicates.map(({ op }) => op)));
  expect([...ops].sort()).toEqual(['cidr', 'in', 'not', 'number', 'prefix', 'range', 'severity', 'suffix']);
  expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
});

test('10,000 rules give about 11 matches per event', () => {
  const rules = socRules(10_000).map(toPattern);
  const events = socEvents(100).map(parse);
  let matches = 0;
  for (const event of events) for (const pattern of rules) if (patternMatches(pattern, event)) matches += 1;
  expect(matches / events.length).toBeGreaterThan(9.5);
  expect(matches / events.length).toBeLessThan(12.5);
});

// Conditions by themselves too: together they hold so seldom that a wrong bound would not be seen.
test('a rule and its pattern mean the same, as a whole and condition by condition', () => {
  const whole = socRules(200, 5);
  const single = whole.flatMap(({ id, predicates }) => predicates.map((one) => ({ id, predicates: [one] })));
  const events = socEvents(150, 6).map(parse);
  const matches = [whole, single].map((rules) => {
    let count = 0;
    for (const rule of rules) {
      const own = toRule(rule) as unknown as Rule;
      const pattern = toPattern(rule);
      for (const fields of events) {
        const expected = patternMatches(pattern, fields);
        if (referenceMatches(own, { fields }) !== expected)
          throw new Error(`${JSON.stringify(own)} differs from its pattern on ${JSON.stringify(fields)}`);
        if (expected) count += 1;
      }
    }
    return count;
  });
  expect(matches[0]).toBeGreaterThan(10);
  expect(matches[1]).toBeGreaterThan(10_000);
});

// event-ruler's README read once more, for these patterns alone.
function patternMatches(pattern: Json, event: Json): boolean {
  return Object.entries(pattern).every(([name, wanted]) => {
    const value = event[name];
    if (!Array.isArray(wanted)) return patternMatches(wanted as Json, value as Json);
    const elements = Array.isArray(value) ? value : [value];
    return elements.some((element) => wanted.some((one) => valueMatches(one, element)));
  });
}

function valueMatches(wanted: unknown, element: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return wanted === element;
  const [[name, value]] = Object.entries(wanted) as [[string, never]];
  const text = String(element);
  if (name === 'prefix') return text.startsWith(value);
  if (name === 'suffix') return text.endsWith(value);
  if (name === 'anything-but') return !(value as unknown[]).includes(element);
  if (name === 'numeric') return (element as number) >= value[1] && (element as number) <= value[3];
  if (name === 'cidr') {
    const [network, bits] = (value as string).split('/') as [string, string];
    const binary = (address: string) =>
      address
        .split('.')
        .map((part) => Number(part).toString(2).padStart(8, '0'))
        .join('')
        .slice(0, Number(bits));
    return binary(network) === binary(text);
  }
  throw new Error(`no ${name}`);
}
