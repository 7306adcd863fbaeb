import { describe, expect, it } from 'vitest';
import { checkDatePatterns, fillDates, refuseIndexName } from './index-name.ts';

describe('dates in names of indices', () => {
  // ISO 8601 week dates: 2027-01-01 is a Friday in week 53 of 2026; 2024-12-30 is the Monday of week 1 of 2025.
  it.each([
    ['s4e-events-%{+YYYY.MM}', '2026-04-28T12:00:00Z', 's4e-events-2026.04'],
    ['x-%{+yyyy.MM.dd}', '2026-01-01T00:00:00Z', 'x-2026.01.01'],
    ['x-%{+YYYY.MM.dd}', '2025-12-31T23:59:59.999Z', 'x-2025.12.31'],
    ['x-%{+YYYY.MM.dd.HH}', '2026-04-28T09:05:00Z', 'x-2026.04.28.09'],
    ['x-%{+xxxx.ww}', '2027-01-01T00:00:00Z', 'x-2026.53'],
    ['x-%{+xxxx.ww}', '2024-12-30T00:00:00Z', 'x-2025.01'],
    ['x-%{+YYYY.DDD}', '2024-12-31T00:00:00Z', 'x-2024.366'],
    ['%{+YYYY}-x-%{+MM}', '2026-04-28T12:00:00Z', '2026-x-04'],
    ['no date', '2026-04-28T12:00:00Z', 'no date'],
  ])('%s at %s', (text, time, name) => {
    expect(fillDates(text, Date.parse(time))).toBe(name);
    expect(checkDatePatterns(text)).toBeNull();
  });

  it.each(['%{+YYYY.ww}', '%{+}', '%{+YYYY.mm}', '%{+EEE}', '%{+MMMM}', '%{[data][x]}', '%{x}', '%{+YYYY'])(
    'refuses %s',
    (text) => {
      expect(checkDatePatterns(`x-${text}`)).toEqual(expect.any(String));
    },
  );
});

// opensearch.org/docs, "Index naming restrictions"; Elasticsearch create index API, path parameters.
describe('names of indices', () => {
  it.each(['events', '.smos_mitre-2026.04', 'a', '1', 'größe', 'a+b', `${'x'.repeat(255)}`])(
    'takes %s',
    (name) => {
      expect(refuseIndexName(name)).toBeNull();
    },
  );

  it.each([
    '',
    '.',
    '..',
    'Events',
    '-x',
    '_x',
    '+x',
    'a b',
    'a\\b',
    'a/b',
    'a*',
    'a?',
    'a"b',
    'a<b',
    'a>b',
    'a|b',
    'a,b',
    'a#b',
    'a:b',
    'a\nb',
    'x'.repeat(256),
    'é'.repeat(128),
  ])('refuses %j', (name) => {
    expect(refuseIndexName(name)).toEqual(expect.any(String));
  });
});
