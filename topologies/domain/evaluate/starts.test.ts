// Runs that an input starts: by triggers and by rules, under which key, and everything that keeps one from starting.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Playbook, PlaybookTrigger, Rule } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { decideRun } from '../playbooks/decide.ts';
import { programOf } from '../playbooks/play-kit.ts';
import { runKey } from '../playbooks/tokens.ts';
import { decide, maxHops } from './decide.ts';
import { eventInput, finding, playbook, rule, run, searchInput, tables } from './fixtures.ts';
import { followConfig } from './tables.ts';

const critical: PlaybookTrigger = { when: { severity: 'critical' } };
const event = { id: 'e1', ...finding };
const starts = (id: string, more: Record<string, unknown> = {}): Rule =>
  ({ ...rule('r', [{ action: 'log' }]), then: [{ playbook: id, ...more }] }) as Rule;
const with_ = (playbooks: readonly Playbook[], rules: readonly Rule[] = []) =>
  tables(rules, undefined, {}, playbooks);
const reasons = (input: ReturnType<typeof eventInput>, of: ReturnType<typeof tables>): string[] =>
  decide(input, of).refused.map(({ reason }) => reason);

describe('a trigger', () => {
  test('starts the current revision for the event, under the id of the event', () => {
    const decision = decide(
      eventInput({ ...event, tenant: 't', hops: 2 }),
      with_([
        playbook('p', { trigger: critical }),
        playbook('q', { trigger: { when: { severity: 'low' } } }),
      ]),
    );
    expect(decision).toMatchObject({ commands: [], refused: [], notes: [], matched: [], wanted: true });
    expect(decision.starts).toEqual([
      {
        key: runKey('p', 't', ['e1']),
        input: {
          kind: 'start',
          playbook: 'p',
          revision: 5,
          tenant: 't',
          event: { ...event, tenant: 't', hops: 2 },
          source: {
            id: 'e1',
            kind: 'event',
            event: 'finding.new',
            topic: 'findings.v1',
            partition: 3,
            offset: 27,
            timestamp: 1_777_377_600_500,
          },
          hops: 2,
          by: 'trigger',
        },
      },
    ]);
    expect(checkDocument('run-input.json', decision.starts[0]?.input)).toEqual([]);
  });

  test.each<[string, Partial<Playbook>]>([
    ['none', {}],
    ['one of a playbook that is switched off', { trigger: critical, enabled: false }],
    ['one that does not hold', { trigger: { when: { severity: 'low' } } }],
    ['one over rows', { trigger: { source: 'search-results', match_all: true } }],
  ])('starts nothing: %s', (_, more) => {
    const decision = decide(eventInput(event), with_([playbook('p', more)]));
    expect([decision.starts, decision.refused]).toEqual([[], []]);
  });

  test("that names no type does not see the engine's own events", () => {
    const all = with_([playbook('all', { trigger: { match_all: true } })]);
    const named = with_([playbook('named', { trigger: { when: { events: 'action.failed' } } })]);
    const input = eventInput(
      { id: 'x', event: 'action.failed', data: {} },
      { input: 'events', topic: 'events.v1' },
    );
    expect(decide(input, all).starts).toEqual([]);
    expect(decide(input, named).starts.length).toBe(1);
  });

  test('and a rule both act on one event', () => {
    const decision = decide(
      eventInput(event),
      with_([playbook('p', { trigger: critical })], [rule('r', [{ action: 'log' }])]),
    );
    expect([decision.commands.length, decision.starts.length]).toEqual([1, 1]);
    expect(decision.matched).toEqual([{ rule: 'r', revision: 3, rows: 1 }]);
  });
});

