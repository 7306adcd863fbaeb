// Operators that rules of other languages need: exact case within texts, other_than, type, related fields, and paths that
// mean every text below them. Pinned, with what is refused.
import { describe, expect, test } from 'vitest';
import { holdsForRow, pin } from '../../../testing/rules.ts';
import { checkRule } from '../parse-rule.ts';

describe('exact case within a text', () => {
  const cased = (operand: unknown, text: unknown, expected: boolean) =>
    ['cased', { 'data.a': { cased: operand } }, { a: text }, expected] as const;
  pin([
    cased({ prefix: 'Ab' }, 'Abc', true),
    cased({ prefix: 'Ab' }, 'abc', false),
    cased({ suffix: ['X', 'bC'] }, 'abC', true),
    cased({ suffix: 'bC' }, 'abc', false),
    cased({ contains: 'ΟΣ' }, 'xΟΣx', true),
    cased({ contains: 'ΟΣ' }, 'xΟς', false),
    cased({ wildcard: 'A*\\*Z' }, 'A-*Z', true),
    cased({ wildcard: 'A*\\*Z' }, 'a-*Z', false),
    cased({ wildcard: '?İ' }, 'xİ', true),
    cased({ prefix: 'A' }, ['a', 'Ab'], true),
    cased({ prefix: '1' }, 1, false),
    [
      'and another operator on the same element',
      { 'data.a': { cased: { prefix: 'A' }, suffix: 'z' } },
      { a: ['Ab', 'az'] },
      false,
    ],
  ]);
});

describe('other_than: one element is a value and differs', () => {
  const other = (operand: unknown, value: unknown, expected: boolean) =>
    ['other_than', { 'data.a': { other_than: operand } }, { a: value }, expected] as const;
  pin([
    other('x', 'y', true),
    other('x', 'X', false),
    other('x', ['x', 'y'], true),
    other(['x', 'y'], ['x', 'Y'], false),
    other('x', [], false),
    other('x', null, true),
    other(null, null, false),
    other('x', { y: 1 }, false),
    other({ prefix: 'x', suffix: 'z' }, 'xy', true),
    other({ cased: 'x' }, 'X', true),
    ['absent', { 'data.a': { other_than: 'x' } }, {}, false],
    ['with another operator', { 'data.a': { other_than: 'ax', prefix: 'a' } }, { a: ['ax', 'b'] }, false],
  ]);
});

describe('type', () => {
  const type = (kinds: unknown, value: unknown, expected: boolean) =>
    ['type', { 'data.a': { type: kinds } }, { a: value }, expected] as const;
  pin([
    type('string', '', true),
    type('string', 1, false),
    type('number', 0, true),
    type(['boolean', 'null'], [1, null], true),
    type('object', {}, true),
    type('object', [], false),
    type('value', {}, false),
    type('value', [{}, false], true),
    ['absent', { 'data.a': { type: 'null' } }, {}, false],
  ]);
});

describe('related fields', () => {
  const related = (at: string, a: unknown, b: unknown, expected: boolean) =>
    ['field at', { 'data.a': { field: { path: 'data.b', at } } }, { a, b }, expected] as const;
  pin([
    related('prefix', 'ABC', 'ab', true),
    related('suffix', 'abc', ['x', 'BC'], true),
    related('contains', 'abc', 'B', true),
    related('contains', 'abc', 'd', false),
    related('contains', 'abc', '', true),
    related('contains', 'a1', 1, false),
    related('prefix', 1, '', false),
  ]);
});

