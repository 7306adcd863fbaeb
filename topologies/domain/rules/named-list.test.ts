// Named lists: how they compare, what they include, that they change without their rules, and what is refused.
import type { ValueList } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { compileRules } from './compile.ts';
import { listsOf } from './lists-of.ts';
import { buildNamedLists, checkList } from './named-list.ts';
import { checkRule, parseRule } from './parse-rule.ts';

type Given = Partial<ValueList> & { readonly id: string };

function documents(...lists: Given[]): Map<string, ValueList> {
  return new Map(lists.map((list) => [list.id, { kind: 'list', ...list }]));
}

function ruleSet(when: object) {
  const { rule, issues } = parseRule({ kind: 'rule', id: 'r', when, then: [{ action: 'a' }] });
  expect(issues).toEqual([]);
  return compileRules(rule === null ? [] : [{ ...rule, revision: 1 }]);
}

function holds(when: object, data: object, ...lists: Given[]): boolean {
  const named = buildNamedLists(documents(...lists));
  expect([...named.problems]).toEqual([]);
  const subject = { source: 'events', fields: { event: 'x', data }, search: null } as const;
  return ruleSet(when).match(subject, { now: 0, lists: named.lists }).length === 1;
}

const when = { 'data.a': { in_list: 'l' } };

describe('how values are compared', () => {
  test.each<[ValueList['comparison'], unknown[], unknown, boolean]>([
    [undefined, ['Root', 7, true], 'rOOT', true],
    ['text', ['Root', 7, true], 7, true],
    ['text', ['Root', 7, true], true, true],
    ['text', ['Root', 7], '7', false],
    ['text', ['x'], null, false],
    ['text', ['x'], ['a', ['X']], true],
    ['text', ['x'], { x: 'x' }, false],
    ['text', [], 'x', false],
    ['exact', ['Root'], 'Root', true],
    ['exact', ['Root'], 'root', false],
    ['identifier', [' cve-2024-1'], 'CVE-2024-1 ', true],
    ['identifier', ['CVE-2024-1'], 'CVE-2024-10', false],
    ['cidr', ['10.0.0.0/8', '::1'], '10.1.1.1:80', true],
    ['cidr', ['10.0.0.0/8', '::1'], '[::1]', true],
    ['cidr', ['10.0.0.0/8'], '11.0.0.1', false],
    ['cidr', ['10.0.0.0/8'], 10, false],
    ['number', [1, 2.5], 2.5, true],
    ['number', [1, 2.5], '1', false],
  ])('%s %j: %j is in it: %s', (comparison, values, element, expected) => {
    const list = { id: 'l', values, ...(comparison === undefined ? {} : { comparison }) } as Given;
    expect(holds(when, { a: element }, list)).toBe(expected);
  });
  test('vulnerabilities takes texts as identifiers, whatever the list says', () => {
    const list: Given = { id: 'l', comparison: 'exact', values: ['cve-2024-1', 7] };
    expect(holds({ vulnerabilities: { in_list: 'l' } }, { cve: 'CVE-2024-1 ' }, list)).toBe(true);
    expect(holds({ vulnerabilities: { not: { in_list: 'l' } } }, { cve: 'CVE-2024-1 ' }, list)).toBe(false);
    expect(holds(when, { a: 'CVE-2024-1' }, list)).toBe(false);
  });
});

describe('includes', () => {
  test('the values of all lists behind it', () => {
    const lists: Given[] = [
      { id: 'l', values: ['x'], include: ['m', 'n'] },
      { id: 'm', include: ['n', 'o'] },
      { id: 'n', values: ['y'] },
      { id: 'o', values: ['z'] },
    ];
    for (const a of ['x', 'y', 'z']) expect(holds(when, { a }, ...lists)).toBe(true);
    expect(holds(when, { a: 'w' }, ...lists)).toBe(false);
    expect(buildNamedLists(documents(...lists)).lists.get('l')?.size).toBe(3);
  });
  test('a changed list changes what the same compiled rule says', () => {
    const rules = ruleSet(when);
    const subject = { source: 'events', fields: { event: 'x', data: { a: 'y' } }, search: null } as const;
    const ask = (lists: Map<string, ValueList>): number =>
      rules.match(subject, { now: 0, lists: buildNamedLists(lists).lists }).length;
    const lists = documents({ id: 'l', values: ['x'], include: ['m'] }, { id: 'm', values: [] });
    expect(ask(lists)).toBe(0);
    lists.set('m', { kind: 'list', id: 'm', values: ['Y'] });
    expect(ask(lists)).toBe(1);
    lists.delete('l');
    expect(ask(lists)).toBe(0);
  });
  test('100,000 values in two lists', () => {
    const values = (from: number) => Array.from({ length: 50_000 }, (_, index) => `h${from + index}`);
    const lists = documents(
      { id: 'l', values: values(0), include: ['m'] },
      { id: 'm', values: values(50_000) },
    );
    const named = buildNamedLists(lists);
    expect([[...named.problems], named.lists.get('l')?.size]).toEqual([[], 100_000]);
    expect(named.lists.get('l')?.has('H99999', 'list')).toBe(true);
    expect(named.lists.get('l')?.has('h100000', 'list')).toBe(false);
  });
});

