// The playbooks and steps in docs/playbooks.md are valid.
import { readFileSync } from 'node:fs';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { writtenActions } from '@tocsin/topologies/testing/written-actions.ts';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const guide = readFileSync(new URL('../../../docs/playbooks.md', import.meta.url), 'utf8');
const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
  (match) => parse(match[1] as string) as unknown,
);
const playbooks = blocks.filter((block) => !Array.isArray(block));
const steps = blocks.filter((block) => Array.isArray(block));

test('the guide shows a playbook and steps of every kind', () => {
  expect([playbooks.length, steps.length]).toEqual([1, 8]);
  const text = JSON.stringify(blocks);
  for (const kind of [
    'action',
    'approve',
    'waitFor',
    'if',
    'switch',
    'parallel',
    'forEach',
    'while',
    'playbook',
    'set',
    'end',
  ])
    expect(text).toContain(`"${kind}":`);
});

test('the playbook is valid', () =>
  expect(playbooks.flatMap((document) => checkPlaybook(document))).toEqual([]));

test.each(steps.map((list, index) => [index, list] as const))('the steps %i are valid', (_index, list) => {
  expect(checkPlaybook({ kind: 'playbook', id: 'guide', steps: list })).toEqual([]);
});

test('its actions take their parameters, where they are written out', () => {
  const written = writtenActions(blocks);
  expect(written.filter(({ issues }) => issues.length > 0)).toEqual([]);
  const types = written.map(({ type }) => type);
  expect(types.filter((type) => type === 'rescan')).toHaveLength(2);
  expect(types).toEqual(expect.arrayContaining(['jira', 'webhook']));
});
