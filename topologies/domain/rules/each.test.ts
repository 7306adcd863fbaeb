// `each`, and fields against fields: one element of a list of objects, pinned, and what is refused.
import { describe, expect, test } from 'vitest';
import { type Fields, holds, holdsForRow, pin } from '../../testing/rules.ts';
import { checkRule } from './parse-rule.ts';

const each = (match: Fields, quantifier?: string, path = 'data.items'): Fields => ({
  each: { path, match, ...(quantifier === undefined ? {} : { quantifier }) },
});

describe('any: one and the same element', () => {
  const match = { type: 'http', status: { gte: 500 } };
  pin([
    ['together', each(match), { items: [{ type: 'dns' }, { type: 'HTTP', status: 503 }] }, true],
    ['spread', each(match), { items: [{ type: 'http' }, { type: 'dns', status: 503 }] }, false],
    ['one object is a list of one', each(match), { items: { type: 'http', status: 500 } }, true],
    ['lists in lists are opened', each(match), { items: [[{ type: 'http', status: 500 }]] }, true],
    ['absent', each(match), {}, false],
    ['an empty list', each(match), { items: [] }, false],
    ['null', each(match), { items: [null] }, false],
    ['absent within a not block', { not: each(match) }, {}, true],
    [
      'elements that are no objects hold for nothing',
      each({ not: { a: 1 } }),
      { items: ['x', 1, null] },
      false,
    ],
    ['an empty object is one', each({ not: { a: 1 } }), { items: [{}] }, true],
    ['absent members', each({ a: null, b: { exists: false } }), { items: [{ a: 1 }, {}] }, true],
    [
      'lists within the element',
      each({ tags: { all: ['x', 'y'] } }),
      { items: [{ tags: ['y', 'x'] }] },
      true,
    ],
    ['dots step into it', each({ 'a.b': 1 }), { items: [{ a: { b: 1 } }] }, true],
    ['dots belong to names', each({ 'a.b': 1 }), { items: [{ 'a.b': 1 }] }, true],
    [
      'blocks',
      each({ any: [{ a: 1 }, { b: 1 }], not: { c: 1 } }),
      { items: [{ a: 1, c: 1 }, { b: 1 }] },
      true,
    ],
    [
      'through a list',
      each({ b: 1, c: 2 }, 'any', 'data.items.a'),
      { items: [{ a: { b: 1 } }, { a: [{ b: 1, c: 2 }] }] },
      true,
    ],
    ['inherited members are absent', each({ constructor: { exists: true } }), { items: [{}] }, false],
  ]);
});

describe('all: every element, and at least one', () => {
  pin([
    ['every', each({ open: false }, 'all'), { items: [{ open: false }, { open: false }] }, true],
    ['not one', each({ open: false }, 'all'), { items: [{ open: false }, { open: true }] }, false],
    ['none there', each({ open: false }, 'all'), { items: [] }, false],
    ['absent', each({ open: false }, 'all'), {}, false],
    ['no object', each({ not: { open: true } }, 'all'), { items: [{}, 'x'] }, false],
  ]);
});

describe('names in an element', () => {
  pin([
    [
      'aliases have no meaning',
      each({ severity: 'x', events: 'y' }),
      { items: [{ severity: 'X', events: 'y' }] },
      true,
    ],
    ['min_severity is a member', each({ min_severity: 5 }), { items: [{ min_severity: 5 }] }, true],
    ['data is a member', each({ 'data.a': 1 }), { a: 1, items: [{}] }, false],
    [
      'element. for reserved names',
      each({ 'element.any': 1, 'element.not': 2 }),
      { items: [{ any: 1, not: 2 }] },
      true,
    ],
    ['element. for element', each({ 'element.element': 1 }), { items: [{ element: 1 }] }, true],
    [
      'each in each',
      each(each({ b: 1, c: 2 }, 'any', 'a')),
      { items: [{ a: [{ b: 1 }, { b: 1, c: 2 }] }] },
      true,
    ],
    [
      'each in each',
      each(each({ b: 1, c: 2 }, 'any', 'a')),
      { items: [{ a: [{ b: 1 }] }, { a: [{ c: 2 }] }] },
      false,
    ],
  ]);
  test('rows and their search result', () => {
    const when = each({ a: 1, b: 2 }, 'any', 'search.parts');
    expect(holdsForRow(when, {}, { parts: [{ a: 1, b: 2 }] })).toBe(true);
    expect(holdsForRow(when, { parts: [{ a: 1, b: 2 }] }, {})).toBe(false);
  });
});

