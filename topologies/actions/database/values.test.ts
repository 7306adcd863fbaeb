import { describe, expect, it } from 'vitest';
import type { Json } from '../../domain/action/outcome.ts';
import type { ColumnKind, ColumnShape } from '../../ports/database.ts';
import { column } from '../../ports/fakes/database.ts';
import { dialects } from './dialects.ts';
import { toColumn } from './values.ts';

const { postgres, mysql, sqlserver } = dialects;
const of = (value: Json, kind: ColumnKind, dialect = postgres, over: Partial<ColumnShape> = {}) =>
  toColumn(value, column('c', { kind, ...over }), dialect);
const problem = (words: RegExp) => ({ problem: expect.stringMatching(words) });

describe('values of columns', () => {
  it.each<[Json, ColumnKind, string | null]>([
    [null, 'integer', null],
    ["'); drop table y;--", 'text', "'); drop table y;--"],
    [9.8, 'text', '9.8'],
    [true, 'text', 'true'],
    [{ a: [1, 'x'] }, 'text', '{"a":[1,"x"]}'],
    [42, 'integer', '42'],
    [1e21, 'integer', '1000000000000000000000'],
    ['-7', 'integer', '-7'],
    [true, 'integer', '1'],
    [9.8, 'number', '9.8'],
    ['1e-7', 'number', '1e-7'],
    [true, 'boolean', 'true'],
    ['FALSE', 'boolean', 'false'],
    [0, 'boolean', 'false'],
    ['text', 'json', '"text"'],
    [{ a: null }, 'json', '{"a":null}'],
    [['a"b', 'c\\d', null, 1, 'x,y'], 'array', '{"a\\"b","c\\\\d",NULL,"1","x,y"}'],
    ['192.0.2.1', 'other', '192.0.2.1'],
  ])('%j for %s', (value, kind, text) => {
    expect(of(value, kind)).toBe(text);
  });

  // PostgreSQL manual 8.5.1.3: a zone is ignored in a value for a column without one.
  it.each<[Json, ColumnKind, string]>([
    ['2026-04-28T14:30:00.123456+02:30', 'timestamp', '2026-04-28 12:00:00.123456'],
    ['2026-04-28T14:30:00.123456+02:30', 'timestamptz', '2026-04-28 12:00:00.123456+00:00'],
    ['2026-04-28T12:00:00Z', 'timestamp', '2026-04-28 12:00:00'],
    ['2026-04-29T01:00:00+02:00', 'date', '2026-04-28'],
    ['2026-04-28', 'timestamptz', '2026-04-28 00:00:00+00:00'],
    [1777377600, 'timestamptz', '2026-04-28 12:00:00+00:00'],
    [1777377600123, 'timestamptz', '2026-04-28 12:00:00.123+00:00'],
  ])('%j as %s is UTC', (value, kind, text) => {
    expect(of(value, kind)).toBe(text);
  });

  it('writes times with the digits and the letter that the column takes', () => {
    const at = '2026-04-28T12:00:00.123456Z';
    expect(of(at, 'timestamp', mysql, { maxLength: 0 })).toBe('2026-04-28 12:00:00');
    expect(of(at, 'timestamp', sqlserver, { maxLength: 3 })).toBe('2026-04-28T12:00:00.123');
    expect(of(at, 'timestamptz', sqlserver, { maxLength: 7 })).toBe('2026-04-28T12:00:00.123456+00:00');
    expect(of(true, 'boolean', sqlserver)).toBe('1');
  });

  it.each<[Json, ColumnKind, RegExp]>([
    [9.8, 'integer', /whole numbers/],
    ['12abc', 'integer', /whole numbers/],
    ['NaN', 'number', /numbers/],
    ['0x1f', 'number', /numbers/],
    ['1; drop table y', 'number', /numbers/],
    ['yes', 'boolean', /true or false/],
    ['yesterday', 'timestamp', /a time/],
    ['2026-02-30T00:00:00Z', 'timestamp', /a time/],
    [true, 'date', /a time/],
    [{ a: 1 }, 'integer', /list or object/],
    ['{a,b}', 'array', /a list only/],
    [[['a']], 'array', /plain values/],
  ])('refuses %j for %s', (value, kind, words) => {
    expect(of(value, kind)).toEqual(problem(words));
  });

  it('refuses a text that is too long, counted as the engine counts', () => {
    expect(of('ab😀', 'text', postgres, { maxLength: 3 })).toBe('ab😀');
    expect(of('ab😀', 'text', sqlserver, { maxLength: 3 })).toEqual(problem(/takes 3 characters.* has 4/));
    expect(of('abcd', 'text', postgres, { maxLength: 3 })).toEqual(problem(/takes 3 characters.* has 4/));
    expect(of('é'.repeat(4), 'text', mysql, { maxBytes: 7 })).toEqual(problem(/takes 7 bytes.* has 8/));
  });

  it('refuses null characters for PostgreSQL, however deep, and nowhere else', () => {
    for (const value of ['a\u0000b', ['a\u0000'], { a: { 'k\u0000': 1 } }] as Json[]) {
      expect(of(value, 'json')).toEqual(problem(/null character/));
      expect(of(value, 'json', mysql)).toBe(JSON.stringify(value));
    }
    expect(of('a\u0000b', 'text')).toEqual(problem(/null character/));
    // Six characters of text, not one.
    expect(of('a\\u0000b', 'json')).toBe('"a\\\\u0000b"');
  });
});
