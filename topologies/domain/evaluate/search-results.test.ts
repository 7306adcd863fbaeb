// What comes out of the run of a search job: modes, rows, chunks, limits.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Command, Rule, ThenAction } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { decide, noDecision } from './decide.ts';
import { action, eventInput, finding, rule, run, searchInput, tables } from './fixtures.ts';

const rows = [
  { user: 'ada', failures: 3 },
  { user: 'bob', failures: 12 },
  { user: 'eve', failures: 40 },
];

function onRows(then: ThenAction | [ThenAction, ...ThenAction[]], more: Partial<Rule> = {}): Rule {
  return rule('r', Array.isArray(then) ? then : [then], { source: 'search-results', ...more });
}

/** `mode: row indexes of the commands`, for one action over three rows. */
function outline(commands: readonly Command[]): string {
  return `${commands[0]?.mode}: ${commands.map((command) => command.row_index).join(' ')}`;
}

describe('modes', () => {
  test.each([
    ['webhook', {}, 'each: 0 1 2'],
    ['email', {}, 'each: 0 1 2'],
    ['log', {}, 'all: all'],
    ['webhook', { run_once: true }, 'first: 0'],
    ['email', { run_once: true }, 'all: all'],
    ['log', { run_once: true }, 'all: all'],
    ['webhook', { run_once: false }, 'each: 0 1 2'],
    ['log', { run_once: false }, 'each: 0 1 2'],
    ['webhook', { mode: 'all' }, 'all: all'],
    ['email', { mode: 'first' }, 'first: 0'],
  ] as const)('%s with %j: %s', (type, settings, expected) => {
    const inThen = decide(searchInput(run(rows)), tables([onRows({ action: type, ...settings })]));
    expect(outline(inThen.commands)).toBe(expected);
    const inAction = decide(
      searchInput(run(rows)),
      tables([onRows({ action: type })], [action(type, settings)]),
    );
    expect(outline(inAction.commands)).toBe(expected);
  });

  type Level = { then?: Partial<ThenAction>; action?: Partial<ActionConfig>; rule?: Partial<Rule> };
  test.each<[string, Level, string]>([
    [
      'mode of the entry over everything',
      { then: { mode: 'each', run_once: true }, action: { mode: 'first' }, rule: { run: 'once' } },
      'each: 0 1 2',
    ],
    [
      'run_once of the entry over the action',
      { then: { run_once: true }, action: { mode: 'each', run_once: false } },
      'all: all',
    ],
    [
      'mode of the action over its run_once',
      { action: { mode: 'first', run_once: true }, rule: { run: 'each' } },
      'first: 0',
    ],
    [
      'run_once of the action over the rule',
      { action: { run_once: false }, rule: { run: 'once' } },
      'each: 0 1 2',
    ],
    ['run of the rule over the type', { rule: { run: 'once' } }, 'all: all'],
    ['the type', {}, 'each: 0 1 2'],
  ])('%s', (_name, level, expected) => {
    const document = onRows({ action: 'email', ...level.then }, level.rule);
    const decision = decide(searchInput(run(rows)), tables([document], [action('email', level.action)]));
    expect(outline(decision.commands)).toBe(expected);
  });
  test.each<[string, Level, boolean | undefined]>([
    ['run_once of the entry', { then: { run_once: true } }, true],
    ['run_once of the action', { action: { run_once: true } }, true],
    ['run of the rule', { rule: { run: 'once' } }, true],
    ['a mode', { then: { mode: 'all' } }, undefined],
    ['run_once false', { then: { run_once: false } }, undefined],
  ])('the command says that it was asked for as run once: %s', (_name, level, expected) => {
    const document = onRows({ action: 'email', ...level.then }, level.rule);
    const { commands } = decide(searchInput(run(rows)), tables([document], [action('email', level.action)]));
    expect(commands[0]?.run_once).toBe(expected);
  });
  test('run: each of a rule switches off the collective default', () => {
    const decision = decide(searchInput(run(rows)), tables([onRows({ action: 'log' }, { run: 'each' })]));
    expect(outline(decision.commands)).toBe('each: 0 1 2');
  });
});

