// Event times against Date: every time that Date prints is read back, and nothing that is no time is.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochMsOf } from './event-time.ts';

function parse(text: string): number {
  const bytes = Buffer.from(`"${text}"`);
  return epochMsOf(bytes, 1, bytes.length - 1);
}

describe('epochMsOf', () => {
  it('reads what Date writes', () => {
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('0000-01-01T00:00:00Z'),
          max: new Date('9999-12-31T23:59:59.999Z'),
          noInvalidDate: true,
        }),
        (date) => {
          expect(parse(date.toISOString())).toBe(date.getTime());
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('agrees with Date.parse on shapes of RFC 3339', () => {
    const two = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, '0'));
    const text = fc
      .tuple(
        fc.integer({ min: 1900, max: 2100 }),
        two,
        two,
        two,
        two,
        two,
        fc.constantFrom('', '.5', '.25', '.123', '.1239', '.123456789'),
        fc.constantFrom('Z', '+02:00', '-05:30', '+23:59'),
      )
      .map(([y, mo, d, h, mi, s, f, z]) => `${y}-${mo}-${d}T${h}:${mi}:${s}${f}${z}`);
    fc.assert(
      fc.property(text, (time) => {
        // V8 takes hour 24 and days that roll over into the next month; RFC 3339 does not.
        const date = Number(time.slice(8, 10));
        const rolls =
          time.slice(11, 13) === '24' ||
          (!Number.isNaN(Date.parse(time)) &&
            new Date(`${time.slice(0, 10)}T00:00:00Z`).getUTCDate() !== date);
        expect(parse(time)).toBe(rolls ? Number.NaN : Math.floor(Date.parse(time)));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    '',
    '2026-04-28',
    '2026-04-28T12:00:00',
    '2026-04-28T12:00:00.Z',
    '2026-04-28T12:00:60Z',
    '1777377600000',
    '2026-04-28T12:00:00Zx',
    '2026-04-28T12:00:00+2:00',
    '2026-04-28T12:00:00.1234567890Z',
    '2026-02-29T12:00:00Z',
  ])('%s is no time', (text) => {
    expect(parse(text)).toBeNaN();
  });
});

it.each([
  '2026-04-28T12:00:00Z',
  '2026-04-28T12:00:59.999Z',
  '2026-04-28T12:00:60Z',
  '2026-04-28T12:00:7xZ',
  '2026-04-28T12:00.00Z00',
  '2026-04-28T12:00:01+02:00',
])('the second reading of a minute says the same as the first: %s', (text) => {
  const read = (time: string): number => epochMsOf(Buffer.from(time), 0, time.length);
  read('1999-01-01T00:00:00Z');
  const first = read(text);
  read('2026-04-28T12:00:30Z');
  expect(read(text)).toBe(first);
  const parsed = Date.parse(text);
  expect(first).toBe(Number.isNaN(parsed) ? Number.NaN : parsed);
});