describe('every text below a path', () => {
  const deep = { a: [{ b: { c: ['x', 7] } }, 'Needle'], n: 1 };
  pin([
    ['in lists and objects', { 'data.*': { contains: 'needle' } }, deep, true],
    ['below a path', { 'data.a.*': 'x' }, deep, true],
    ['numbers are no texts', { 'data.*': 7 }, deep, false],
    ['names are no texts', { 'data.*': { contains: 'n' } }, { n: 1 }, false],
    ['no text is absence', { 'data.*': { exists: false } }, { n: 1, m: [] }, true],
    ['all of the event', { '*': 'finding.new' }, {}, true],
    ['each text is an element', { 'data.*': { prefix: 'x', suffix: 'e' } }, deep, false],
    ['own members only', { 'data.*': { contains: 'x' } }, JSON.parse('{"__proto__":{"a":"x"}}'), true],
  ]);
  test('of a row, not of its search result', () => {
    expect(holdsForRow({ '*': 'x' }, { a: { b: 'X' } }, {})).toBe(true);
    expect(holdsForRow({ '*': 'x' }, {}, { name: 'x' })).toBe(false);
  });
});

describe('what is refused', () => {
  const issues = (when: object, more: object = {}): string[] =>
    checkRule({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }], ...more }).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  const caseOperators =
    'must be a value, a list, or an object with one of prefix, suffix, contains, wildcard';
  test.each<[object, string]>([
    [{ 'data.a': { cased: {} } }, `/when/data.a/cased: ${caseOperators}`],
    [{ 'data.a': { cased: { regex: 'x' } } }, `/when/data.a/cased: ${caseOperators}`],
    [{ 'data.a': { cased: { prefix: 'a', suffix: 'b' } } }, `/when/data.a/cased: ${caseOperators}`],
    [{ 'data.a': { cased: { toString: 'a' } } }, `/when/data.a/cased: ${caseOperators}`],
    [{ 'data.a': { cased: { contains: ['a', 7] } } }, '/when/data.a/cased/contains/1: must be a string'],
    [
      { 'data.a': { cased: { wildcard: '*a*b*c*' } } },
      '/when/data.a/cased/wildcard: a wildcard has at most 3 stars',
    ],
    [
      { severity: { cased: { prefix: 'h' } } },
      '/when/severity/cased/prefix: this operator does not fit here',
    ],
    [
      { 'data.a': { other_than: { exists: true } } },
      '/when/data.a/other_than: exists is not about one element and not possible here',
    ],
    [
      { 'data.a': { other_than: { not: 'x' } } },
      '/when/data.a/other_than: not is not about one element and not possible here',
    ],
    [{ 'data.a': { other_than: {} } }, '/when/data.a/other_than: an operator is missing'],
    [
      { 'data.a': { type: 'text' } },
      '/when/data.a/type: must be one of string, number, boolean, null, object, value',
    ],
    [
      { 'data.a': { type: ['string', null] } },
      '/when/data.a/type/1: must be one of string, number, boolean, null, object, value',
    ],
    [
      { 'data.a': { field: { path: 'data.b' } } },
      '/when/data.a/field/at: must be one of prefix, suffix, contains',
    ],
    [
      { 'data.a': { field: { path: 'b', at: 'prefix' } } },
      '/when/data.a/field/path: unknown field; a path starts with data., with id, event, timestamp, tenant, hops, or with envelope. for other members of the event',
    ],
    [
      { 'data.a': { field: { path: 'data.b', at: 'prefix', min: 1 } } },
      '/when/data.a/field/min: unknown field',
    ],
    [
      { each: { path: 'data.a', match: { 'b.*': 'x' } } },
      '/when/each/match/b.*: a path within each cannot end with *',
    ],
  ])('%j', (when, issue) => expect(issues(when)).toEqual([issue]));
  test('texts of a search result', () => {
    expect(issues({ 'search.a.*': 'x' }, { source: 'search-results' })).toEqual([
      '/when/search.a.*: a path of the search result cannot end with *',
    ]);
  });
  test.each([
    ['wildcard', '*a*b*c*', 'a wildcard has at most 3 stars'],
    ['wildcard', '', 'an empty pattern fits an empty text alone; write a value'],
    ['wildcard', 7, 'must be a string'],
    ['wildcard', 'a\ud83d', 'must be well-formed Unicode'],
  ])('%s: %j', (operator, operand, message) =>
    expect(issues({ 'data.a': { [operator]: operand } })).toEqual([`/when/data.a/${operator}: ${message}`]),
  );
});
