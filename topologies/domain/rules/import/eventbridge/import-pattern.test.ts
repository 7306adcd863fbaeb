// EventBridge patterns by what the imported rule says of events. The first table is the README of event-ruler; the second
// pins what release 2.0.1 was seen to answer where the README is silent.
import { expect, test } from 'vitest';
import { holds, ruleOf } from '../ask.ts';
import { defaultPatternOptions, importPattern, readNamedPattern } from './import-pattern.ts';

function imported(pattern: unknown, options = {}) {
  return importPattern(
    { id: 'p', pattern, path: '/pattern' },
    { ...defaultPatternOptions, actions: ['a'], ...options },
  );
}

/** The event of the README, "Ruler by Example". */
const ec2 = {
  version: '0',
  id: 'ddddd4-aaaa-7777-4444-345dd43cc333',
  'detail-type': 'EC2 Instance State-change Notification',
  source: 'aws.ec2',
  account: '012345679012',
  time: '2017-10-02T16:24:49Z',
  region: 'us-east-1',
  resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'],
  detail: {
    'c-count': 5,
    'd-count': 3,
    'x-limit': 301.8,
    'source-ip': '10.0.0.33',
    'instance-id': 'i-000000aaaaaa00000',
    state: 'running',
  },
};

test.each([
  {
    'detail-type': ['EC2 Instance State-change Notification'],
    resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'],
    detail: { state: ['initializing', 'running'] },
  },
  { time: [{ prefix: '2017-10-02' }] },
  { source: [{ suffix: 'ec2' }] },
  { source: [{ 'equals-ignore-case': 'AWS.EC2' }] },
  { source: [{ wildcard: 'a*2' }] },
  { detail: { state: [{ 'anything-but': 'initializing' }] } },
  { detail: { 'x-limit': [{ 'anything-but': 123 }] } },
  { detail: { state: [{ 'anything-but': ['stopped', 'overloaded'] }] } },
  { detail: { 'x-limit': [{ 'anything-but': [100, 200, 300] }] } },
  { detail: { state: [{ 'anything-but': { prefix: 'init' } }] } },
  {
    detail: {
      'c-count': [{ numeric: ['>', 0, '<=', 5] }],
      'd-count': [{ numeric: ['<', 10] }],
      'x-limit': [{ numeric: ['=', 3.018e2] }],
    },
  },
  { detail: { 'source-ip': [{ cidr: '10.0.0.0/24' }] } },
  { detail: { 'c-count': [{ exists: true }] } },
  { detail: { missing: [{ exists: false }] } },
  {
    time: [{ prefix: '2017-10-02' }],
    detail: {
      state: [{ 'anything-but': 'initializing' }],
      'c-count': [{ numeric: ['>', 0, '<=', 5] }],
      'd-count': [{ numeric: ['<', 10] }],
      'x-limit': [{ 'anything-but': [100, 200, 300] }],
      'source-ip': [{ cidr: '10.0.0.0/8' }],
    },
  },
  { source: ['aws.ec2'], $or: [{ account: ['x'] }, { region: ['us-east-1'] }] },
])('the event of the README fits %j', (pattern) => {
  expect(holds(ruleOf(imported(pattern)), ec2)).toBe(true);
});

test.each([
  { source: ['AWS.ec2'] },
  { source: [{ prefix: 'AWS' }] },
  { source: [{ wildcard: 'A*' }] },
  { detail: { state: [{ 'anything-but': 'running' }] } },
  { detail: { state: [{ 'anything-but': { prefix: 'run' } }] } },
  { detail: { 'x-limit': ['301.8'] } },
  { detail: { 'c-count': [{ exists: false }] } },
  { detail: [{ exists: true }] },
  { detail: { missing: [{ 'anything-but': 'x' }] } },
  { detail: { 'source-ip': [{ cidr: '10.0.0.64/26' }] } },
  { account: [12345679012] },
])('the event of the README does not fit %j', (pattern) => {
  expect(holds(ruleOf(imported(pattern)), ec2)).toBe(false);
});

// README, "JSON Array Matching": Anna Roe must not be found among Anna Jones and Bob Roe.
const team = {
  employees: [
    { first: 'Anna', last: 'Jones' },
    { first: 'Bob', last: 'Roe', tags: ['x', 'y'] },
  ],
};

