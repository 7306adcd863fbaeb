// Dates: how they may be written, bounds, the moment of the question, clocks and calendars of time zones.
import { describe, expect, test } from 'vitest';
import { pin } from '../../../testing/rules.ts';
import { checkRule } from '../parse-rule.ts';

const at = (given: object, value: unknown, expected: boolean) =>
  ['date', { 'data.t': given }, { t: value }, expected] as const;
const noon = Date.UTC(2026, 0, 15, 12);

describe('after is inclusive, before is not', () => {
  pin([
    at({ after: '2026-01-15T12:00:00Z' }, '2026-01-15T12:00:00Z', true),
    at({ after: '2026-01-15T12:00:00Z' }, '2026-01-15T11:59:59.999Z', false),
    at({ before: '2026-01-15T12:00:00Z' }, '2026-01-15T12:00:00Z', false),
    at({ before: '2026-01-15T12:00:00Z' }, '2026-01-15T11:59:59.999Z', true),
    at({ after: '2026-01-01', before: '2026-02-01' }, ['2025-01-01', '2027-01-01'], false),
    at({ after: '2026-01-01', before: '2026-02-01' }, ['2025-01-01', '2026-01-31'], true),
    at({ not: { before: '2026-01-01' } }, '2026-01-01', true),
    at({ not: { before: '2026-01-01' } }, 'soon', true),
  ]);
});

describe('how a date is written', () => {
  const same = { after: '2026-01-15T12:00:00Z', before: '2026-01-15T12:00:00.001Z' };
  pin(
    [
      '2026-01-15T12:00:00Z',
      '2026-01-15t12:00:00z',
      '2026-01-15 12:00',
      '2026-01-15T12:00',
      '2026-01-15T12:00:00',
      '2026-01-15T12:00:00.0',
      '2026-01-15T12:00:00,000999Z',
      '2026-01-15T13:30:00+01:30',
      '2026-01-15T13:30:00+0130',
      '2026-01-15T07:00:00-05',
      '2026-01-15T11:59:60Z',
      noon,
      noon / 1000,
    ].map((value) => at(same, value, true)),
  );
  const ever = { after: -8.64e15, before: 8.64e15 };
  pin(
    [
      '2026-02-29',
      '2026-13-01',
      '2026-00-01',
      '2026-01-00',
      '2026-01-15T24:00:00Z',
      '2026-01-15T12:60Z',
      '2026-01-15T12:00:61Z',
      '2026-01-15T12:00:00+24:00',
      '2026-01-15T12Z',
      '2026-01-15Z',
      '2026-1-15',
      '20260115',
      '2026-01-15T12:00:00Z ',
      ' 2026-01-15',
      '+2026-01-15',
      'tomorrow',
      '1768478400',
      '',
      1e300,
      8.64e15 + 2,
      true,
      { at: '2026-01-15' },
    ].map((value) => at(ever, value, false)),
  );
  pin([
    at(ever, '0000-01-01', true),
    at(ever, '2000-02-29', true),
    at(ever, '1900-02-29', false),
    at({ after: '5138-11-16T09:46:38Z' }, 99_999_999_999, true),
    at({ before: '1973-03-03T09:46:41Z' }, 100_000_000_000, true),
    at({ before: '1970-01-01' }, -1, true),
  ]);
});

describe('now is the moment of the question, here 2026-01-15T12:00:00Z', () => {
  pin([
    at({ after: 'now' }, noon, true),
    at({ after: 'now' }, noon - 1, false),
    at({ after: 'now-7d' }, '2026-01-08T12:00:00Z', true),
    at({ after: 'now-7d' }, '2026-01-08T11:59:59.999Z', false),
    at({ after: 'now-90s' }, '2026-01-15T11:58:30Z', true),
    at({ after: 'now-5m' }, '2026-01-15T11:54:59Z', false),
    at({ before: 'now+1h' }, '2026-01-15T12:59:59Z', true),
    at({ before: 'now+1h' }, '2026-01-15T13:00:00Z', false),
    at({ after: 'now-2w', before: 'now-1w' }, '2026-01-02', true),
  ]);
});