describe('a rule', () => {
  test('starts a playbook beside its actions, with parameters made from the event', () => {
    const params = {
      host: { $: 'finding.asset.name' },
      text: 'see {{finding.title}}',
      gone: { $: 'finding.no' },
      n: 1,
    };
    const both = { ...starts('p', { with: params }), name: 'R' };
    const acting = { ...both, then: [{ action: 'log' }, ...both.then] } as Rule;
    const decision = decide(eventInput(event), with_([playbook('p', { trigger: critical })], [acting]));
    expect(decision.commands.length).toBe(1);
    expect(decision.starts.map(({ input: { by, params } }) => [by, params])).toEqual([
      ['trigger', undefined],
      ['rule:r', { host: 'api.example.com', text: 'see SQL Injection in /api/login', n: 1 }],
    ]);
    // One run for an event: the second finds the first.
    expect(new Set(decision.starts.map(({ key }) => key)).size).toBe(1);
  });

  test('a value of the event is never read as a template', () => {
    const title = '{{event.id}}{{{x}}}';
    const input = eventInput({ ...event, data: { ...finding.data, title } });
    const [start] = decide(
      input,
      with_([playbook('p')], [starts('p', { with: { t: { $: 'finding.title' } } })]),
    ).starts;
    expect(start?.input.params).toEqual({ t: title });
  });

  test.each<[string, Playbook[], Rule, string]>([
    ['that does not exist', [], starts('p'), 'unknown_playbook'],
    ['that cannot be used', [playbook('p', { steps: [{ id: 'a' }] })], starts('p'), 'unknown_playbook'],
    ['that is switched off', [playbook('p', { enabled: false })], starts('p'), 'playbook_disabled'],
    [
      'whose parameters become too large',
      [playbook('p')],
      starts('p', {
        with: { t: '{{#finding.list}}{{#finding.list}}{{finding.title}}{{/finding.list}}{{/finding.list}}' },
      }),
      'playbook_params',
    ],
  ])('refuses a playbook %s and goes on with its actions', (_, playbooks, given, reason) => {
    const acting = { ...given, then: [...given.then, { action: 'log' }] } as Rule;
    const list = Array.from({ length: 400 }, () => ({ a: 1 }));
    const input = eventInput({ ...event, data: { ...finding.data, title: 'x'.repeat(1000), list } });
    const decision = decide(input, with_(playbooks, [acting]));
    expect(decision.starts).toEqual([]);
    expect(decision.commands.length).toBe(1);
    expect(decision.refused).toMatchObject([{ reason, rule: 'r', playbook: 'p' }]);
    expect(decision.refused[0]?.detail).toMatch(/^rule r, playbook p: /);
  });

  test('on trial starts nothing', () => {
    const decision = decide(eventInput(event), with_([playbook('p')], [{ ...starts('p'), shadow: true }]));
    expect([decision.starts, decision.matched.length]).toEqual([[], 1]);
  });
});

test('an input behind too many actions starts nothing and says what it did not', () => {
  const both = with_([playbook('p', { trigger: critical })], [starts('p')]);
  const input = (hops: number) => eventInput({ ...event, hops });
  expect(decide(input(maxHops - 1), both).starts.length).toBe(2);
  expect(decide(input(maxHops), both).starts).toEqual([]);
  expect(decide(input(maxHops), both).refused).toMatchObject([
    { reason: 'loop_detected', detail: expect.stringMatching(/not run: r, playbook:p$/) },
  ]);
});

test('the run of a start is as many hops behind its event as a command of a rule', () => {
  const decision = decide(
    eventInput({ ...event, hops: 1 }),
    with_([playbook('p')], [{ ...starts('p'), then: [{ action: 'log' }, { playbook: 'p' }] } as Rule]),
  );
  const program = programOf([{ id: 'write', action: { type: 'log' } }]);
  const moment = { now: 1, key: 'k', partition: 0 } as unknown as Parameters<typeof decideRun>[2];
  const { state } = decideRun(null, decision.starts[0]!.input, moment, {
    definitions: () => program,
    runsTopic: 'runs.v1',
  });
  expect(state?.hops).toBe(decision.commands[0]?.hops);
});

