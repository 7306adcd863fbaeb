// Frames from the scan against frames from the parsed event; structured data against the parser of others; sizes.
import fc from 'fast-check';
import glossy from 'glossy';
import { expect, it } from 'vitest';
import { frameAll } from '../contract.ts';
import { syslogFrame } from './frame.ts';
import { messageOf, messagesOf } from './kit.ts';
import { layoutOf } from './layout.ts';
import type { SyslogParams } from './manifest.ts';

const special = fc.constantFrom(
  '=',
  '|',
  '\\',
  '"',
  ']',
  '[',
  '^',
  '\t',
  '\n',
  '\r',
  '\u0000',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u202e',
  '\ud800',
  'é',
  '😀',
  ' ',
);
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.array(fc.oneof(special, fc.string({ maxLength: 3 })), { maxLength: 20 }).map((parts) => parts.join('')),
  fc.constantFrom(
    '10.0.0.1',
    '::1',
    '1.2.3',
    'host',
    'critical',
    'Low',
    '2026-04-28T12:00:00.5Z',
    '9.8',
    '7',
    '1777377600000',
  ),
  fc.integer({ min: 1000, max: 5000 }).map((length) => 'x='.repeat(length)),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: text },
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(text, { maxLength: 3 }),
  fc.record({ a: text }),
);
const event = fc.record(
  {
    id: value,
    event: fc.oneof(fc.constantFrom('finding.new', 'scan.completed'), value),
    timestamp: fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      value,
    ),
    'data.title': value,
    data: fc.oneof(
      fc.record(
        {
          title: value,
          severity: value,
          cvss: value,
          finding_id: value,
          category: value,
          url: value,
          vuln_name: value,
          asset: fc.oneof(fc.record({ name: value, ip: value, id: value }, { requiredKeys: [] }), value),
          source: fc.record({ ip: value, host: value }, { requiredKeys: [] }),
        },
        { requiredKeys: [] },
      ),
      value,
    ),
  },
  { requiredKeys: [] },
);
const params: fc.Arbitrary<SyslogParams> = fc.record(
  {
    format: fc.constantFrom('cef', 'leef', 'rfc5424', 'json'),
    profile: fc.constantFrom('strict', 'seed'),
    header: fc.constantFrom('rfc5424', 'rfc3164', 'none'),
    delimiter: fc.constantFrom('x09', '^', ' '),
    bom: fc.boolean(),
  },
  { requiredKeys: [] },
);

it('the scan and the parser make the same message of every event', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 4 }),
      params,
      fc.constantFrom('octet-counting', 'lf'),
      fc.integer({ min: 700, max: 9000 }),
      (events, given, framing, maxMessageBytes) => {
        const json = given.format === 'json';
        const framesOf = (slow: boolean): string =>
          frameAll(
            syslogFrame({
              layout: layoutOf(given, 'sensor'),
              maxMessageBytes: json ? 131_072 : maxMessageBytes,
              maxEventBytes: 1_048_576,
              framing,
              onCut: () => undefined,
              slow,
            }),
            events.map((each) => JSON.stringify(each)),
          ).toString();
        const fast = framesOf(false);
        expect(fast).toBe(framesOf(true));
        if (framing === 'lf') expect(fast.split('\n')).toHaveLength(events.length + 1);
        else
          for (const message of messagesOf(Buffer.from(fast)))
            expect(json || Buffer.byteLength(message) <= maxMessageBytes).toBe(true);
      },
    ),
    { numRuns: 1500 },
  );
});

it('structured data says the same to a parser of others', () => {
  // What is taken out on purpose is not part of the comparison, and neither is what its splitting at spaces folds.
  const plain = text.filter(
    (each) => each !== '' && !/[\p{Cc}\p{Cs}\u2028-\u202e]/u.test(each) && each.length < 500,
  );
  fc.assert(
    fc.property(plain, plain, (name, id) => {
      const message = messageOf(
        { format: 'rfc5424' },
        { event: 'x', id, data: { title: 'text', asset: { name } } },
      );
      expect(glossy.Parse.parse(message).structuredData?.['soc@32473']).toEqual({
        id,
        event: 'x',
        asset: name,
      });
    }),
    { numRuns: 500 },
  );
});
