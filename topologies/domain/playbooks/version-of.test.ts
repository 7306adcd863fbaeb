// What a version pins, when its revision changes, and which playbooks have none.
import type { ActionConfig, Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { compileVersion } from './parse-playbook.ts';
import { namedByPlaybook, versionOf, versionsOfFiles } from './version-of.ts';

const action = (id: string, params = {}): ActionConfig => ({ kind: 'action', id, type: 'log', params });
const playbook = (id: string, steps: readonly PlaybookStep[], more: Partial<Playbook> = {}): Playbook => ({
  kind: 'playbook',
  id,
  steps: [...steps],
  ...more,
});
const act = (id: string, name = id): PlaybookStep => ({ id, action: name });
const runs = (id: string): PlaybookStep => ({ id: `run-${id}`, playbook: { id } });

function files(
  playbooks: readonly Playbook[],
  actions: readonly ActionConfig[],
  privileged: ReadonlySet<string> = new Set(),
) {
  return {
    playbooks: new Map(playbooks.map((document) => [document.id, { document }])),
    actions: new Map(actions.map((document) => [document.id, { document, revision: 1 }])),
    privileged,
  };
}

const revision = (id: string, playbooks: readonly Playbook[], actions: readonly ActionConfig[]) =>
  versionsOfFiles(files(playbooks, actions)).get(id)?.version?.revision;

test('names of steps are found wherever steps stand', () => {
  const document = playbook(
    'p',
    [
      {
        id: 'a',
        action: 'one',
        compensate: { id: 'undo', action: 'two' },
        onError: { run: [act('b', 'three')] },
      },
      { id: 'c', if: { vars: 1 }, then: [act('d', 'four')], else: [runs('q')] },
      { id: 'e', parallel: { branches: [[act('f', 'one')], [act('g', 'five')]] } },
      {
        id: 'h',
        forEach: {
          items: [],
          max: 1,
          do: [{ id: 'i', action: { type: 'webhook', connection: 'soc' } }, runs('p')],
        },
      },
    ],
    { trigger: { when: { any: [{ 'data.host': { not: { in_list: 'lab' } } }] } } },
  );
  expect(namedByPlaybook(document)).toEqual({
    actions: ['one', 'three', 'two', 'four', 'five'],
    playbooks: ['q', 'p'],
    connections: ['soc'],
    lists: ['lab'],
  });
});

test('a version pins what its steps name and nothing else', () => {
  const { version } = versionOf({
    document: playbook('p', [act('mail'), runs('q'), runs('p')]),
    revision: 7,
    actions: new Map(['mail', 'other'].map((id) => [id, { document: action(id), revision: 3 }])),
    playbooks: new Map([
      ['q', 4],
      ['r', 5],
      ['p', 6],
    ]),
    published: { by: 'alice', at: 12 },
  });
  expect(version).toMatchObject({
    v: 1,
    revision: 7,
    actions: { mail: { revision: 3, document: action('mail') } },
    playbooks: { q: 4 },
    published_by: 'alice',
    published_at: 12,
  });
  expect(Object.keys(version?.actions ?? {})).toEqual(['mail']);
  expect(compileVersion(version as NonNullable<typeof version>).program?.version.playbooks).toEqual({
    q: 4,
    p: 7,
  });
});

test.each<[string, PlaybookStep[], string]>([
  [
    'action',
    [{ id: 'a', if: { vars: 1 }, then: [act('mail')] }],
    '/steps/0/then/0/action: the action mail does not exist',
  ],
  ['playbook', [act('log'), runs('q')], '/steps/1/playbook/id: the playbook q does not exist'],
])('what is missing is named by its place: %s', (_, steps, expected) => {
  const parts = {
    revision: 1,
    actions: new Map([['log', { document: action('log'), revision: 1 }]]),
    playbooks: new Map(),
  };
  const { version, issues } = versionOf({ document: playbook('p', steps), ...parts });
  expect(version).toBeNull();
  expect(issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([expected]);
});

test('a version larger than a record is refused', () => {
  const large = Array.from({ length: 20 }, (_, n) => action(`a${n}`, { text: 'x'.repeat(60_000) }));
  const { issues } = versionOf({
    document: playbook(
      'p',
      large.map(({ id }) => act(id)),
    ),
    revision: 1,
    actions: new Map(large.map((document) => [document.id, { document, revision: 1 }])),
    playbooks: new Map(),
  });
  expect(issues.map(({ path }) => path)).toEqual(['/steps']);
});

test('the revision of files changes with everything that a run can reach, and with nothing else', () => {
  const p = playbook('p', [act('mail'), runs('q')]);
  const q = playbook('q', [act('chat')]);
  const both = [action('mail'), action('chat'), action('other')];
  const before = revision('p', [p, q], both) as number;
  expect(Number.isSafeInteger(before) && before >= 1).toBe(true);
  expect(revision('p', [q, p], [...both].reverse())).toBe(before);
  expect(revision('p', [p, q], [action('mail'), action('chat'), action('other', { x: 1 })])).toBe(before);
  const changed = [
    revision('p', [{ ...p, name: 'P' }, q], both),
    revision('p', [p, { ...q, name: 'Q' }], both),
    revision('p', [p, q], [action('mail', { to: 'x' }), action('chat')]),
    revision('p', [p, q], [action('mail'), action('chat', { to: 'x' })]),
  ];
  expect(new Set([before, ...changed]).size).toBe(5);
  expect(changed).not.toContain(undefined);
  // An action below is none of q's playbook above.
  expect(revision('q', [p, q], [action('mail', { to: 'x' }), action('chat')])).toBe(
    revision('q', [p, q], both),
  );
});

test('two playbooks that run each other both have a version, pinned to each other', () => {
  const built = versionsOfFiles(
    files([playbook('a', [runs('b')]), playbook('b', [runs('a'), act('log')])], [action('log')]),
  );
  const [a, b] = [built.get('a')?.version, built.get('b')?.version];
  expect(a?.playbooks).toEqual({ b: b?.revision });
  expect(b?.playbooks).toEqual({ a: a?.revision });
  expect(a?.revision).not.toBe(b?.revision);
});

test('a playbook over one without version has none, whatever the order of the files', () => {
  const [a, b, c, d] = [
    playbook('a', [runs('b')]),
    playbook('b', [runs('c')]),
    playbook('c', [act('gone')]),
    playbook('d', [act('log')]),
  ];
  for (const order of [
    [a, b, c, d],
    [d, c, b, a],
  ] as const) {
    const built = versionsOfFiles(files(order, [action('log')]));
    expect(['a', 'b', 'c', 'd'].map((id) => built.get(id)?.version === null)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(built.get('c')?.issues).toEqual([
      { path: '/steps/0/action', message: 'the action gone does not exist' },
    ]);
  }
});

test('files have the grants of the privileged types that their steps use, each once, and none without', () => {
  const nested = playbook('nested', [
    act('plain', 'log'),
    { id: 'branch', parallel: { branches: [[act('in', 'run')], [act('again', 'run')]] } },
    { id: 'undone', action: 'log', compensate: { id: 'undo', action: { type: 'wipe', params: {} } } },
  ]);
  const built = versionsOfFiles(
    files(
      [nested, playbook('plain', [act('log')])],
      [action('log'), { ...action('run'), type: 'script' }],
      new Set(['script', 'wipe', 'unused']),
    ),
  );
  expect(built.get('nested')?.version?.grants).toEqual(['action:script', 'action:wipe']);
  expect(built.get('plain')?.version).not.toHaveProperty('grants');
});