describe('rows of a search result', () => {
  const rows = [
    { host: 'a', n: 9 },
    { host: 'b', n: 1 },
    { host: 'c', n: 7 },
  ];
  const over = (more: Partial<Playbook> = {}) =>
    playbook('p', { trigger: { source: 'search-results', when: { n: { gte: 5 } } }, ...more });
  const input = (more = {}) =>
    searchInput(run(rows, { started_at: '2026-04-28T11:00:00Z', global_params: { q: 1 }, ...more }));

  test('become events of their own: the row is the finding, the search stands beside it', () => {
    const found = decide(input({ tenant: 't' }), with_([over()])).starts;
    const id = 'failed-logins/2026-04-28T12:00';
    expect(found.map(({ key }) => key)).toEqual([
      runKey('p', 't', [`${id}/0`]),
      runKey('p', 't', [`${id}/2`]),
    ]);
    expect(found[1]?.input.event).toEqual({
      id: `${id}/2`,
      event: 'search-result',
      timestamp: '2026-04-28T11:00:00Z',
      tenant: 't',
      data: { host: 'c', n: 7 },
      search: {
        job_id: 'failed-logins',
        run_id: '2026-04-28T12:00',
        name: 'Failed logins',
        started_at: '2026-04-28T11:00:00Z',
        global_params: { q: 1 },
        tenant: 't',
      },
    });
    for (const start of found) expect(checkDocument('run-input.json', start.input)).toEqual([]);
  });

  test('of a later chunk keep their place in the run', () => {
    const chunk = input({ chunk: 1, chunks: 2, row_base: 100 });
    expect(decide(chunk, with_([over()])).starts.map(({ input }) => input.event['id'])).toEqual([
      'failed-logins/2026-04-28T12:00#1/100',
      'failed-logins/2026-04-28T12:00#1/102',
    ]);
  });

  const onRows = (more: Partial<Rule> = {}): Rule => ({
    ...starts('p', { with: { host: { $: 'finding.host' }, job: { $: 'event.search.job_id' } } }),
    match_all: false,
    source: 'search-results',
    when: { n: { gte: 5 } },
    ...more,
  });

  test('start a run each, or one with run: once', () => {
    const params = (of: Rule) => {
      const { match_all: _, ...document } = of;
      return decide(input(), with_([playbook('p')], [document])).starts.map(
        ({ input }) => input.params?.['host'],
      );
    };
    expect(params(onRows())).toEqual(['a', 'c']);
    expect(params(onRows({ run: 'once' }))).toEqual(['a']);
  });

  test('run: once in a later chunk cannot tell, and says so', () => {
    const { match_all: _, ...document } = onRows({ run: 'once' });
    expect(reasons(input({ chunk: 1, chunks: 2 }), with_([playbook('p')], [document]))).toEqual([
      'needs_complete_run',
    ]);
  });

  test('beyond the limit are refused with their number', () => {
    const few = tables([], undefined, { maxCommandsPerTrigger: 1 }, [over()]);
    const decision = decide(input(), few);
    expect(decision.starts.length).toBe(1);
    expect(decision.refused).toMatchObject([{ reason: 'fanout_limit', playbook: 'p', count: 1 }]);
  });
});

describe('the key of a run', () => {
  const keyed = (key: string[], onDuplicate?: 'parallel' | 'restart') =>
    playbook('p', {
      trigger: {
        ...critical,
        dedupe: { key: key as [string], window: 'P1D', ...(onDuplicate && { onDuplicate }) },
      },
    });
  const startOf = (p: Playbook, data = {}, id = 'e1') =>
    decide(eventInput({ ...event, id, data: { ...finding.data, ...data } }), with_([p]));
  const keyOf = (...args: Parameters<typeof startOf>) => startOf(...args).starts[0]?.key;

  test('is made of the values that dedupe.key names, whatever else the event says', () => {
    const p = keyed(['finding.asset.id', 'event.event']);
    expect(keyOf(p)).toBe(runKey('p', '', ['a-1001', 'finding.new']));
    expect(keyOf(p, { title: 'other' }, 'e2')).toBe(keyOf(p));
    expect(keyOf(p, { asset: { id: 'a-2' } })).not.toBe(keyOf(p));
  });

  test('tells values of other kinds apart by their content', () => {
    const p = keyed(['finding.v']);
    expect(keyOf(p, { v: 7 })).toBe(runKey('p', '', ['7']));
    expect(keyOf(p, { v: false })).toBe(runKey('p', '', ['false']));
    expect(keyOf(p, { v: { a: 1, b: 2 } })).toBe(keyOf(p, { v: { b: 2, a: 1 } }));
    expect(keyOf(p, { v: [1, 2] })).not.toBe(keyOf(p, { v: [2, 1] }));
  });

  test.each([{}, { v: null }])('with a value missing is that of the event, and it is noted: %j', (data) => {
    const decision = startOf(keyed(['finding.asset.id', 'finding.v']), data);
    expect(decision.starts[0]?.key).toBe(runKey('p', '', ['e1']));
    expect(decision.notes).toEqual([{ reason: 'dedupe_value_missing' }]);
  });

  test('of runs side by side differs by what started them', () => {
    const p = keyed(['finding.asset.id'], 'parallel');
    expect(keyOf(p)).toBe(runKey('p', '', ['a-1001', 'e1']));
    expect(keyOf(p, {}, 'e2')).not.toBe(keyOf(p));
    expect(keyOf(keyed(['finding.asset.id'], 'restart'))).toBe(runKey('p', '', ['a-1001']));
  });
});