test('parameters may ask for a mode when neither rule nor action says one', () => {
  const modeOf = (type: string, params: Record<string, unknown>) =>
    type === 'email' && params['merge'] === true ? 'all' : null;
  const outcome = (then: ThenAction, more: Partial<Rule> = {}) =>
    outline(decide(searchInput(run(rows)), tables([onRows(then, more)], undefined, { modeOf })).commands);
  expect(outcome({ action: 'email', with: { merge: true } })).toBe('all: all');
  expect(outcome({ action: 'email', with: { merge: false } })).toBe('each: 0 1 2');
  expect(outcome({ action: 'email', with: { merge: true }, mode: 'first' })).toBe('first: 0');
  expect(outcome({ action: 'email', with: { merge: true } }, { run: 'each' })).toBe('each: 0 1 2');
});

describe('rows', () => {
  const failing = { when: { failures: { gt: 10 }, 'search.job_id': 'failed-logins' } };
  const search = { job_id: 'failed-logins', run_id: '2026-04-28T12:00', name: 'Failed logins' };

  test('each: one command per matching row, with its index in the run', () => {
    const decision = decide(
      searchInput(run(rows, { row_base: 500 })),
      tables([onRows({ action: 'webhook' }, failing)]),
    );
    expect(decision.commands.map((command) => command.row_index)).toEqual([501, 502]);
    expect(decision.commands[1]?.subject).toEqual({
      rows: [rows[2]],
      total_rows: 3,
      search: { ...search, row_base: 500 },
    });
    expect(decision.matched).toEqual([{ rule: 'r', revision: 3, rows: 2 }]);
    expect(decision.commands[0]?.source).toMatchObject({
      id: 'failed-logins/2026-04-28T12:00',
      kind: 'search-result',
    });
  });
  test('all: one command with the matching rows', () => {
    const decision = decide(
      searchInput(run(rows)),
      tables([onRows({ action: 'email', mode: 'all' }, failing)]),
    );
    expect(decision.commands).toHaveLength(1);
    expect(decision.commands[0]).toMatchObject({
      row_index: 'all',
      subject: { rows: [rows[1], rows[2]], total_rows: 3, search },
    });
  });
  test('first: the first matching row', () => {
    const decision = decide(
      searchInput(run(rows)),
      tables([onRows({ action: 'webhook', mode: 'first' }, failing)]),
    );
    expect(decision.commands).toMatchObject([{ row_index: 1, subject: { rows: [rows[1]], total_rows: 3 } }]);
  });
  test.each(['each', 'first', 'all'] as const)('no row, no command: %s', (mode) => {
    const decision = decide(searchInput(run([])), tables([onRows({ action: 'email', mode })]));
    expect(decision).toEqual({ ...noDecision, notes: [{ reason: 'no_rows' }] });
  });
  test('no matching row, no command', () => {
    const when = { failures: { gt: 100 } };
    expect(decide(searchInput(run(rows)), tables([onRows({ action: 'log' }, { when })])).commands).toEqual(
      [],
    );
  });
  test('rules keep their order although rows match them in another', () => {
    const rules = [
      { ...onRows({ action: 'log' }, { when: { user: 'eve' } }), id: 'a' },
      { ...onRows({ action: 'log' }, { when: { user: 'ada' } }), id: 'b' },
    ];
    expect(decide(searchInput(run(rows)), tables(rules)).matched.map((match) => match.rule)).toEqual([
      'a',
      'b',
    ]);
  });
  test('rules over events do not see rows, and the other way round', () => {
    const both = tables([onRows({ action: 'log' }), rule('events', [{ action: 'log' }])]);
    expect(decide(searchInput(run(rows)), both).matched.map((match) => match.rule)).toEqual(['r']);
    expect(decide(eventInput(finding), both).matched.map((match) => match.rule)).toEqual(['events']);
  });
  test('two jobs never share a source id', () => {
    const id = (job_id: string, run_id: string) =>
      decide(searchInput(run(rows, { job_id, run_id })), tables([onRows({ action: 'log' })])).commands[0]
        ?.source.id;
    const ids = [id('a/b', 'c'), id('a', 'b/c'), id('a%2Fb', 'c'), id('a', 'b'), id('a#1', 'b')];
    expect(ids).toEqual(['a%2Fb/c', 'a/b%2Fc', 'a%252Fb/c', 'a/b', 'a%231/b']);
  });
  test.each([
    [{ run_id: 'x', rows: [] }, '/job_id: is required'],
    [{ job_id: 'x', run_id: 'x' }, '/rows: is required'],
    [{ job_id: 'x', run_id: 'x', rows: [1] }, '/rows/0: must be object'],
    [{ job_id: 'x', run_id: 'x', rows: [], chunks: 0 }, '/chunks: must be >= 1'],
  ])('%j is refused', (value, detail) => {
    expect(decide(searchInput(value), tables([])).refused).toMatchObject([
      { reason: 'invalid_envelope', detail, deadLetter: true },
    ]);
  });
});

