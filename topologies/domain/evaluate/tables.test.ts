// A rule that cannot be used is left out and reported; the others go on.
import type { Rule } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { decide } from './decide.ts';
import { action, eventInput, finding, rule, tables } from './fixtures.ts';

test('a rule with an error takes no other down, one with a missing playbook stays', () => {
  const broken = rule('broken', [{ action: 'log' }], { when: { 'data.a': { resembles: 'x' } } });
  const playbook = { ...rule('playbook', [{ action: 'log' }]), then: [{ playbook: 'p' }] } as Rule;
  const built = tables([broken, playbook, rule('good', [{ action: 'log' }])]);
  expect(built.problems).toEqual([
    'rule/broken revision 3: /when/data.a/resembles: unknown operator',
    'rule/playbook revision 3: /then/0/playbook: the playbook p does not exist',
  ]);
  expect(decide(eventInput(finding), built).matched.map((match) => match.rule)).toEqual(['good', 'playbook']);
});

test('a rule that names a missing action stays and is reported', () => {
  const built = tables([rule('r', [{ action: 'gone' }])]);
  expect(built.problems).toEqual(['rule/r revision 3: /then/0/action: the action gone does not exist']);
  expect(built.ruleSet.size).toBe(1);
});

test('an action of an unknown type is reported', () => {
  expect(tables([], [action('x', { type: 'pager' })]).problems).toEqual([
    'action/x revision 7: /type: unknown action type',
  ]);
});

test('a rule that is switched off is not asked', () => {
  const built = tables([rule('off', [{ action: 'log' }], { enabled: false })]);
  expect([built.ruleSet.size, built.problems]).toEqual([0, []]);
});
