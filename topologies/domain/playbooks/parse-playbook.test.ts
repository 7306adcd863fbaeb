// What a playbook is refused for, and where the reason points to.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { durationMs, parseDuration } from './duration.ts';
import { checkPlaybook } from './parse-playbook.ts';

const act = (id: string, more: Record<string, unknown> = {}) => ({ id, action: 'mail', ...more });

function issues(steps: readonly unknown[], more: Record<string, unknown> = {}, check = {}): string[] {
  return checkPlaybook({ kind: 'playbook', id: 'p', steps, ...more }, check).map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

const nest = (levels: number): unknown =>
  levels === 0 ? act('leaf') : { id: `n${levels}`, if: { 'finding.a': 1 }, then: [nest(levels - 1)] };

test.each<[string, readonly unknown[], string]>([
  ['no step', [], '/steps: a step is missing'],
  ['a step that does nothing', [{ id: 'a' }], '/steps/0: does nothing; a step is one of '],
  ['two kinds', [act('a', { set: {} })], '/steps/0: is action and set at once'],
  [
    'the same id twice',
    [act('a'), { id: 'b', if: { 'finding.x': 1 }, then: [act('a')] }],
    '/steps/1/then/0/id: a is the id',
  ],
  ['an unknown member', [act('a', { dealy: 'PT1H' })], '/steps/0/dealy: unknown field'],
  [
    'a member of another kind',
    [{ id: 'a', set: {}, retry: { attempts: 2, base: 'PT1S' } }],
    '/steps/0/retry: does not fit set',
  ],
  ['a cycle', [act('a'), act('b', { onError: { goto: 'a' } })], '/steps/1/onError/max: is required'],
  ['a step that goes to itself', [act('a', { onError: { goto: 'a' } })], '/steps/0/onError/max: is required'],
  ['a goto to nowhere', [act('a', { onError: { goto: 'z' } })], '/steps/0/onError/goto: there is no step z'],
  [
    'a goto into a branch',
    [act('a', { onError: { goto: 'c' } }), { id: 'b', if: { 'finding.x': 1 }, then: [act('c')] }],
    '/steps/0/onError/goto: c is in no list around this step',
  ],
  [
    'a goto out of parallel',
    [{ id: 'b', parallel: { branches: [[act('a', { onError: { goto: 'c' } })]] } }, act('c')],
    '/steps/0/parallel/branches/0/0/onError/goto: c lies outside of parallel b',
  ],
  [
    'a step behind the end',
    [{ id: 'a', end: { status: 'failed' } }, act('b')],
    '/steps/1: the step b is never reached',
  ],
  [
    'a step behind two ends',
    [
      {
        id: 'a',
        if: { 'finding.x': 1 },
        then: [{ id: 'x', end: { status: 'failed' } }],
        else: [{ id: 'y', end: { status: 'completed' } }],
      },
      act('b'),
    ],
    '/steps/1: the step b is never reached',
  ],
  [
    'a step that comes later',
    [act('a', { when: { 'steps.b.status': 'failed' } }), act('b')],
    '/steps/0/when: the step b does not come before',
  ],
  [
    'a step that does not exist',
    [act('a', { with: { x: { $: 'steps.z.outputs.y' } } })],
    '/steps/0/with: there is no step z',
  ],
  [
    'such a step in a template',
    [act('a', { with: { x: ['{{steps.z.outputs.y}}'] } })],
    '/steps/0/with: there is no step z',
  ],
  [
    'a path to nothing',
    [act('a', { when: { 'findng.x': 1 } })],
    '/steps/0/when/findng.x: unknown field; a path starts with',
  ],
  ['a reference to nothing', [{ id: 'a', set: { x: { $: 'foo.bar' } } }], '/steps/0/set/x/$: unknown field'],
  ['a broken template', [act('a', { with: { x: '{{#open}}' } })], '/steps/0/with/x: Unclosed section'],
  [
    'a named list',
    [act('a', { when: { 'finding.x': { in_list: 'l' } } })],
    '/steps/0/when/finding.x/in_list: the list l does not exist',
  ],
  ['a delay of nothing', [act('a', { delay: 'PT0S' })], '/steps/0/delay: must be from PT1S to P90D'],
  ['a delay of years', [act('a', { delay: 'P10Y' })], '/steps/0/delay: is no ISO 8601 duration'],
  ['91 days', [act('a', { delay: { for: 'P91D' } })], '/steps/0/delay/for: must be from PT1S to P90D'],
  [
    'one attempt too many',
    [act('a', { retry: { attempts: 1e9, base: 'PT1S' } })],
    '/steps/0/retry/attempts: must be <= 100',
  ],
  [
    'a shrinking backoff',
    [act('a', { retry: { attempts: 3, base: 'PT1S', factor: 0.5 } })],
    '/steps/0/retry/factor: must be >= 1',
  ],
  [
    'no approvers',
    [{ id: 'a', approve: { title: 't', by: { anyOf: [] } } }],
    '/steps/0/approve/by/anyOf: must NOT have fewer',
  ],
  [
    '3 of 2 people',
    [{ id: 'a', approve: { title: 't', by: { anyOf: ['user:a', 'user:b'] }, quorum: { approve: 3 } } }],
    '/steps/0/approve/quorum/approve: needs 3 of 2 people',
  ],
  [
    'silence that approves',
    [{ id: 'a', approve: { title: 't', by: { anyOf: ['user:a'] }, onTimeout: 'approve' } }],
    '/steps/0/approve/onTimeout: must be',
  ],
  [
    'an approval of nothing',
    [{ id: 'a', approve: { title: 't', by: { anyOf: ['user:a'] }, covers: ['z'] } }],
    '/steps/0/approve/covers/0: there is no step z',
  ],
  [
    'an approval of what it decides itself',
    [
      { id: 'a', approve: { title: 't', by: { anyOf: ['user:a'] }, covers: ['b'] } },
      act('b', { with: { text: 'approved by {{steps.a.outputs.by}}' } }),
    ],
    '/steps/0/approve/covers/0: what b sends depends on this decision',
  ],
  [
    'a loop without an end',
    [{ id: 'a', while: { when: { 'vars.x': 1 }, do: [act('b')] } }],
    '/steps/0/while/max: is required',
  ],
  [
    'too many rounds',
    [{ id: 'a', forEach: { items: [], max: 1001, do: [act('b')] } }],
    '/steps/0/forEach/max: must be <= 1000',
  ],
  [
    '51 branches',
    [{ id: 'a', parallel: { branches: Array.from({ length: 51 }, (_, n) => [act(`b${n}`)]) } }],
    '/steps/0/parallel/branches: must NOT have more than 50',
  ],
  ['9 levels', [nest(8)], ': steps are nested at most 8 deep'],
  [
    '201 steps',
    Array.from({ length: 150 }, (_, n) => act(`s${n}`, n < 60 ? { compensate: act(`u${n}`) } : {})),
    ': a playbook has at most 200 steps',
  ],
  [
    'an undo that waits',
    [act('a', { compensate: { id: 'u', set: {} } })],
    '/steps/0/compensate: must be an action',
  ],
  [
    'an incident of a loop',
    [{ id: 'a', while: { when: { 'vars.x': 1 }, max: 1, do: [act('b')] }, onError: 'incident' }],
    '/steps/0/onError: does not fit while',
  ],
])('%s', (_what, steps, expected) => {
  const found = issues(steps);
  expect(found.length).toBeGreaterThan(0);
  expect(found.join('\n')).toContain(expected);
});

describe('names outside of the playbook', () => {
  const none = { has: () => false };
  test('actions, connections, playbooks', () => {
    const steps = [
      act('a'),
      { id: 'b', action: { type: 'webhook', connection: 'c' } },
      { id: 'd', playbook: { id: 'e' } },
    ];
    expect(issues(steps, {}, { actions: none, connections: none, playbooks: none })).toEqual([
      '/steps/0/action: the action mail does not exist',
      '/steps/1/action/connection: the connection c does not exist',
      '/steps/2/playbook/id: the playbook e does not exist',
    ]);
    expect(issues(steps)).toEqual([]);
  });

  test('nobody but the author', () => {
    const steps = [{ id: 'a', approve: { title: 't', by: { anyOf: ['user:eve'] } } }];
    expect(issues(steps, {}, { author: 'eve' })).toEqual([
      '/steps/0/approve/by/anyOf: names nobody but the author, who cannot approve',
    ]);
    expect(issues(steps, {}, { author: 'adam' })).toEqual([]);
  });
});

test('triggers take everything only when they say so', () => {
  expect(issues([act('a')], { trigger: {} })).toEqual([
    '/trigger/when: is empty; match_all: true takes everything',
  ]);
  expect(issues([act('a')], { trigger: { match_all: true } })).toEqual([]);
  expect(issues([act('a')], { trigger: { when: { min_severity: 'hgh' } } })[0]).toMatch(
    /^\/trigger\/when\/min_severity: must be a severity/,
  );
});

test('more than 64 KiB, and depth that would exhaust a stack', () => {
  expect(issues([act('a', { description: 'x'.repeat(4000), with: { x: 'y'.repeat(62_000) } })])[0]).toContain(
    '65536 bytes',
  );
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n++) deep = [deep];
  expect(issues([act('a', { with: { deep } })])[0]).toContain('128 levels');
  expect(checkPlaybook(null)[0]?.message).toBe('must be object');
});

test('what may be said', () => {
  const steps = [
    act('a', { onError: { goto: 'c' } }),
    {
      id: 'b',
      while: { when: { 'steps.in.outputs.done': { not: true } }, max: 3, do: [act('in')] },
      onUnknown: 'run',
    },
    act('c', { onError: { goto: 'a', max: 2 } }),
    { id: 'd', end: { status: 'failed' }, when: { 'steps.a.status': 'failed' } },
    act('e'),
  ] as unknown as PlaybookStep[];
  expect(issues(steps)).toEqual([]);
});

test.each([
  ['PT1S', 1000],
  ['PT1H30M', 5_400_000],
  ['P1DT12H', 129_600_000],
  ['P2W', 1_209_600_000],
  ['P90D', 7_776_000_000],
])('%s', (text, ms) => expect(durationMs(text)).toBe(ms));

test.each([
  '',
  'P',
  'PT',
  'P1DT',
  '1h30',
  '24h ',
  '-PT1H',
  'PT1.5H',
  'P1M',
  'P1Y',
  'PT1e3S',
  'P91D',
  'PT0S',
  `PT${'9'.repeat(30)}S`,
])('%j is no duration', (text) => expect(parseDuration(text)).toHaveProperty('error'));