describe('runs in several chunks', () => {
  const chunk = (index: number, document: Rule) =>
    decide(searchInput(run(rows, { chunk: index, chunks: 2, row_base: index * 3 })), tables([document]));

  test('each works, with ids and indexes of its own', () => {
    const decisions = [0, 1].map((index) => chunk(index, onRows({ action: 'webhook' })));
    expect(decisions.flatMap(({ commands }) => commands.map((command) => command.row_index))).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    expect(decisions[1]?.commands[0]?.source.id).toBe('failed-logins/2026-04-28T12:00#1');
    expect(decisions[1]?.commands[0]?.subject).not.toHaveProperty('total_rows');
  });
  test('all: every chunk gives the collector its matching rows and what the command will be', () => {
    const document = onRows({ action: 'log' }, { when: { failures: { gt: 10 } } });
    const decisions = [0, 1].map((index) => chunk(index, document));
    expect(decisions.flatMap(({ commands, refused }) => [...commands, ...refused])).toEqual([]);
    const [first, second] = decisions.map(({ collected }) => collected);
    expect(first).toMatchObject([
      {
        chunk: {
          kind: 'chunk',
          chunk: 0,
          chunks: 2,
          row_base: 0,
          row_count: 3,
          matching: 2,
          rows: [rows[1], rows[2]],
          indexes: [1, 2],
          template: {
            mode: 'all',
            source: { id: 'failed-logins/2026-04-28T12:00', kind: 'search-result' },
            search: { job_id: 'failed-logins', run_id: '2026-04-28T12:00', name: 'Failed logins' },
            rule: { id: 'r', revision: 3 },
          },
        },
      },
    ]);
    expect(second).toMatchObject([{ key: first?.[0]?.key, chunk: { chunk: 1, row_base: 3 } }]);
    for (const { chunk: input } of [...(first ?? []), ...(second ?? [])])
      expect(checkDocument('collection-input.json', input)).toEqual([]);
  });
  test('all: a chunk without a matching row is told too', () => {
    const { collected, matched } = chunk(1, onRows({ action: 'log' }, { when: { failures: { gt: 99 } } }));
    expect(collected).toMatchObject([{ chunk: { chunk: 1, row_count: 3, matching: 0, rows: [] } }]);
    expect(matched).toEqual([]);
  });
  test('all: a chunk without rows is told too', () => {
    const input = searchInput(run([], { chunk: 1, chunks: 2 }));
    const { collected } = decide(input, tables([onRows({ action: 'log' })]));
    expect(collected).toMatchObject([{ chunk: { row_count: 0, matching: 0 } }]);
    expect(collected[0]?.chunk).not.toHaveProperty('row_base');
  });
  test('first: the first matching row of the chunk', () => {
    const { collected, commands } = chunk(1, onRows({ action: 'webhook', mode: 'first' }));
    expect(commands).toEqual([]);
    expect(collected).toMatchObject([{ chunk: { matching: 3, rows: [rows[0]], indexes: [0] } }]);
  });
  test('rules, entries, tenants, runs and jobs do not share a key', () => {
    const two: [ThenAction, ThenAction] = [{ action: 'log' }, { action: 'log', key: 'again' }];
    const keys = [
      {},
      { tenant: 't' },
      { job_id: 'failed-logins/2026-04-28T12:00', run_id: 'x' },
      { run_id: 'other' },
    ].flatMap((more) =>
      decide(
        searchInput(run(rows, { chunk: 0, chunks: 2, ...more })),
        tables([onRows(two), { ...onRows(two), id: 'r2' }]),
      ).collected.map(({ key }) => key),
    );
    expect(new Set(keys).size).toBe(16);
  });
  test.each<[string, Partial<Rule>, number]>([
    ['of another job', { when: { 'search.job_id': 'other', failures: { gt: 1 } } }, 0],
    ['of this job', { when: { 'search.job_id': { in: ['failed-logins', 'x'] }, failures: { gt: 99 } } }, 1],
    ['of another name, which chunks may tell differently', { when: { 'search.name': 'other' } }, 1],
    ['of every job', { when: { failures: { gt: 99 } } }, 1],
    ['of another job or a row', { when: { any: [{ 'search.job_id': 'other' }, { failures: 99 }] } }, 1],
    ['of a job that a row names', { when: { 'search.job_id': { field: 'user' } } }, 1],
    ['on trial', { shadow: true }, 0],
    ['switched off', { enabled: false }, 0],
    ['over events', { source: 'events' }, 0],
  ])('a rule %s follows the run: %#', (_name, more, expected) => {
    const document = onRows({ action: 'log' }, more);
    expect(chunk(0, document).collected.length).toBe(expected);
  });
  test.each([
    [{ chunk: 2, chunks: 2 }, 'chunk 2 of 2: numbers begin at 0 and end below the number of chunks'],
    [{ chunk: 1 }, 'chunk 1 of 1: numbers begin at 0 and end below the number of chunks'],
    [{ chunk: 0, chunks: 1_001 }, 'a run of 1001 chunks; at most 1000 are put together'],
  ])('%j is refused for actions that need the whole run, and no other', (numbers, problem) => {
    const document = onRows([{ action: 'log' }, { action: 'webhook' }]);
    const decision = decide(searchInput(run(rows, numbers)), tables([document]));
    expect(decision.refused).toMatchObject([
      {
        reason: 'invalid_chunk',
        deadLetter: true,
        detail: `rule r, action log: mode all needs the whole run; ${problem}`,
      },
    ]);
    expect([outline(decision.commands), decision.collected]).toEqual(['each: 0 1 2', []]);
  });
  test('what cannot act does not follow, and is refused only where a row matches', () => {
    const document = onRows([{ action: 'gone' }, { action: 'off', mode: 'all' }], { when: { user: 'eve' } });
    const known = tables([document], [action('off', { type: 'log', enabled: false })]);
    const judge = (some: typeof rows) => decide(searchInput(run(some, { chunk: 0, chunks: 2 })), known);
    expect(judge(rows).refused.map(({ reason }) => reason)).toEqual(['unknown_action', 'action_disabled']);
    expect(judge(rows.slice(0, 2))).toMatchObject({ refused: [], collected: [] });
  });
  test('a run behind too many actions is not collected', () => {
    const decision = decide(
      searchInput(run(rows, { chunk: 0, chunks: 2, hops: 9 })),
      tables([
        onRows({ action: 'log' }),
        { ...onRows({ action: 'log' }, { when: { user: 'nobody' } }), id: 's' },
      ]),
    );
    expect(decision.collected).toEqual([]);
    expect(decision.refused.map(({ reason }) => reason)).toEqual(['loop_detected']);
  });
});

