// What comes out of one event: commands, refusals, notes.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventArbitrary } from '../../testing/oracle/arbitraries.ts';
import { decide, noDecision } from './decide.ts';
import { action, eventInput, finding, rule, run, searchInput, tables } from './fixtures.ts';

const critical = rule('critical-to-webhook', [{ action: 'webhook' }], {
  name: 'Critical',
  when: { min_severity: 'critical' },
});

test('the event of the guide becomes one command', () => {
  const webhook = action('webhook', {
    name: 'SOC',
    connection: 'soc',
    params: { path: '/a', body: 'x' },
    retry: { max_attempts: 3 },
    on_uncertain: 'hold',
  });
  const { then, ...rest } = critical;
  const withParams = { ...rest, then: [{ action: 'webhook', with: { path: '/b' } }] as typeof then };
  const decision = decide(eventInput({ id: 'evt-8a3b9c2d', ...finding }), tables([withParams], [webhook]));
  expect(decision).toEqual({
    ...noDecision,
    wanted: true,
    matched: [{ rule: 'critical-to-webhook', revision: 3, rows: 1 }],
    refused: [],
    collected: [],
    notes: [],
    commands: [
      {
        v: 1,
        command_id: 'b2523796b1d5f2dd0ff5d6739223d86b',
        type: 'webhook',
        trigger: 'rule',
        source: {
          id: 'evt-8a3b9c2d',
          kind: 'event',
          event: 'finding.new',
          topic: 'findings.v1',
          partition: 3,
          offset: 27,
          timestamp: 1_777_377_600_500,
        },
        rule: { id: 'critical-to-webhook', name: 'Critical', revision: 3 },
        action: { id: 'webhook', name: 'SOC', key: 'webhook', revision: 7 },
        connection: 'soc',
        mode: 'each',
        row_index: 0,
        params: { path: '/b', body: 'x' },
        retry: { max_attempts: 3 },
        on_uncertain: 'hold',
        subject: { event: { id: 'evt-8a3b9c2d', ...finding } },
        hops: 1,
        created_at: 1_777_377_600_700,
      },
    ],
  });
  expect(checkDocument('command.json', decision.commands[0])).toEqual([]);
});

test('an event without id is known by its place in the log', () => {
  const { commands } = decide(eventInput(finding), tables([critical]));
  expect(commands[0]?.source.id).toBe('findings.v1/3/27');
});

test('the tenant is part of the command and of its id', () => {
  const ids = [undefined, 'acme', 'other'].map((tenant) => {
    const { commands } = decide(
      eventInput({ ...finding, ...(tenant ? { tenant } : {}) }),
      tables([critical]),
    );
    expect(commands[0]?.tenant).toBe(tenant);
    return commands[0]?.command_id;
  });
  expect(new Set(ids).size).toBe(3);
});

test('the revision of rule and action is no part of the id', () => {
  const first = tables([critical]);
  const edited = {
    ...tables([{ ...critical, name: 'Edited', priority: 9 }]),
    actions: new Map([...first.actions].map(([id, { document }]) => [id, { document, revision: 99 }])),
  };
  const [a, b] = [first, edited].map((one) => decide(eventInput(finding), one).commands[0]);
  expect(b?.action.revision).toBe(99);
  expect(b?.command_id).toBe(a?.command_id);
});

test('commands come by priority of the rule, then id, then order of then', () => {
  const rules = [
    rule('b', [{ action: 'log' }, { action: 'webhook' }, { action: 'log' }]),
    rule('a', [{ action: 'log' }]),
    rule('z', [{ action: 'log' }], { priority: 51 }),
  ];
  const { commands } = decide(eventInput(finding), tables(rules));
  expect(commands.map((command) => `${command.rule?.id}/${command.action.key}`)).toEqual([
    'z/log',
    'a/log',
    'b/log',
    'b/webhook',
    'b/log#2',
  ]);
  expect(new Set(commands.map((command) => command.command_id)).size).toBe(5);
});

test('an event is one thing in every mode: row 0', () => {
  for (const mode of ['each', 'first', 'all'] as const) {
    const { commands } = decide(eventInput(finding), tables([rule('r', [{ action: 'email', mode }])]));
    expect(commands).toMatchObject([{ mode, row_index: 0, subject: { event: finding } }]);
  }
});