type Answer = readonly [pattern: unknown, event: Record<string, unknown>, fits: boolean];

test.each<Answer>([
  [{ employees: { first: ['Anna'], last: ['Jones'] } }, team, true],
  [{ employees: { first: ['Anna'], last: ['Roe'] } }, team, false],
  [{ employees: { first: ['Bob'], tags: ['y'] } }, team, true],
  [{ employees: { first: ['Anna'], tags: [{ exists: false }] } }, team, true],
  [{ employees: { tags: [{ exists: false }], zip: ['x'] } }, team, false],
  // `exists: false` is asked in the order of the names: here before any element is chosen.
  [
    { employees: { a: [{ exists: false }], first: ['Bob'] } },
    { employees: [{ first: 'Bob' }, { a: 1 }] },
    false,
  ],
  [
    { employees: { first: ['Bob'], zip: [{ exists: false }] } },
    { employees: [{ first: 'Bob' }, { zip: 1 }] },
    true,
  ],
  [{ $or: [{ employees: { first: ['Bob'] } }, { x: ['1'] }], employees: { last: ['Jones'] } }, team, false],
  [{ $or: [{ employees: { first: ['Anna'] } }, { x: ['1'] }], employees: { last: ['Jones'] } }, team, true],
  // anything-but: any element that differs, of any type but an object.
  [{ a: [{ 'anything-but': 'x' }] }, { a: ['x', 'y'] }, true],
  [{ a: [{ 'anything-but': 'x' }] }, { a: ['x', 'x'] }, false],
  [{ a: [{ 'anything-but': 'x' }] }, { a: null }, true],
  [{ a: [{ 'anything-but': 'x' }] }, { a: 5 }, true],
  [{ a: [{ 'anything-but': 5 }] }, { a: '5' }, true],
  [{ a: [{ 'anything-but': 5 }] }, { a: [5.0] }, false],
  [{ a: [{ 'anything-but': 'x' }] }, { a: [] }, false],
  [{ a: [{ 'anything-but': 'x' }] }, { a: { b: 1 } }, false],
  [{ a: [{ 'anything-but': { suffix: ['x', 'y'] } }] }, { a: 'ay' }, false],
  [{ a: [{ 'anything-but': { wildcard: ['a*', '*b'] } }] }, { a: 'xb' }, false],
  [{ a: [{ 'anything-but': { wildcard: ['a*', '*b'] } }] }, { a: 'xc' }, true],
  [{ a: [{ 'anything-but': { 'equals-ignore-case': ['X', 'Y'] } }] }, { a: 'y' }, false],
  // Only leaves exist.
  [{ a: [{ exists: true }] }, { a: {} }, false],
  [{ a: [{ exists: false }] }, { a: [] }, true],
  [{ a: [{ exists: true }] }, { a: null }, true],
  [{ a: { b: [{ exists: false }] } }, { a: [{ c: 1 }] }, true],
  [{ a: [{ exists: false }, 'x'] }, { a: 'x' }, true],
  [{ a: [{ exists: false }, 'x'] }, { a: 'y' }, false],
  // Types and numbers.
  [{ a: [null] }, { a: null }, true],
  [{ a: [null] }, {}, false],
  [{ a: [null, 'x'] }, { a: [1, null] }, true],
  [{ a: [true] }, { a: 'true' }, false],
  [{ a: [300] }, { a: 300.0 }, true],
  [{ a: ['300'] }, { a: 300 }, false],
  [{ a: [{ numeric: ['>=', 5] }] }, { a: '6' }, false],
  // Texts.
  [{ a: [''] }, { a: '' }, true],
  [{ a: [{ prefix: '' }] }, { a: 'x' }, true],
  [{ a: [{ prefix: '' }] }, { a: 5 }, false],
  [{ a: [{ wildcard: '' }] }, { a: '' }, true],
  [{ a: [{ wildcard: '*' }] }, { a: '' }, true],
  [{ a: [{ wildcard: String.raw`a\*b?` }] }, { a: 'a*b?' }, true],
  [{ a: [{ wildcard: String.raw`a\*b?` }] }, { a: 'a*bc' }, false],
  [{ a: [{ wildcard: 'a*b*c*d*e' }] }, { a: 'a1b\nc4d5e' }, true],
  [{ a: [{ wildcard: 'a*b*c*d*e' }] }, { a: 'abce' }, false],
  [{ a: [{ prefix: { 'equals-ignore-case': 'AB' } }] }, { a: 'abc' }, true],
  [{ a: [{ suffix: { 'equals-ignore-case': 'BC' } }] }, { a: 'abc' }, true],
  [{ a: [{ exactly: 'x' }] }, { a: 'x' }, true],
  // Addresses of version 6 are equal however they are written; networks may have bits beyond the prefix.
  [{ a: ['2001:db8::1'] }, { a: '2001:DB8:0:0::1' }, true],
  [{ a: [{ cidr: '10.1.2.3/8' }] }, { a: '10.200.0.1' }, true],
  [{ a: [{ cidr: '2001:db8::/32' }] }, { a: '2001:db8:ffff::1' }, true],
  // Of two entries for one field the later counts.
  [{ a: ['x'], $or: [{ a: ['y'] }, { b: ['z'] }] }, { a: 'y' }, true],
  [{ $or: [{ a: ['y'] }, { b: ['z'] }], a: ['x'] }, { a: 'y' }, false],
  // Names with dots.
  [{ 'a.b': ['x'] }, { a: { b: 'x' } }, true],
  [{ a: { b: ['x'] } }, { 'a.b': 'x' }, true],
])('%j and %j: %s', (pattern, event, fits) => {
  expect(holds(ruleOf(imported(pattern)), event)).toBe(fits);
});

