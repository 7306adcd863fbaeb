// Buckets that are split agree with the reference evaluator: many rules over few values of few fields, and the structures that
// look numbers, networks and parts of texts up.
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRule } from '../parse-rule.ts';
import { referenceMatches } from '../reference/match-rule.ts';
import { addInterval, createIntervalIndex, stab } from './intervals.ts';
import { above, below } from './ints.ts';
import { regexLiteral } from './literals.ts';
import { createMatcher } from './matcher.ts';

const limit = { timeout: 60_000 };
const context = { now: 0, lists: new Map() };

const words = ['x', 'y', 'z', 'xy'];
const word = fc.constantFrom(...words);
const some = fc.subarray(words, { minLength: 1, maxLength: 3 });
const small = fc.integer({ min: 0, max: 9 });
const networks = [
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '10.1.2.128/25',
  '2001:db8::/32',
  '2001:db8:1::/48',
];

const whenArbitrary = fc.record(
  {
    event: fc.constantFrom<unknown>('finding.new', ['finding.new', 'finding.old'], { prefix: 'finding.' }),
    'data.tags': fc.oneof<fc.Arbitrary<unknown>[]>(
      some,
      word,
      fc.record({ not: word }),
      fc.record({ all: some }),
    ),
    'data.b': fc.oneof<fc.Arbitrary<unknown>[]>(
      some,
      fc.record({ suffix: some }),
      fc.record({ contains: some }),
    ),
    'data.n': fc.oneof<fc.Arbitrary<unknown>[]>(
      fc.tuple(small, small).map(([a, b]) => ({ gte: Math.min(a, b), lt: Math.max(a, b) + 1 })),
      fc.record({ gt: small }),
      fc.array(small, { minLength: 1, maxLength: 3 }),
    ),
    'data.ip': fc.record({ cidr: fc.subarray(networks, { minLength: 1, maxLength: 2 }) }),
    min_severity: fc.constantFrom('low', 'medium', 'high'),
    any: fc
      .tuple(word, small)
      .map(([a, n]) => [{ 'data.b': a }, { 'data.n': { gte: n } }, { 'data.c': a, 'data.tags': a }]),
  },
  { requiredKeys: ['event'] },
);

const eventArbitrary = fc.record({
  event: fc.constantFrom('finding.new', 'finding.old', 'scan.done'),
  data: fc.record(
    {
      tags: fc.oneof<fc.Arbitrary<unknown>[]>(word, fc.array(word, { maxLength: 3 })),
      b: fc.oneof<fc.Arbitrary<unknown>[]>(word, fc.constant('zxy')),
      c: word,
      n: fc.oneof<fc.Arbitrary<unknown>[]>(small, fc.array(small, { maxLength: 3 }), fc.constant(4.5)),
      ip: fc.constantFrom(
        '10.1.2.3',
        '10.1.2.200',
        '10.2.0.1',
        '11.0.0.1',
        '2001:db8::1',
        '2001:DB8:1::5',
        '10.01.2.3',
      ),
      severity: fc.constantFrom('info', 'LOW', 'medium', 'High', 'critical', 'odd'),
    },
    { requiredKeys: [] },
  ),
});

test('many rules over few values agree with the reference evaluator', limit, () => {
  let split = 0;
  const property = fc.property(
    fc.array(whenArbitrary, { minLength: 120, maxLength: 250, size: 'max' }),
    fc.array(eventArbitrary, { minLength: 6, maxLength: 6 }),
    (whens, events) => {
      const matcher = createMatcher({ createScanner, hashText, seed: 9 });
      const documents = whens.map(
        (when, i): Rule => ({
          kind: 'rule',
          id: `r${String(i).padStart(3, '0')}`,
          when,
          then: [{ action: 'a' }],
        }),
      );
      for (const [i, document] of documents.entries()) {
        const { rule } = parseRule(document);
        matcher.put({ ...(rule as NonNullable<typeof rule>), revision: 1 });
        // Half of them one at a time, so that buckets are split while rules come as well as in one go.
        if (i > documents.length / 2) matcher.match({ source: 'events', fields: {}, search: null }, context);
      }
      for (const fields of events) {
        const bytes = Buffer.from(JSON.stringify(fields));
        const { rules } = matcher.matchBytes(bytes, 0, bytes.length, context);
        const wanted = documents.filter((document) => referenceMatches(document, { fields }));
        expect(rules?.map(({ document }) => document.id)).toEqual(wanted.map(({ id }) => id));
      }
      split += matcher.stats().splits;
    },
  );
  fc.assert(property, { numRuns: 25 });
  expect(split).toBeGreaterThan(25);
});

