// The playbooks and steps in docs/playbooks.md are valid.
import { readFileSync } from 'node:fs';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { checkParams } from '@tocsin/topologies/domain/action/check-params.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
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
  const checked: string[] = [];
  const visit = (node: unknown): void => {
    if (node === null || typeof node !== 'object') return;
    const { action, with: given } = node as { action?: { type?: string; params?: object }; with?: object };
    if (action?.type !== undefined && Object.hasOwn(actions, action.type)) {
      // A reference becomes a value of the run; any text will do.
      const params = JSON.stringify({ ...action.params, ...given }).replace(/\{"\$":"[^"]*"\}/g, '"x"');
      const type = action.type as keyof typeof actions;
      expect(checkParams(actions[type], JSON.parse(params)), type).toEqual([]);
      checked.push(type);
    }
    for (const child of Object.values(node)) visit(child);
  };
  visit(blocks);
  expect(checked.filter((type) => type === 'rescan')).toHaveLength(2);
  expect(checked).toEqual(expect.arrayContaining(['jira', 'webhook']));
});
