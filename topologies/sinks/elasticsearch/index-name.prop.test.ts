// Index names against the rules of the servers and the calendar of the runtime, whatever the events hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexNameOf, parseIndexPattern } from './index-name.ts';

function nameOf(text: string, ms: number, event: unknown = {}): string {
  const pattern = parseIndexPattern(text);
  if ('error' in pattern) throw new Error(pattern.error);
  return indexNameOf(pattern, ms, event, 'none');
}

/** Elasticsearch Guide, Create index, path parameters. */
function isAllowed(name: string): boolean {
  return (
    name === name.toLowerCase() &&
    !/[\\/*?"<>| ,#:]/.test(name) &&
    !/^[-_+.]/.test(name) &&
    name.isWellFormed() &&
    Buffer.byteLength(name) <= 255
  );
}

describe('B36: dates', () => {
  it.each([
    ['a-%{+YYYY.MM}', '2026-12-31T23:59:59Z', 'a-2026.12'],
    ['a-%{+YYYY.MM.dd}', '2026-12-31T23:59:59Z', 'a-2026.12.31'],
    ['a-%{+yyyy.MM.dd.HH}', '2027-01-01T00:00:00Z', 'a-2027.01.01.00'],
    // Week-year: Joda writes xxxx, and YYYY is the calendar year. ISO 8601: 2027-01-01 is in week 53 of 2026.
    ['a-%{+xxxx.ww}', '2027-01-01T00:00:00Z', 'a-2026.53'],
    ['a-%{+YYYY}', '2027-01-01T00:00:00Z', 'a-2027'],
    ['a-%{+xxxx.ww}', '2024-12-30T12:00:00Z', 'a-2025.01'],
    ['a-%{+xxxx.ww}', '2021-01-03T23:59:59Z', 'a-2020.53'],
    ['a-%{+YYYY.DDD}', '2024-12-31T23:00:00Z', 'a-2024.366'],
    ['a-%{+YYYY.DDD}', '1969-01-01T00:00:00Z', 'a-1969.001'],
    ['a-%{+YYYY.MM}-b', '0001-01-01T00:00:00Z', 'a-0001.01-b'],
  ])('%s at %s is %s', (pattern, time, expected) => {
    expect(nameOf(pattern, Date.parse(time))).toBe(expected);
  });

  it('are those of the ISO text', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1, 0), max: Date.UTC(9999, 11, 31) }), (ms) => {
        const iso = new Date(ms).toISOString();
        expect(nameOf('a-%{+YYYY-MM-dd_HH}', ms)).toBe(`a-${iso.slice(0, 10)}_${iso.slice(11, 13)}`);
      }),
    );
  });

  it('of all days of a week have its number', () => {
    fc.assert(
      fc.property(fc.integer({ min: -25_000, max: 100_000 }), fc.nat(86_399_999), (weeks, within) => {
        // 1970-01-05 was a Monday.
        const monday = (weeks * 7 + 4) * 86_400_000;
        const names = [0, 1, 2, 3, 4, 5, 6].map((day) =>
          nameOf('a-%{+xxxx.ww}', monday + day * 86_400_000 + within),
        );
        expect(new Set(names).size).toBe(1);
        expect(nameOf('a-%{+xxxx.ww}', monday - 1)).not.toBe(names[0]);
      }),
    );
  });
});

describe('B36: fields', () => {
  it('make names that the servers allow, whatever they hold', () => {
    const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.jsonValue());
    fc.assert(
      fc.property(value, value, (a, b) => {
        const name = nameOf('s4e-%{[data][a]}%{b}-%{+YYYY}', 0, { data: { a }, b });
        expect(isAllowed(name), name).toBe(true);
        expect(name.startsWith('s4e-')).toBe(true);
        expect(name.endsWith('-1970')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['High', 'high'],
    ['a/b:c d', 'a_b_c_d'],
    ['日本', '日本'],
    ['\ud800', '\ufffd'],
    [7, '7'],
    [true, 'true'],
    ['', 'none'],
    [null, 'none'],
    [undefined, 'none'],
    [{ x: 1 }, 'none'],
    [['a'], 'none'],
  ])('%j is %j', (severity, expected) => {
    expect(nameOf('s4e-%{[data][severity]}', 0, { data: { severity } })).toBe(`s4e-${expected}`);
    expect(nameOf('s4e-%{data.severity}', 0, { data: { severity } })).toBe(`s4e-${expected}`);
  });

  it.each(['x', 'é', '語', '😀'])('of many %s are cut, never within a character', (character) => {
    const name = nameOf('s4e-%{a}-%{b}-%{+YYYY}', 0, { a: character.repeat(300), b: character.repeat(300) });
    const held = Math.floor(100 / Buffer.byteLength(character));
    expect(name).toBe(`s4e-${character.repeat(held)}-${character.repeat(held)}-1970`);
    expect(isAllowed(name)).toBe(true);
  });

  it('are own members only', () => {
    expect(nameOf('s4e-%{[constructor][name]}', 0, {})).toBe('s4e-none');
  });
});