test('an index of intervals finds those that hold a number', () => {
  const bound = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.constantFrom(-Infinity, Infinity, 0.5));
  fc.assert(
    fc.property(fc.array(fc.tuple(bound, bound), { maxLength: 400, size: 'max' }), bound, (pairs, value) => {
      const index = createIntervalIndex();
      for (const [i, [low, high]] of pairs.entries()) addInterval(index, i, low, high);
      const found: number[] = [];
      stab(index, value, (atom) => found.push(atom));
      const wanted = pairs.flatMap(([low, high], i) => (low <= value && value <= high ? [i] : []));
      expect(found.sort((a, b) => a - b)).toEqual(wanted);
    }),
  );
});

test('the doubles next to a double have none between', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(above(value)).toBeGreaterThan(value);
      expect(below(above(value)) === value || Object.is(value, -0)).toBe(true);
      expect(below(value)).toBeLessThan(value);
    }),
  );
});

// By RE2's syntax: what every text that fits must contain.
test.each([
  ['abc', '', 'abc'],
  ['abc+d', '', 'abc'],
  ['ab?cd', '', 'cd'],
  ['ab*cde', '', 'cde'],
  ['ab{0,2}cde', '', 'cde'],
  ['a|b', '', ''],
  ['(a|b)long', '', 'long'],
  ['(long)?ab', '', 'ab'],
  ['[long]xy', '', 'xy'],
  ['[]long]xy', '', 'xy'],
  ['[[:alpha:]x]yz', '', 'yz'],
  ['\\d+abc\\.exe', '', 'abc.exe'],
  ['\\Qa|b\\E', '', ''],
  ['(?i)abc', '', ''],
  ['ABCxyz', '', 'abcxyz'],
  ['Mimikatz', 'i', 'mimi'],
  ['\\x41bc', '', ''],
  ['abc$', '', 'abc'],
])('the literal that %s (%s) needs is %j', (source, flags, literal) => {
  expect(regexLiteral({ source, flags })).toBe(literal);
});

test('needles of every length are found where they are', limit, () => {
  const part = fc.array(fc.constantFrom('a', 'b', 'A', 'é', '\\'), { minLength: 1, maxLength: 12 });
  const text = part.map((parts) => parts.join(''));
  const property = fc.property(
    fc.uniqueArray(text, { minLength: 20, maxLength: 60, size: 'max' }),
    fc.array(text, { minLength: 3, maxLength: 6 }).map((parts) => parts.join('b')),
    (needles, haystack) => {
      const matcher = createMatcher({ createScanner, hashText, seed: 9 });
      for (const [i, needle] of needles.entries()) {
        const when = { 'data.a': { contains: needle } };
        const { rule } = parseRule({ kind: 'rule', id: `r${i}`, priority: i, when, then: [{ action: 'a' }] });
        matcher.put({ ...(rule as NonNullable<typeof rule>), revision: 1 });
      }
      const bytes = Buffer.from(JSON.stringify({ data: { a: haystack } }));
      const { rules } = matcher.matchBytes(bytes, 0, bytes.length, context);
      const wanted = needles.flatMap((needle, i) =>
        haystack.toLowerCase().includes(needle.toLowerCase()) ? [`r${i}`] : [],
      );
      expect(rules?.map(({ document }) => document.id)).toEqual(wanted.reverse());
    },
  );
  fc.assert(property, { numRuns: 150 });
});