test('patterns keep their look', () => {
  const pattern = {
    source: ['aws.ec2', 'aws.s3'],
    'detail-type': [{ prefix: 'EC2' }],
    detail: { state: [{ 'anything-but': 'stopped' }], count: [{ numeric: ['>', 0, '<=', 5] }], n: [1, 2] },
    items: { type: ['http'], status: [{ numeric: ['>=', 500] }] },
    $or: [{ region: ['eu-west-1'] }, { account: [null] }],
  };
  expect(ruleOf(imported(pattern)).when).toEqual({
    'envelope.source': { cased: ['aws.ec2', 'aws.s3'] },
    'envelope.detail-type': { cased: { prefix: 'EC2' } },
    'envelope.detail.state': { other_than: { cased: 'stopped' } },
    'envelope.detail.count': { gt: 0, lte: 5 },
    'envelope.detail.n': [1, 2],
    each: { path: 'envelope.items', match: { type: { cased: 'http' }, status: { gte: 500 } } },
    any: [{ 'envelope.region': { cased: 'eu-west-1' } }, { 'envelope.account': { in: null, exists: true } }],
  });
});

test('a pattern for our events names their members, or is put below one', () => {
  const pattern = { event: ['finding.new'], data: { a: ['x'], asset: { tags: ['p'], id: ['q'] } } };
  expect(ruleOf(imported(pattern, { objects: ['data', 'data.asset'] })).when).toEqual({
    event: { cased: 'finding.new' },
    'data.a': { cased: 'x' },
    'data.asset.tags': { cased: 'p' },
    'data.asset.id': { cased: 'q' },
  });
  expect(ruleOf(imported({ detail: { a: ['x'] } }, { root: 'data' })).when).toEqual({
    'data.detail.a': { cased: 'x' },
  });
});