describe('the limit of commands', () => {
  const many = Array.from({ length: 250 }, (_, index) => ({ index }));

  test('C9, C72: the first 100 rows become commands, the rest is refused with its count', () => {
    const decision = decide(
      searchInput(run(many)),
      tables([onRows([{ action: 'webhook' }, { action: 'log' }])]),
    );
    expect(decision.commands.map((command) => command.row_index)).toEqual([...Array(100).keys(), 'all']);
    expect(decision.refused).toEqual([
      {
        reason: 'fanout_limit',
        detail: 'rule r, action webhook: 150 of 250 commands are over the limit of 100',
        deadLetter: true,
        rule: 'r',
        action: 'webhook',
        count: 150,
      },
    ]);
  });
  test('exactly the limit is no excess', () => {
    const decision = decide(searchInput(run(many.slice(0, 100))), tables([onRows({ action: 'webhook' })]));
    expect([decision.commands.length, decision.refused]).toEqual([100, []]);
  });
  test('the limit is a setting', () => {
    const decision = decide(
      searchInput(run(many)),
      tables([onRows({ action: 'webhook' })], undefined, { maxCommandsPerTrigger: 2 }),
    );
    expect([decision.commands.length, decision.refused[0]?.count]).toEqual([2, 248]);
  });
  test('mode all carries every row in one command', () => {
    const decision = decide(searchInput(run(many)), tables([onRows({ action: 'email', run_once: true })]));
    expect(decision.commands.map((command) => command.subject.rows?.length)).toEqual([250]);
  });
});
