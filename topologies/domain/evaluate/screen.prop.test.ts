// What the bytes call plain, the decoded event calls plain: a valid envelope, no test, no note.
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMatcher } from '../rules/matcher/matcher.ts';
import { decide, noDecision } from './decide.ts';
import { eventInput, finding, tables } from './fixtures.ts';
import { isPlain, watchedPaths } from './screen.ts';

const at = Date.parse('2026-04-28T12:00:00Z');
const matcher = createMatcher({ createScanner, hashText, seed: 7, watch: watchedPaths });
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    0,
    -1,
    1.5,
    11,
    true,
    false,
    'high',
    'Kritisch',
    [],
    {},
    ['high'],
    [[1]],
  ),
  fc.string({ maxLength: 3, unit: 'binary' }),
  fc.constantFrom(
    'x'.repeat(128),
    'x'.repeat(129),
    'ä'.repeat(100),
    '\u0000',
    'CRITICAL ',
    '2026-04-29T11:00:00Z',
  ),
);
const member = <T>(usual: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: usual as fc.Arbitrary<unknown> }, odd);
const time = fc.constantFrom(
  '2026-04-28T12:00:00Z',
  '2026-04-28T13:00:00+02:00',
  '2026-04-20T12:00:00Z',
  'today',
);
const envelope = fc.record(
  {
    event: member(fc.constantFrom('finding.new', 'scan.completed')),
    id: member(fc.string({ minLength: 1, maxLength: 10 })),
    timestamp: member(time),
    tenant: member(fc.constant('acme')),
    test: member(fc.constant(false)),
    hops: member(fc.nat(4)),
    data: member(
      fc.record(
        { severity: member(fc.constantFrom('high', 'info')), cvss: member(fc.constantFrom(0, 9.8, 10)) },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: ['event'] },
);

test('plain bytes are a plain event', () => {
  const counts = { plain: 0, other: 0 };
  const none = tables([]);
  fc.assert(
    fc.property(
      envelope,
      fc.constantFrom(at, -1),
      fc.constantFrom(undefined, 1),
      (value, timestamp, space) => {
        const bytes = Buffer.from(JSON.stringify(value, null, space));
        const match = matcher.matchBytes(bytes, 0, bytes.length, { now: at, lists: new Map() });
        if (match.verdict !== 'ok' || !isPlain(match.watched, timestamp)) {
          counts.other += 1;
          return;
        }
        counts.plain += 1;
        const decision = decide(eventInput(value, { timestamp }), none);
        expect(decision).toEqual(noDecision);
      },
    ),
    { numRuns: 5_000 },
  );
  expect(counts.plain).toBeGreaterThan(500);
  expect(counts.other).toBeGreaterThan(500);
});

test('the event of the guide is plain', () => {
  const bytes = Buffer.from(JSON.stringify(finding));
  const match = matcher.matchBytes(bytes, 0, bytes.length, { now: at, lists: new Map() });
  expect(match.verdict === 'ok' && isPlain(match.watched, at)).toBe(true);
});