describe('what is refused', () => {
  const issues = (list: object, ...others: Given[]): string[] =>
    checkList({ kind: 'list', id: 'l', ...list }, documents(...others)).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  const many = Array.from({ length: 50_001 }, (_, index) => index);
  test.each<[string, object, string]>([
    ['a value of another type', { values: ['x', null] }, '/values/1: must be string,number,boolean'],
    ['too many values', { values: many }, '/values: must NOT have more than 50000 items'],
    [
      'too many bytes',
      { values: many.slice(1).map((index) => `0123456789abc${index}`) },
      '/values: have at most 786432 bytes; split them into lists that this one includes',
    ],
    [
      'no network',
      { comparison: 'cidr', values: ['10.0.0.0/8', '10.0.0.0/33'] },
      '/values/1: a prefix of IPv4 has at most 32 bits',
    ],
    ['no number', { comparison: 'number', values: [1, '2'] }, '/values/1: must be a finite number'],
    [
      'no identifier',
      { comparison: 'identifier', values: ['CVE-*'] },
      '/values/0: a wildcard is no identifier; ask a path such as data.cve with wildcard',
    ],
    [
      'another comparison',
      { comparison: 'regex' },
      '/comparison: must be one of text, exact, identifier, cidr, number',
    ],
    ['an unknown field', { valeus: [] }, '/valeus: unknown field'],
  ])('%s', (_name, list, issue) => expect(issues(list)).toEqual([issue]));

  test('includes', () => {
    expect(issues({ include: ['m', 'gone'] }, { id: 'm' })).toEqual([
      '/include/1: the list gone does not exist',
    ]);
    expect(issues({ include: ['m'] }, { id: 'm', include: ['gone'] })).toEqual([
      '/include/0: the list gone does not exist',
    ]);
    expect(issues({ include: ['m'] }, { id: 'm', comparison: 'cidr' })).toEqual([
      '/include/0: the list m is compared as cidr, this one as text',
    ]);
    expect(issues({ include: ['m'] }, { id: 'm', values: [null as never] })).toEqual([
      '/include/0: the list m cannot be used',
    ]);
    const chain = Array.from({ length: 101 }, (_, index) => ({
      id: `c${index}`,
      include: [`c${index + 1}`],
    }));
    expect(issues({ include: ['c0'] }, ...chain, { id: 'c101' })).toEqual([
      '/include/0: a list includes at most 100 others, those behind them counted',
    ]);
    expect(issues({ include: ['c2'] }, ...chain, { id: 'c101' })).toEqual([]);
  });

  test('cycles, shown with the way', () => {
    expect(issues({ include: ['l'] })).toEqual(['/include/0: includes itself: l -> l']);
    expect(
      issues({ include: ['n', 'm'] }, { id: 'm', include: ['o'] }, { id: 'n' }, { id: 'o', include: ['l'] }),
    ).toEqual(['/include/1: includes itself: l -> m -> o -> l']);
    const lists = documents(
      { id: 'a', values: ['x'], include: ['b'] },
      { id: 'b', include: ['a'] },
      { id: 'c', values: ['x'], include: ['a'] },
      { id: 'd', values: ['x'] },
    );
    const named = buildNamedLists(lists);
    expect([...named.lists.keys()]).toEqual(['d']);
    expect([...named.problems].map(([id, [issue]]) => `${id} ${issue?.path}: ${issue?.message}`)).toEqual([
      'a /include/0: includes itself: a -> b -> a',
      'b /include/0: includes itself: b -> a -> b',
      'c /include/0: includes itself: c -> a -> b -> a',
    ]);
  });

  const named = (lists: Map<string, ValueList>, condition: object): string[] =>
    checkRule({ kind: 'rule', id: 'r', when: condition, then: [{ action: 'a' }] }, { lists }).map(
      ({ path, message }) => `${path}: ${message}`,
    );
  test('in rules', () => {
    const lists = documents({ id: 'l' }, { id: 'nets', comparison: 'cidr' });
    expect(named(lists, when)).toEqual([]);
    expect(named(lists, { any: [{ 'data.a': { not: { in_list: 'gone' } } }] })).toEqual([
      '/when/any/0/data.a/not/in_list: the list gone does not exist',
    ]);
    expect(named(lists, { vulnerabilities: { in_list: 'nets' } })).toEqual([
      '/when/vulnerabilities/in_list: the list nets is compared as cidr; here it must hold identifiers',
    ]);
    expect(named(lists, { severity: { in_list: 'l' } })).toEqual([
      '/when/severity/in_list: this operator does not fit here',
    ]);
    for (const bad of ['', 'A', 'a b', ['l'], null])
      expect(named(lists, { 'data.a': { in_list: bad } })).toEqual([
        '/when/data.a/in_list: must be the id of a list',
      ]);
  });
});

test('the lists of a condition', () => {
  const condition = {
    'data.a': { in_list: 'one', not: { in_list: 'two' } },
    any: [{ not: { vulnerabilities: { in_list: 'three' } } }, { 'data.b': { in_list: 'one' } }],
    each: { path: 'data.c', match: { d: { in_list: 'four' } } },
  };
  const { rule } = parseRule({ kind: 'rule', id: 'r', when: condition, then: [{ action: 'a' }] });
  expect(listsOf((rule as NonNullable<typeof rule>).condition)).toEqual(['one', 'two', 'three', 'four']);
});