describe('fields against fields', () => {
  pin([
    ['equal', { 'data.a': { field: 'data.b' } }, { a: 'X', b: 'x' }, true],
    ['different', { 'data.a': { field: 'data.b' } }, { a: 'x', b: 'y' }, false],
    ['numbers', { 'data.a': { field: 'data.b' } }, { a: 1, b: [0, 1] }, true],
    ['types never change', { 'data.a': { field: 'data.b' } }, { a: 1, b: '1' }, false],
    ['any of any', { 'data.a': { field: 'data.b' } }, { a: ['x', 'y'], b: ['z', 'y'] }, true],
    ['absent here', { 'data.a': { field: 'data.b' } }, { b: 'x' }, false],
    ['absent there', { 'data.a': { field: 'data.b' } }, { a: 'x' }, false],
    ['nulls', { 'data.a': { field: 'data.b' } }, { a: null, b: null }, false],
    ['objects', { 'data.a': { field: 'data.a' } }, { a: {} }, false],
    ['not', { 'data.a': { not: { field: 'data.b' } } }, { a: 'x' }, true],
    ['ranks', { severity: { field: 'data.was' } }, { severity: 'high', was: 'Important' }, true],
    ['identifiers', { vulnerabilities: { field: 'data.was' } }, { cve: 'CVE-1 ', was: 'cve-1' }, true],
    ['within an element', each({ a: { field: 'b' } }), { b: 1, items: [{ a: 1, b: 2 }] }, false],
    [
      'within an element',
      each({ a: { field: 'b' } }),
      {
        items: [
          { a: 1, b: 2 },
          { a: 3, b: 3 },
        ],
      },
      true,
    ],
  ]);
  test('the envelope', () => {
    expect(holds({ 'data.org': { field: 'tenant' } }, { org: 'ACME' }, { tenant: 'acme' })).toBe(true);
  });
});

describe('what is refused', () => {
  const issues = (when: object): string[] =>
    checkRule({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }] }).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  const unknown =
    'unknown field; a path starts with data., with id, event, timestamp, tenant, hops, or with envelope. for other members of the event';
  test.each<[object, string]>([
    [{ each: [] }, '/when/each: must be an object with path and match'],
    [{ each: { match: { a: 1 } } }, '/when/each/path: is required'],
    [{ each: { path: 7, match: { a: 1 } } }, '/when/each/path: must be a path'],
    [{ each: { path: 'items', match: { a: 1 } } }, `/when/each/path: ${unknown}`],
    [{ each: { path: 'data.items' } }, '/when/each/match: is required'],
    [{ each: { path: 'data.items', match: {} } }, '/when/each/match: a condition is missing'],
    [{ each: { path: 'data.items', match: [] } }, '/when/each/match: must be an object of conditions'],
    [
      { each: { path: 'data.items', match: { a: 1 }, quantifier: 'some' } },
      '/when/each/quantifier: must be one of any, all',
    ],
    [{ each: { path: 'data.items', match: { a: 1 }, min: 2 } }, '/when/each/min: unknown field'],
    [each({ element: 1 }), '/when/each/match/element: name a field: element.<field>'],
    [each({ 'a..b': 1 }), '/when/each/match/a..b: a path is names with single dots between them'],
    [
      each({ a: { gt: 'x' } }),
      '/when/each/match/a/gt: must be a finite number or a severity; after and before are for dates',
    ],
    [{ 'data.a': { field: 'b' } }, `/when/data.a/field: ${unknown}`],
    [{ 'data.a': { field: ['data.b'] } }, '/when/data.a/field: must be a path, or {path, at}'],
    [{ 'data.a': { field: '' } }, '/when/data.a/field: a path is names with single dots between them'],
  ])('%j', (when, issue) => expect(issues(when)).toEqual([issue]));
  test('16 levels, each included', () => {
    const nested = (levels: number): Fields =>
      levels === 1 ? { a: 1 } : each(nested(levels - 1), 'any', 'a');
    expect(issues(each(nested(15)))).toEqual([]);
    expect(issues(each(nested(16)))).toEqual([
      `/when${'/each/match'.repeat(16)}: conditions have at most 16 levels`,
    ]);
  });
});