describe('a configuration that changes', () => {
  const config = () => ({
    rules: new Map<string, { document: Rule; revision: number }>(),
    actions: new Map([
      ['log', { document: { kind: 'action' as const, id: 'log', type: 'log', params: {} }, revision: 1 }],
    ]),
    playbooks: new Map<string, { document: Playbook; revision: number }>(),
  });
  const started = (of: ReturnType<typeof followConfig>) =>
    decide(eventInput(event), of.tables).starts.map(({ input }) => input.revision);

  test('counts from the next input on, deletions too', () => {
    const held = config();
    const live = followConfig(held, new Map());
    const change = [{ kind: 'playbook' as const, id: 'p' }];
    expect(started(live)).toEqual([]);
    held.playbooks.set('p', { document: playbook('p', { trigger: critical }), revision: 1 });
    expect(live.apply(change)).toEqual([]);
    expect(started(live)).toEqual([1]);
    held.playbooks.set('p', { document: playbook('p', { trigger: critical, name: 'P' }), revision: 2 });
    live.apply(change);
    expect(started(live)).toEqual([2]);
    held.playbooks.set('p', { document: playbook('p', { trigger: critical, enabled: false }), revision: 3 });
    live.apply(change);
    expect(started(live)).toEqual([]);
    held.playbooks.delete('p');
    expect(live.apply(change)).toEqual([]);
    expect([started(live), live.tables.ruleSet.size]).toEqual([[], 0]);
  });

  test('a playbook that cannot be used is reported and takes no other down', () => {
    const of = with_([
      playbook('bad', { trigger: { when: { 'data.a': { resembles: 1 } } } }),
      playbook('good', { trigger: critical }),
    ]);
    expect(of.problems).toEqual([
      'playbook/bad revision 5: /trigger/when/data.a/resembles: unknown operator',
    ]);
    expect(decide(eventInput(event), of).starts.map(({ input }) => input.playbook)).toEqual(['good']);
  });

  test('a list that a trigger names and that is missing is reported; the trigger stays', () => {
    const p = playbook('p', {
      trigger: { when: { any: [{ severity: 'critical' }, { 'data.host': { in_list: 'gone' } }] } },
    });
    const of = with_([p]);
    expect(of.problems).toEqual([
      'playbook/p revision 5: /trigger/when/any/1/data.host/in_list: the list gone does not exist',
    ]);
    expect(decide(eventInput(event), of).starts.length).toBe(1);
  });

  test('from files: what is named must be there, and a changed action is a changed playbook', () => {
    const held = config();
    held.playbooks.set('p', { document: playbook('p', { trigger: critical }), revision: 1 });
    held.playbooks.set('q', {
      document: playbook('q', { trigger: critical, steps: [{ id: 'a', action: 'gone' }] }),
      revision: 1,
    });
    const live = followConfig(held, new Map(), { versions: 'files' });
    expect(live.tables.problems.filter((line) => line.startsWith('playbook'))).toEqual([
      'playbook/q revision 1: /steps/0/action: the action gone does not exist',
    ]);
    const [before, ...others] = started(live);
    expect(others).toEqual([]);
    expect(live.tables.playbooks.get('p')?.version?.actions['log']?.document.params).toEqual({});
    held.actions.set('log', {
      document: { kind: 'action', id: 'log', type: 'log', params: { a: 1 } as never },
      revision: 2,
    });
    live.apply([{ kind: 'action', id: 'log' }]);
    const [after] = started(live);
    expect(after).not.toBe(before);
    expect(live.tables.playbooks.get('p')?.version?.actions['log']?.document.params).toEqual({ a: 1 });
    held.playbooks.delete('p');
    live.apply([{ kind: 'playbook', id: 'p' }]);
    expect([started(live), live.tables.playbooks.size]).toEqual([[], 0]);
  });
});