test.each([
  [5, '/pattern', 'must be an object'],
  [{}, '/pattern', 'an empty object'],
  [{ a: 'x' }, '/pattern/a', 'must be a list of values or an object'],
  [{ a: [] }, '/pattern/a', 'an empty list'],
  [{ a: {} }, '/pattern/a', 'an empty object'],
  [{ a: [['x']] }, '/pattern/a/0', 'must be a text'],
  [{ a: [{ like: 'x' }] }, '/pattern/a/0/like', 'no such match type'],
  [{ a: [{ prefix: 'x', suffix: 'y' }] }, '/pattern/a/0', 'one match type'],
  [{ a: [{ prefix: 5 }] }, '/pattern/a/0/prefix', 'must be a text'],
  [{ a: [{ prefix: { suffix: 'x' } }] }, '/pattern/a/0/prefix', 'equals-ignore-case'],
  [{ a: [{ numeric: ['>', '5'] }] }, '/pattern/a/0/numeric', 'must be ["=", 5]'],
  [{ a: [{ numeric: ['<', 5, '>', 1] }] }, '/pattern/a/0/numeric', 'must be ["=", 5]'],
  [{ a: [{ numeric: ['>', 5, '<', 5] }] }, '/pattern/a/0/numeric', 'below the upper end'],
  [{ a: [{ cidr: '10.0.0.1' }] }, '/pattern/a/0/cidr', 'must be a network'],
  [{ a: [{ cidr: '10.0.0.0/32' }] }, '/pattern/a/0/cidr', 'must be a network'],
  [{ a: [{ cidr: '10.0.0.300/8' }] }, '/pattern/a/0/cidr', 'must be a network'],
  [{ a: [{ exists: 'yes' }] }, '/pattern/a/0/exists', 'true or false'],
  [{ a: [{ wildcard: 'a**b' }] }, '/pattern/a/0/wildcard', 'side by side'],
  [{ a: [{ wildcard: String.raw`a\b` }] }, '/pattern/a/0/wildcard', 'a backslash'],
  [{ a: [{ 'anything-but': [1, 'x'] }] }, '/pattern/a/0/anything-but', 'texts only or numbers only'],
  [{ a: [{ 'anything-but': null }] }, '/pattern/a/0/anything-but', 'texts only or numbers only'],
  [{ a: [{ 'anything-but': { prefix: '' } }] }, '/pattern/a/0/anything-but/prefix', 'an empty text'],
  [
    { a: [{ 'anything-but': { cidr: '10.0.0.0/8' } }] },
    '/pattern/a/0/anything-but/cidr',
    'anything-but takes',
  ],
  [{ $or: [{ a: ['x'] }] }, '/pattern/$or', 'two objects at least'],
  [{ $or: { a: ['x'] } }, '/pattern/$or', 'must be a list of objects'],
  [{ $or: [{ a: ['x'] }, { prefix: ['x'] }] }, '/pattern/$or/1/prefix', 'no name of a field within $or'],
  [{ 'a/b~c': ['x', { y: 1 }] }, '/pattern/a~1b~0c/1/y', 'no such match type'],
  [{ 'a..b': ['x'] }, '/when/envelope.a..b', 'no counterpart'],
])('%j is refused', (pattern, path, reason) => {
  const { rule, issues } = imported(pattern);
  expect([rule, issues]).toEqual([null, [{ path, message: expect.stringContaining(reason) }]]);
});

test('a pattern that is too deep, or means too much, is refused and not written', () => {
  let deep: unknown = { a: ['x'] };
  for (let level = 0; level < 10_000; level++) deep = { a: deep };
  expect(imported(deep).issues[0]?.message).toContain('nest to 30 levels');
  const or = (name: string) => ({
    $or: Array.from({ length: 40 }, (_, n) => ({ [name]: [n], shared: [n] })),
  });
  const { rule, issues } = imported({
    x: or('a'),
    y: or('b'),
    ...or('c'),
    z: or('d'),
    s: { $or: [{ 'x.a': [1] }, or('e')] },
  });
  expect([rule, issues.length]).toEqual([null, 1]);
});

test('names of patterns: {id, pattern}, or the answer of the EventBridge API', () => {
  expect(readNamedPattern({ id: 'x', pattern: { a: [1] } })).toEqual({
    id: 'x',
    pattern: { a: [1] },
    path: '/pattern',
  });
  expect(readNamedPattern({ Name: 'x', EventPattern: '{"a":[1]}', State: 'ENABLED' })).toEqual({
    id: 'x',
    pattern: { a: [1] },
    path: '/EventPattern',
  });
  expect(readNamedPattern({ Name: 'x', EventPattern: '{' })).toEqual({
    path: '/EventPattern',
    message: 'is no JSON',
  });
  expect(readNamedPattern({ pattern: {} })).toEqual({ path: '/id', message: 'must be a text' });
  expect(readNamedPattern({ id: 'x' })).toEqual({ path: '/pattern', message: 'is missing' });
  expect(readNamedPattern([])).toEqual({ path: '', message: 'must be an object with id and pattern' });
});
