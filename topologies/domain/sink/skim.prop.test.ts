// What the skim sees, against JSON.parse.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { skimEvent } from './skim.ts';

type Event = { event?: unknown; data?: { severity?: unknown; category?: unknown } };

const textOr = (value: unknown): unknown => (typeof value === 'string' ? value : undefined);
function parsedMembers(text: string): unknown[] {
  const { event, data } = JSON.parse(text) as Event;
  const inner = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  return [textOr(event), textOr(inner.severity), textOr(inner.category)];
}
function skimmedMembers(text: string): unknown[] | null {
  // Other bytes around it, as in a record batch.
  const bytes = Buffer.from(`"}{${text}]"`);
  const found = skimEvent(bytes, 3, bytes.length - 2) as Event | null;
  return found && [found.event, found.data?.severity, found.data?.category];
}

const name = fc.constantFrom('event', 'data', 'severity', 'category', 'a', '', 'eventx', '\\u0065vent', 'é');
const leaf = fc.constantFrom(
  '"high"',
  '"finding.new"',
  '"a\\"b"',
  '"[{]}"',
  '7',
  '-1.5e3',
  'null',
  'true',
  '""',
  '"é"',
);
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .array(fc.tuple(name, tie('value')), { maxLength: 5 })
      .map((members) => `{${members.map(([key, value]) => `"${key}" : ${value}`).join(' ,')}}`),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(', ')}]`),
  ),
}));
const object = fc
  .array(fc.tuple(name, json), { maxLength: 6 })
  .map((members) => `{${members.map(([key, value]) => `"${key}":${value}`).join(',')}}`);

it('sees what JSON.parse sees, or says that it cannot tell', () => {
  let told = 0;
  fc.assert(
    fc.property(object, (text) => {
      const skimmed = skimmedMembers(text);
      if (skimmed === null) {
        expect(text).toContain('\\');
        return;
      }
      told += 1;
      expect(skimmed).toEqual(parsedMembers(text));
    }),
    { numRuns: 5_000 },
  );
  expect(told).toBeGreaterThan(2_000);
});

it.each([
  ['{"event":"a","event":"b","data":{"severity":"low"},"data":{"category":"x"}}', ['b', undefined, 'x']],
  ['{"event":"a","event":1,"data":{"severity":"low","severity":[1]}}', [undefined, undefined, undefined]],
  [
    '{"data":{"x":{"severity":"high"},"y":[{"severity":"high"}]},"severity":"high"}',
    [undefined, undefined, undefined],
  ],
])('%s', (text, expected) => {
  expect(skimmedMembers(text)).toEqual(expected);
  expect(parsedMembers(text)).toEqual(expected);
});
