// The table keeps the newest valid revision of each document; a bad one is reported and takes nothing down.

import type { ConfigRecord } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { createConfigFold } from './config-table.ts';

const rule = (id: string, revision: number, extra: object = {}): ConfigRecord => ({
  v: 1,
  revision,
  updated_at: 0,
  document: { kind: 'rule', id, when: { events: ['finding.new'] }, then: [{ action: 'log' }], ...extra },
});

test('newest wins, repeats and older revisions change nothing, null deletes', () => {
  const { table, apply } = createConfigFold();
  const first = apply('rule/a', rule('a', 2)).change;
  expect(first).toMatchObject({ kind: 'rule', id: 'a', before: null, after: { revision: 2 } });
  expect(table.rules.get('a')?.revision).toBe(2);
  expect(apply('rule/a', rule('a', 1))).toEqual({});
  expect(apply('rule/a', rule('a', 2))).toEqual({});
  const second = apply('rule/a', rule('a', 3, { name: 'new' })).change;
  expect(second).toMatchObject({ before: { revision: 2 }, after: { revision: 3 } });
  expect(table.rules.get('a')?.document.name).toBe('new');
  expect(apply('rule/a', null).change).toMatchObject({ before: { revision: 3 }, after: null });
  expect(table.rules.size).toBe(0);
  expect(apply('rule/a', null)).toEqual({});
});

test('an invalid document is left out and named; the valid revision before it stays', () => {
  const { table, apply } = createConfigFold();
  apply('rule/a', rule('a', 1));
  expect(apply('rule/a', rule('a', 2, { whn: {} }))).toEqual({
    problem: 'rule/a revision 2: /whn: unknown field',
  });
  expect(table.rules.get('a')?.revision).toBe(1);
});

test.each([
  ['toString/a', 'toString/a: unknown kind'],
  ['/a', '/a: unknown kind'],
  ['rule/b', 'rule/b: names itself rule/a'],
])('key %s is refused', (key, problem) => {
  expect(createConfigFold().apply(key, rule('a', 1)).problem).toBe(problem);
});

test('a playbook whose steps are nested beyond all bounds is a problem, not an exception', () => {
  let step: object = { id: 'x', action: 'log' };
  for (let depth = 0; depth < 20_000; depth += 1) step = { id: 'x', parallel: { branches: [[step]] } };
  const document = { kind: 'playbook', id: 'p', steps: [step] };
  const record = { v: 1 as const, revision: 1, updated_at: 0, document };
  expect(createConfigFold().apply('playbook/p', record).problem).toBe(
    'playbook/p revision 1: /: a playbook has at most 128 levels and 65536 bytes',
  );
});
