// The table keeps the newest valid revision of each document; a bad one is reported and takes nothing down.

import type { ConfigRecord } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { applyConfig, emptyConfig } from './config-table.ts';

const rule = (id: string, revision: number, extra: object = {}): ConfigRecord => ({
  v: 1,
  revision,
  updated_at: 0,
  document: { kind: 'rule', id, when: { events: ['finding.new'] }, then: [{ action: 'log' }], ...extra },
});

test('newest wins, repeats and older revisions change nothing, null deletes', () => {
  let { table } = applyConfig(emptyConfig, 'rule/a', rule('a', 2));
  expect(table.rules.get('a')?.revision).toBe(2);
  expect(applyConfig(table, 'rule/a', rule('a', 1)).table).toBe(table);
  expect(applyConfig(table, 'rule/a', rule('a', 2)).table).toBe(table);
  ({ table } = applyConfig(table, 'rule/a', rule('a', 3, { name: 'new' })));
  expect(table.rules.get('a')?.document.name).toBe('new');
  ({ table } = applyConfig(table, 'rule/a', null));
  expect(table.rules.size).toBe(0);
});

test('an invalid document is left out and named; the valid revision before it stays', () => {
  const { table } = applyConfig(emptyConfig, 'rule/a', rule('a', 1));
  const bad = applyConfig(table, 'rule/a', rule('a', 2, { whn: {} }));
  expect(bad.table).toBe(table);
  expect(bad.problem).toBe('rule/a revision 2: /whn: unknown field');
});

test.each([
  ['toString/a', 'toString/a: unknown kind'],
  ['/a', '/a: unknown kind'],
  ['rule/b', 'rule/b: names itself rule/a'],
])('key %s is refused', (key, problem) => {
  expect(applyConfig(emptyConfig, key, rule('a', 1)).problem).toBe(problem);
});
