// The statements of docs/rules.md about values, operators, lists and absent fields, each pinned: a condition, what it is
// asked about, and whether it holds.
import { describe, expect, test } from 'vitest';
import { type Fields, holds, pin } from '../../testing/rules.ts';

describe('values', () => {
  pin([
    ['a value is equality', { 'data.title': 'SQL injection' }, { title: 'SQL injection' }, true],
    ['text folds case', { 'data.title': 'sql INJECTION' }, { title: 'SQL injection' }, true],
    ['text folds case beyond ASCII', { 'data.title': 'ÖFFNEN' }, { title: 'öffnen' }, true],
    ['spaces count', { 'data.title': 'a' }, { title: 'a ' }, false],
    ['accents count', { 'data.title': 'e' }, { title: 'é' }, false],
    ['a sigma at the end of a word is a sigma', { 'data.title': { suffix: 'σ' } }, { title: 'ΟΔΟΣ' }, true],
    ['a sigma within a word is one too', { 'data.title': { prefix: 'ΟΔΟΣ' } }, { title: 'οδοσα' }, true],
    ['a list is one of', { 'data.port': [22, 3389] }, { port: 3389 }, true],
    ['a list is one of', { 'data.port': [22, 3389] }, { port: 443 }, false],
    ['text is not a number', { 'data.cvss': 9.8 }, { cvss: '9.8' }, false],
    ['a number is not text', { 'data.cvss': '9.8' }, { cvss: 9.8 }, false],
    ['text is not a boolean', { 'data.kev': true }, { kev: 'true' }, false],
    ['a boolean', { 'data.kev': true }, { kev: true }, true],
    ['1.0 is 1', { 'data.n': 1.0 }, { n: 1 }, true],
    ['cased compares exactly', { 'data.user': { cased: 'Root' } }, { user: 'root' }, false],
    ['cased compares exactly', { 'data.user': { cased: ['root', 'Root'] } }, { user: 'Root' }, true],
    ['all entries must hold', { 'data.a': 1, 'data.b': 2 }, { a: 1, b: 3 }, false],
  ]);
});

describe('operators', () => {
  pin([
    ['in is a list within operators', { 'data.a': { in: ['x', 'y'], not: 'z' } }, { a: 'Y' }, true],
    ['prefix', { 'data.a': { prefix: 'WEB-' } }, { a: 'web-01' }, true],
    ['prefix takes one of a list', { 'data.a': { prefix: ['db-', 'web-'] } }, { a: 'web-01' }, true],
    ['suffix', { 'data.a': { suffix: '.lab.example' } }, { a: 'x.LAB.example' }, true],
    ['suffix', { 'data.a': { suffix: '.lab.example' } }, { a: 'lab.example' }, false],
    [
      'contains takes one of a list',
      { 'data.a': { contains: ['sqli', 'sql injection'] } },
      { a: 'SQL Injection in /x' },
      true,
    ],
    [
      'contains_all takes all of a list',
      { 'data.a': { contains_all: ['sql', 'login'] } },
      { a: 'SQL in /login' },
      true,
    ],
    [
      'contains_all takes all of a list',
      { 'data.a': { contains_all: ['sql', 'admin'] } },
      { a: 'SQL in /login' },
      false,
    ],
    ['texts are looked for in texts only', { 'data.a': { contains: '9' } }, { a: 9.8 }, false],
    ['gte', { 'data.cvss': { gte: 7 } }, { cvss: 7 }, true],
    ['gt', { 'data.cvss': { gt: 7 } }, { cvss: 7 }, false],
    ['lte', { 'data.cvss': { lte: 7 } }, { cvss: 7 }, true],
    ['lt', { 'data.cvss': { lt: 7 } }, { cvss: 7 }, false],
    ['a number in quotes fits no comparison', { 'data.cvss': { gte: 7 } }, { cvss: '9.8' }, false],
    ['a range', { 'data.cvss': { gte: 4, lt: 7 } }, { cvss: 6.9 }, true],
    ['a range', { 'data.cvss': { gte: 4, lt: 7 } }, { cvss: 7 }, false],
    [
      'severity words compare on the scale',
      { 'data.asset.criticality': { gte: 'high' } },
      { asset: { criticality: 'Critical' } },
      true,
    ],
    [
      'severity words compare on the scale',
      { 'data.asset.criticality': { lt: 'high' } },
      { asset: { criticality: 'moderate' } },
      true,
    ],
    ['an unknown word fits no comparison', { 'data.x': { lt: 'high' } }, { x: 'Kritisch' }, false],
    ['and no comparison the other way', { 'data.x': { gte: 'info' } }, { x: 'Kritisch' }, false],
    ['exists', { 'data.a': { exists: true } }, { a: 0 }, true],
    ['exists with null', { 'data.a': { exists: true } }, { a: null }, true],
    ['exists with an empty list', { 'data.a': { exists: true } }, { a: [] }, true],
    ['exists with an object', { 'data.a': { exists: true } }, { a: { b: 1 } }, true],
    ['exists: false', { 'data.a': { exists: false } }, { a: null }, false],
    ['not takes a value', { 'data.a': { not: 'x' } }, { a: 'y' }, true],
    ['not takes a list', { 'data.a': { not: ['x', 'y'] } }, { a: 'Y' }, false],
    ['not takes operators', { 'data.a': { not: { prefix: 'x', suffix: 'y' } } }, { a: 'x-z' }, true],
    ['not null is there with a value', { 'data.a': { not: null } }, { a: 0 }, true],
    ['not null is there with a value', { 'data.a': { not: null } }, { a: null }, false],
  ]);
});