describe('clocks and calendars', () => {
  pin([
    at({ hour: [22, 23, 0] }, '2026-01-15T00:59:59Z', true),
    at({ hour: [22, 23, 0] }, '2026-01-15T01:00:00Z', false),
    at({ hour: 14, time_zone: 'Europe/Berlin' }, '2026-07-15T12:00:00Z', true),
    at({ hour: 13, time_zone: 'Europe/Berlin' }, '2026-01-15T12:00:00Z', true),
    // Summer time begins on 2026-03-29 at 01:00 UTC (Directive 2000/84/EC).
    at({ hour: 1, time_zone: 'Europe/Berlin' }, '2026-03-29T00:59:59.999Z', true),
    at({ hour: 3, time_zone: 'Europe/Berlin' }, '2026-03-29T01:00:00Z', true),
    at({ hour: 2, time_zone: 'Europe/Berlin' }, '2026-10-25T00:30:00Z', true),
    at({ hour: 2, time_zone: 'Europe/Berlin' }, '2026-10-25T01:30:00Z', true),
    at({ hour: 17, minute: 45, time_zone: 'Asia/Kathmandu' }, '2026-01-15T12:00:00Z', true),
    at({ weekday: 'thu' }, '2026-01-15', true),
    at({ weekday: ['Saturday', 7] }, '2026-01-18', true),
    at({ weekday: 'wed', time_zone: 'America/New_York' }, '2026-01-15T04:59:59Z', true),
    at({ day: 31, month: 12, year: 2025, time_zone: 'America/New_York' }, '2026-01-01T04:00:00Z', true),
    // ISO 8601: 2027-01-01 is in week 53 of 2026, 2024-12-30 in week 1 of 2025.
    at({ week: 53 }, '2027-01-01', true),
    at({ week: 1 }, '2024-12-30', true),
    at({ week: 53, year: 2026 }, '2027-01-01', false),
    at({ month: 2, day: 29 }, '2024-02-29', true),
    at({ hour: 23, day: 31, year: 1969 }, -1, true),
    at({ hour: 9, weekday: 'mon' }, ['2026-01-12T10:00:00Z', '2026-01-13T09:00:00Z'], false),
    at({ hour: 12 }, '12:00', false),
  ]);
});

describe('what is refused', () => {
  const issues = (given: object, field = 'data.t'): string[] =>
    checkRule({ kind: 'rule', id: 'r', when: { [field]: given }, then: [{ action: 'a' }] }).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  const bound = 'must be an ISO 8601 date, epoch seconds or ms, or now-7d (s, m, h, d, w)';
  const numbers = (low: number, high: number): string => `must be a whole number from ${low} to ${high}`;
  test.each([
    [{ after: 'now-7' }, `/when/data.t/after: ${bound}`],
    [{ after: 'now-7y' }, `/when/data.t/after: ${bound}`],
    [{ after: 'now - 7d' }, `/when/data.t/after: ${bound}`],
    [{ before: '2026-02-30' }, `/when/data.t/before: ${bound}`],
    [{ before: null }, `/when/data.t/before: ${bound}`],
    [{ after: ['2026-01-01'] }, `/when/data.t/after: ${bound}`],
    [{ after: '2026-02-01', before: '2026-01-01' }, '/when/data.t: nothing lies within these bounds'],
    [{ after: '2026-02-01', before: '2026-02-01' }, '/when/data.t: nothing lies within these bounds'],
    [{ after: 'now-1d', before: 'now-7d' }, '/when/data.t: nothing lies within these bounds'],
    [{ hour: 24 }, `/when/data.t/hour: ${numbers(0, 23)}`],
    [{ hour: [1, '2'] }, `/when/data.t/hour/1: ${numbers(0, 23)}`],
    [{ hour: [] }, '/when/data.t/hour: an empty list never matches'],
    [{ minute: -1 }, `/when/data.t/minute: ${numbers(0, 59)}`],
    [{ day: 0 }, `/when/data.t/day: ${numbers(1, 31)}`],
    [{ week: 54 }, `/when/data.t/week: ${numbers(1, 53)}`],
    [{ month: 1.5 }, `/when/data.t/month: ${numbers(1, 12)}`],
    [{ year: 10_000 }, `/when/data.t/year: ${numbers(0, 9999)}`],
    [
      { weekday: 'funday' },
      '/when/data.t/weekday: must be a weekday such as mon or monday, or 1 (Monday) to 7',
    ],
    [{ weekday: 0 }, '/when/data.t/weekday: must be a weekday such as mon or monday, or 1 (Monday) to 7'],
    [
      { hour: 1, time_zone: 'Mars/Base' },
      '/when/data.t/time_zone: must be a time zone such as Europe/Berlin or UTC',
    ],
    [{ hour: 1, time_zone: 7 }, '/when/data.t/time_zone: must be a time zone such as Europe/Berlin or UTC'],
    [
      { time_zone: 'UTC' },
      '/when/data.t/time_zone: is for minute, hour, day, weekday, week, month, year alone',
    ],
  ])('%j', (given, issue) => expect(issues(given)).toEqual([issue]));
  test.each([[{ after: 'now' }], [{ hour: 1 }], [{ regex: 'x' }], [{ wildcard: 'x' }], [{ cidr: '::1' }]])(
    'a severity is no text, date or address: %j',
    (given) => {
      const [name] = Object.keys(given);
      expect(issues(given, 'severity')).toEqual([`/when/severity/${name}: this operator does not fit here`]);
    },
  );
});