describe('envelopes', () => {
  test.each([
    [null, '/: must be object'],
    [[finding], '/: must be object'],
    ['finding.new', '/: must be object'],
    [{}, '/event: is required'],
    [{ ...finding, event: 7 }, '/event: must be string'],
    [{ ...finding, event: '' }, '/event: must NOT have fewer than 1 characters'],
    [{ ...finding, data: [] }, '/data: must be object'],
    [{ ...finding, id: 7 }, '/id: must be string'],
    [{ ...finding, test: 'yes' }, '/test: must be boolean'],
  ])('%j is refused', (value, detail) => {
    const decision = decide(eventInput(value), tables([critical]));
    expect(decision).toMatchObject({
      commands: [],
      matched: [],
      refused: [{ reason: 'invalid_envelope', detail, deadLetter: true }],
    });
  });
  test('an event type that nobody knows is no error', () => {
    const decision = decide(eventInput({ event: 'toaster.done' }), tables([critical]));
    expect(decision).toEqual(noDecision);
  });
  test('members that nobody knows travel along', () => {
    const value = { ...finding, extra: { a: 1 } };
    expect(decide(eventInput(value), tables([critical])).commands[0]?.subject.event).toEqual(value);
  });
  test('a test event is not evaluated', () => {
    const decision = decide(eventInput({ ...finding, test: true }), tables([critical]));
    expect(decision).toEqual({ ...noDecision, notes: [{ reason: 'test_event' }] });
    expect(decide(eventInput({ ...finding, test: false }), tables([critical])).commands).toHaveLength(1);
  });
  test('a record without timestamp gives a command without one', () => {
    const { commands } = decide(eventInput(finding, { timestamp: -1 }), tables([critical]));
    expect(commands[0]?.source).not.toHaveProperty('timestamp');
    expect(commands[0]?.created_at).toBe(1_777_377_600_700);
  });
  test.each(['1970-01-01', '2099-12-31T00:00:00Z', 'tomorrow', '1777377600'])(
    'the event time %s is kept as it is',
    (timestamp) => {
      const { commands } = decide(eventInput({ ...finding, timestamp }), tables([critical]));
      expect(commands[0]?.subject.event).toMatchObject({ timestamp });
    },
  );
  test.each(['Kritisch', 11, -1, ''])(
    'an unknown severity %j is noted and fits no comparison',
    (severity) => {
      const decision = decide(
        eventInput({ event: 'finding.new', data: { severity } }),
        tables([critical, rule('all', [{ action: 'log' }])]),
      );
      expect(decision.notes).toEqual([{ reason: 'unknown_severity' }]);
      expect(decision.matched.map((match) => match.rule)).toEqual(['all']);
    },
  );
});

describe('hops', () => {
  test.each([
    [undefined, 1],
    [0, 1],
    [4, 5],
  ])('%j becomes %i', (hops, expected) => {
    const { commands, notes } = decide(
      eventInput({ ...finding, ...(hops === undefined ? {} : { hops }) }),
      tables([critical]),
    );
    expect(commands.map((command) => command.hops)).toEqual([expected]);
    expect(notes).toEqual([]);
  });
  test.each([5, 6, Number.MAX_SAFE_INTEGER])('%i is a loop', (hops) => {
    const decision = decide(eventInput({ ...finding, hops }), tables([critical]));
    expect(decision.commands).toEqual([]);
    expect(decision.refused).toMatchObject([{ reason: 'loop_detected', deadLetter: true }]);
    expect(decision.refused[0]?.detail).toContain('critical-to-webhook');
  });
  test('a loop that no rule would go on with is none', () => {
    expect(decide(eventInput({ event: 'x', hops: 9 }), tables([critical])).refused).toEqual([]);
  });
  test.each(['9', -1, 1.5, null, {}])('%j is read as 0 and noted', (hops) => {
    const decision = decide(eventInput({ ...finding, hops }), tables([critical]));
    expect(decision.commands.map((command) => command.hops)).toEqual([1]);
    expect(decision.notes).toEqual([{ reason: 'invalid_hops' }]);
  });
});

describe('actions that cannot run', () => {
  test('one that does not exist', () => {
    const decision = decide(
      eventInput(finding),
      tables([rule('r', [{ action: 'gone' }, { action: 'log' }])]),
    );
    expect(decision.commands.map((command) => command.type)).toEqual(['log']);
    expect(decision.refused).toEqual([
      {
        reason: 'unknown_action',
        detail: 'rule r, action gone: the action does not exist',
        deadLetter: true,
        rule: 'r',
        action: 'gone',
      },
    ]);
  });
  test('one of a type that does not exist', () => {
    const decision = decide(
      eventInput(finding),
      tables([rule('r', [{ action: 'x' }])], [action('x', { type: 'pager' })]),
    );
    expect(decision.refused).toMatchObject([
      { reason: 'unknown_action', detail: 'rule r, action x: the type pager does not exist' },
    ]);
  });
  test('one that is switched off', () => {
    const decision = decide(
      eventInput(finding),
      tables([rule('r', [{ action: 'log' }])], [action('log', { enabled: false })]),
    );
    expect(decision).toMatchObject({
      commands: [],
      refused: [{ reason: 'action_disabled', deadLetter: false, rule: 'r', action: 'log' }],
    });
  });
});

describe("the engine's own events", () => {
  test('are for rules that name them', () => {
    const rules = [
      rule('all', [{ action: 'log' }]),
      rule('named', [{ action: 'log' }], { when: { events: 'action.*' } }),
    ];
    const input = eventInput({ event: 'action.failed', data: {} }, { input: 'events', topic: 'events.v1' });
    expect(decide(input, tables(rules)).matched.map((match) => match.rule)).toEqual(['named']);
  });
});

test('the same input gives the same commands, byte for byte, and every command fits its schema', () => {
  const rules = [
    critical,
    rule('everything', [{ action: 'log' }, { action: 'email', with: { to: ['a@example.com'] } }]),
    rule('rows', [{ action: 'webhook' }, { action: 'email', run_once: true }], {
      source: 'search-results',
      when: { a: { not: 'x' } },
    }),
  ];
  fc.assert(
    fc.property(eventArbitrary, fc.array(eventArbitrary, { maxLength: 4 }), (event, rows) => {
      for (const input of [eventInput(event), searchInput(run(rows))]) {
        const before = JSON.stringify(input);
        const first = decide(input, tables(rules));
        const second = decide(JSON.parse(before), tables([...rules].reverse()));
        expect(JSON.stringify(second)).toBe(JSON.stringify(first));
        expect(JSON.stringify(input)).toBe(before);
        for (const command of first.commands) expect(checkDocument('command.json', command)).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});