describe('lists in the data', () => {
  pin([
    ['any element', { 'data.tags': 'b' }, { tags: ['a', 'B'] }, true],
    ['lists in lists are opened', { 'data.tags': 'b' }, { tags: ['a', ['c', ['b']]] }, true],
    ['not: no element', { 'data.tags': { not: 'b' } }, { tags: ['a', 'b'] }, false],
    ['not: no element', { 'data.tags': { not: 'b' } }, { tags: ['a', 'c'] }, true],
    ['not on an empty list', { 'data.tags': { not: 'b' } }, { tags: [] }, true],
    ['nothing equals an element of an empty list', { 'data.tags': 'b' }, { tags: [] }, false],
    [
      'all: every value is some element',
      { 'data.tags': { all: ['a', 'b'] } },
      { tags: ['c', 'B', 'a'] },
      true,
    ],
    ['all: every value is some element', { 'data.tags': { all: ['a', 'b'] } }, { tags: ['a'] }, false],
    ['none: no value is an element', { 'data.tags': { none: ['a', 'b'] } }, { tags: ['c', 'B'] }, false],
    ['none on an empty list', { 'data.tags': { none: ['a'] } }, { tags: [] }, true],
    ['operators together mean one element', { 'data.n': { gt: 1, lt: 3 } }, { n: [0, 4] }, false],
    ['operators together mean one element', { 'data.n': { gt: 1, lt: 3 } }, { n: [0, 2, 4] }, true],
    [
      'operators together mean one element',
      { 'data.a': { prefix: 'a', suffix: 'z' } },
      { a: ['ab', 'yz'] },
      false,
    ],
    [
      'all beside another operator',
      { 'data.t': { all: ['a', 'b'], prefix: 'c' } },
      { t: ['a', 'b', 'cd'] },
      true,
    ],
    [
      'a path goes through lists',
      { 'data.evidence.status': 500 },
      { evidence: [{ status: 200 }, { status: 500 }] },
      true,
    ],
    ['two paths may mean two elements', { 'data.e.a': 1, 'data.e.b': 2 }, { e: [{ a: 1 }, { b: 2 }] }, true],
    ['an object equals nothing', { 'data.a': { not: 'x' } }, { a: { b: 'x' } }, true],
  ]);
});

describe('absent fields', () => {
  const absentFails: Fields[] = [
    'x',
    ['x'],
    1,
    false,
    { in: ['x'] },
    { prefix: 'x' },
    { suffix: 'x' },
    { contains: 'x' },
  ]
    .concat([
      { contains_all: ['x'] },
      { gt: 0 },
      { lte: 'high' },
      { cased: 'x' },
      { exists: true },
    ] as never[])
    .concat([{ not: 'x' }, { not: null }, { not: { gt: 1 } }, { none: ['x'] }, { all: ['x'] }] as never[])
    .map((wanted) => ({ 'data.a': wanted }));
  test.each(absentFails)('%j fails', (when) => {
    expect(holds(when, {})).toBe(false);
    expect(holds(when, { b: ['x', 1] })).toBe(false);
  });
  pin([
    ['exists: false holds', { 'data.a': { exists: false } }, {}, true],
    ['null holds', { 'data.a': null }, {}, true],
    ['null holds for null', { 'data.a': null }, { a: null }, true],
    ['null holds for null in a list', { 'data.a': null }, { a: ['x', null] }, true],
    ['null does not hold for an empty list', { 'data.a': null }, { a: [] }, false],
    ['null does not hold for empty text', { 'data.a': null }, { a: '' }, false],
    ['null in a list of values holds', { 'data.a': ['x', null] }, {}, true],
    ['null beside an operator that fails', { 'data.a': { in: ['x', null], prefix: 'x' } }, {}, false],
    ['the block not holds', { not: { 'data.a': 'x' } }, {}, true],
    ['the block not around not holds', { not: { 'data.a': { not: 'x' } } }, {}, true],
    ['a path that ends in a value is absent', { 'data.a.b': { exists: false } }, { a: 'text' }, true],
    ['a member of text is absent', { 'data.a.length': { exists: false } }, { a: 'text' }, true],
  ]);
});
