// The state machine, case by case: order, results, retries, errors, waits, branches, ends.
import type { Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { decideRun } from './decide.ts';
import { firstRun, outline, programOf, stage, started } from './play-kit.ts';
import { stepCommandId } from './tokens.ts';

const act = (id: string, more: Partial<PlaybookStep> = {}): PlaybookStep => ({ id, action: 'mail', ...more });

describe('actions', () => {
  test('one after the other, with the ids of their places', () => {
    const run = stage([act('a'), act('b', { with: { to: 'ciso' } })]);
    run.start();
    expect(run.commands.map(({ playbook }) => playbook?.step)).toEqual(['a#0']);
    expect(outline(run.answer('a', { output: { n: 1 }, ref: 'R' }))).toEqual(['a succeeded']);
    expect(run.commands.map(({ command_id }) => command_id)).toEqual([
      stepCommandId('k', firstRun, 'a#0'),
      stepCommandId('k', firstRun, 'b#0'),
    ]);
    expect(run.commands[1]).toMatchObject({
      type: 'email',
      trigger: 'playbook',
      action: { id: 'mail', key: 'b', revision: 3 },
      params: { to: 'ciso' },
      reply_to: { topic: 'runs.v1', partition: 2, key: 'k' },
    });
    expect(run.state.steps['a']).toMatchObject({ status: 'succeeded', outputs: { ref: 'R', n: 1 } });
    expect(outline(run.answer('b'))).toEqual(['b succeeded', 'run completed']);
    expect(run.events.map(({ event }) => event)).toEqual(['playbook.started', 'playbook.completed']);
  });

  test('B07: a result that comes twice, or of another step, changes nothing', () => {
    const run = stage([act('a'), act('b')]);
    run.start();
    run.answer('a');
    const before = JSON.stringify(run.state);
    expect(run.answer('a').changes).toMatchObject([{ what: 'ignored', input: 'result' }]);
    expect(run.answer('a', { status: 'failed' }).changes).toMatchObject([{ what: 'ignored' }]);
    expect(run.answer('b', { command_id: 'f'.repeat(32) }).changes).toMatchObject([{ what: 'ignored' }]);
    expect(JSON.stringify(run.state)).toBe(before);
  });

  test('B07: retries keep the command id; an old failure is stale, an old success counts', () => {
    const run = stage([act('a', { retry: { attempts: 3, base: 'PT10S' } })]);
    run.start();
    const first = run.commands[0]?.reply_to?.token;
    expect(outline(run.answer('a', { status: 'failed', code: 'dns' }))).toEqual(['a retrying']);
    run.fire();
    expect(run.commands).toHaveLength(2);
    expect(run.commands[1]?.command_id).toBe(run.commands[0]?.command_id);
    expect(run.commands[1]?.round).toBeGreaterThan(run.commands[0]?.round as number);
    expect(run.answer('a', { status: 'failed', token: first }).changes).toMatchObject([{ what: 'ignored' }]);
    expect(outline(run.answer('a', { token: first }))).toEqual(['a succeeded', 'run completed']);
  });

  test('what no repetition makes better is not repeated; the attempts end', () => {
    const once = stage([act('a', { retry: { attempts: 3, base: 'PT10S' } })]);
    once.start();
    expect(outline(once.answer('a', { status: 'failed', code: 'denied' }))).toEqual([
      'a failed',
      'run failed',
    ]);
    const twice = stage([act('a', { retry: { attempts: 2, base: 'PT10S' } })]);
    twice.start();
    twice.answer('a', { status: 'failed', code: 'dns' });
    twice.fire();
    expect(outline(twice.answer('a', { status: 'failed', code: 'dns' }))).toEqual(['a failed', 'run failed']);
    expect(twice.events.at(-1)).toMatchObject({ event: 'playbook.failed', data: { reason: 'step a: dns' } });
  });

  test('a deadline ends a step that nobody answers', () => {
    const run = stage([
      act('a', { deadline: 'PT5M', onError: 'continue' }),
      act('b', { when: { 'steps.a.code': 'deadline' } }),
    ]);
    run.start();
    expect(outline(run.fire())).toEqual(['a failed']);
    expect(run.commands.map(({ playbook }) => playbook?.step)).toEqual(['a#0', 'b#0']);
    expect(run.answer('a').changes).toMatchObject([{ what: 'ignored' }]);
  });

  test('what comes from outside is never a template', () => {
    const run = stage([
      act('a'),
      act('b', { with: { to: { $: 'steps.a.outputs.ref' }, text: '{{steps.a.outputs.ref}}' } }),
    ]);
    run.start();
    run.answer('a', { ref: 'x {{run.by}}' });
    const { params, subject } = run.commands[1]!;
    expect(params).toEqual({ to: '{{values.0}}', text: '{{steps.a.outputs.ref}}' });
    expect(subject.context).toMatchObject({
      values: ['x {{run.by}}'],
      steps: { a: { outputs: { ref: 'x {{run.by}}' } } },
    });
  });

  test('B11 large outputs: texts are cut, 16 KiB in the run and 64 KiB in its history', () => {
    const run = stage([act('a'), act('b', { when: { 'steps.a.outputs.exit_code': 3 } })]);
    run.start();
    const { changes } = run.answer('a', { output: { text: 'x'.repeat(800_000), exit_code: 3 } });
    const mark = { truncated: true, exit_code: 3, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) };
    const outputs = run.state.steps['a']?.outputs as { text: string };
    expect(outputs).toMatchObject(mark);
    expect(outputs.text).toMatch(/^x{8191}…$/);
    const told = changes.find(({ what, step }) => what === 'step' && step === 'a');
    expect(told?.['outputs']).toMatchObject({ ...mark, text: expect.stringMatching(/^x{32767}…$/) });
    expect(run.commands.at(-1)?.playbook?.step).toBe('b#0');
  });
});

describe('time', () => {
  test('delays count from the end of the step before, or the start', () => {
    const run = stage([
      act('a'),
      act('b', { delay: 'PT1H' }),
      act('c', { delay: { after: 'start', for: 'P1D' } }),
    ]);
    run.start();
    run.answer('a');
    expect(run.state.nodes['b#0']?.due).toEqual({ delay: started + 1000 + 3_600_000 });
    run.fire();
    run.answer('b');
    expect(run.state.nodes['c#0']?.due).toEqual({ delay: started + 86_400_000 });
  });

  test('B06: a timer that is early is set again; one that comes twice or late happens once', () => {
    const run = stage([act('a', { delay: 'PT1H' })]);
    const token = run.start().effects.find(({ kind }) => kind === 'timer')!;
    if (token.kind !== 'timer') throw new Error();
    expect(run.send({ kind: 'timer', token: token.token }, 60_000).effects).toEqual([
      { ...token, after: 30_000 },
    ]);
    const late = run.send({ kind: 'timer', token: token.token }, 3 * 86_400_000);
    expect(late.changes[0]).toMatchObject({ what: 'timer', late_by: 3 * 86_400_000 - 3_600_000 + 60_000 });
    expect(run.send({ kind: 'timer', token: token.token }).changes).toMatchObject([{ what: 'ignored' }]);
    expect(run.commands).toHaveLength(1);
  });

  test.each([
    ['an hour', 60_000, 30_000],
    ['ten seconds', 3_590_000, 10_000],
  ])(
    'a timer that is early because a clock is %s ahead keeps its time, and does not come again at once',
    (_what, at, after) => {
      const run = stage([act('a', { delay: 'PT1H' })]);
      const set = run.start().effects.find(({ kind }) => kind === 'timer')!;
      if (set.kind !== 'timer') throw new Error();
      const { token, due } = set;
      const fired = { kind: 'timer', token, fired_at: due } as const;
      expect(run.send(fired, at).effects).toEqual([{ kind: 'timer', token, due, after }]);
      run.send(fired, 3_600_000 - at);
      expect(run.commands).toHaveLength(1);
    },
  );

  test('a point in time that is none, and one that is too far', () => {
    for (const until of ['soon', '2030-01-01']) {
      const run = stage([act('a', { delay: { until } })]);
      expect(outline(run.start())).toEqual(['run running', 'a failed', 'run failed']);
    }
  });
});

describe('branches', () => {
  test.each([
    ['then', { 'finding.severity': 'critical' }, {}, ['t']],
    ['else', { 'finding.severity': 'low' }, {}, ['e']],
    ['B08: unknown is else', { 'finding.missing': 1 }, {}, ['e']],
    ['unknown is then where it says so', { 'finding.missing': 1 }, { onUnknown: 'then' as const }, ['t']],
    ['not of unknown is unknown', { not: { 'finding.missing': 1 } }, {}, ['e']],
  ])('if: %s', (_what, condition, more, expected) => {
    const run = stage([{ id: 'i', if: condition, then: [act('t')], else: [act('e')], ...more }]);
    run.start();
    expect(run.commands.map(({ playbook }) => playbook?.step.split('/').at(-1)?.split('#')[0])).toEqual(
      expected,
    );
  });

  test('forEach: concurrency, items, failures that count', () => {
    const run = stage([
      {
        id: 'f',
        forEach: {
          items: { $: 'finding.hosts' },
          max: 5,
          concurrency: 2,
          onItemError: 'continue',
          do: [act('s', { with: { to: { $: 'item' }, n: { $: 'index' } } })],
        },
      },
      act('after', { with: { failed: { $: 'steps.f.outputs.failed' } } }),
    ]);
    run.start();
    expect(run.commands.map(({ params }) => params)).toEqual([
      { to: 'a', n: 0 },
      { to: 'b', n: 1 },
    ]);
    run.answer('s', { status: 'failed' });
    expect(run.commands.map(({ playbook }) => playbook?.step)).toEqual([
      'f/do/s#0.0',
      'f/do/s#0.1',
      'f/do/s#0.2',
    ]);
    run.answer('s');
    const [first] = run.commands;
    run.send({ kind: 'result', command_id: first!.command_id, status: 'succeeded' });
    expect(run.commands.at(-1)?.params).toEqual({ to: 'soc', failed: 1 });
  });

  test('forEach: more items than it may have', () => {
    const run = stage([{ id: 'f', forEach: { items: { $: 'finding.hosts' }, max: 2, do: [act('s')] } }]);
    expect(outline(run.start())).toEqual(['run running', 'f failed', 'run failed']);
  });

  test('while ends by its condition, and fails at its bound', () => {
    const steps: PlaybookStep[] = [
      {
        id: 'w',
        onUnknown: 'run',
        while: { when: { 'steps.s.outputs.done': { not: true } }, max: 2, do: [act('s')] },
      },
    ];
    const run = stage(steps);
    run.start();
    run.answer('s', { output: { done: false } });
    expect(outline(run.answer('s', { output: { done: true } }))).toEqual([
      's succeeded',
      'w succeeded',
      'run completed',
    ]);
    const endless = stage(steps);
    endless.start();
    endless.answer('s');
    expect(outline(endless.answer('s'))).toEqual(['s succeeded', 'w failed', 'run failed']);
  });

  test('parallel: one that fails cancels the others', () => {
    const run = stage([
      { id: 'p', onError: 'continue', parallel: { branches: [[act('a')], [act('b')]] } },
      act('c'),
    ]);
    run.start();
    expect(run.commands).toHaveLength(2);
    expect(outline(run.answer('a', { status: 'failed' }))).toEqual(['a failed', 'b cancelled', 'p failed']);
    expect(run.answer('b').changes).toMatchObject([{ what: 'ignored' }]);
    expect(run.commands.at(-1)?.playbook?.step).toBe('c#0');
  });

  test('goto goes back as often as it may, to places of their own', () => {
    const run = stage([act('a'), act('b', { onError: { goto: 'a', max: 1 } })]);
    run.start();
    run.answer('a');
    run.answer('b', { status: 'failed' });
    run.answer('a');
    expect(run.commands.map(({ playbook }) => playbook?.step)).toEqual(['a#0', 'b#0', 'a#0~1', 'b#0~1']);
    expect(new Set(run.commands.map(({ command_id }) => command_id)).size).toBe(4);
    expect(outline(run.answer('b', { status: 'failed' }))).toEqual(['b failed', 'run failed']);
  });
});

describe('waits', () => {
  const steps: PlaybookStep[] = [
    act('a'),
    {
      id: 'w',
      waitFor: {
        event: 'scan.completed',
        correlate: '{{steps.a.command_id}}',
        match: { 'data.n': { gte: 5 } },
      },
      deadline: 'PT1H',
      onError: 'continue',
      outputs: { n: { $: 'result.data.n' } },
    },
    act('b', { when: { 'steps.w.outputs.n': 7 }, onUnknown: 'run' }),
  ];
  const scan = (n: number, id = 'x') => ({
    kind: 'event' as const,
    correlation: stepCommandId('k', firstRun, 'a#0'),
    event: { id, event: 'scan.completed', data: { n } },
  });

  test('an event before the wait counts once', () => {
    const run = stage(steps);
    run.start();
    run.send(scan(3));
    run.send(scan(7, 'y'));
    run.send(scan(7, 'y'));
    expect(run.state.inbox).toHaveLength(2);
    expect(outline(run.answer('a'))).toEqual(['a succeeded', 'w waiting', 'w succeeded']);
    expect(run.state.inbox).toHaveLength(1);
  });

  test('after a day an event is forgotten; another key or condition does not end the wait; the deadline does', () => {
    const run = stage(steps);
    run.start();
    run.send(scan(7));
    run.answer('a', {});
    expect(run.state.steps['w']).toMatchObject({ status: 'succeeded', outputs: { n: 7 } });
    const old = stage([act('a', { deadline: 'P9D' }), ...steps.slice(1)]);
    old.start();
    old.send(scan(7));
    old.send({ kind: 'pause', by: 'op' }, 90_000_000);
    old.send({ kind: 'resume', by: 'op' });
    expect(outline(old.answer('a'))).toEqual(['a succeeded', 'w waiting']);
    old.send(scan(1, 'z'));
    old.send({ ...scan(9, 'q'), correlation: 'other' });
    expect(old.state.nodes['w#0']?.s).toBe('waiting');
    expect(outline(old.fire())).toEqual(['w failed']);
    expect(old.commands.at(-1)?.playbook?.step).toBe('b#0');
  });

  test('events that nobody waits for have bounds', () => {
    const run = stage(steps);
    run.start();
    for (let n = 0; n < 200; n++)
      run.send({ kind: 'event', correlation: 'c', event: { id: `${n}`, event: 'x', data: {} } });
    expect(run.state.inbox).toHaveLength(50);
    run.send({
      kind: 'event',
      correlation: 'c',
      event: { id: 'big', event: 'x', data: { text: 'x'.repeat(70_000) } },
    });
    expect(run.state.inbox).toEqual([]);
  });
});

describe('compensation', () => {
  const undo = (id: string): PlaybookStep => act(id, { compensate: act(`undo-${id}`) });

  test('last done first, one at a time, whatever becomes of them', () => {
    const run = stage([undo('a'), undo('b'), act('c')]);
    run.start();
    run.answer('a');
    run.answer('b');
    expect(outline(run.answer('c', { status: 'failed' }))).toEqual(['c failed', 'run compensating']);
    expect(outline(run.answer('compensate', { status: 'failed' }))).toEqual(['undo-b failed']);
    expect(outline(run.answer('compensate'))).toEqual(['undo-a succeeded', 'run failed']);
    expect(run.commands.map(({ playbook }) => playbook?.step)).toEqual([
      'a#0',
      'b#0',
      'c#0',
      'b/compensate#0',
      'a/compensate#0',
    ]);
  });

  test('cancel undoes when it is asked to, and only what was done', () => {
    const plain = stage([undo('a'), undo('b')]);
    plain.start();
    plain.answer('a');
    expect(outline(plain.send({ kind: 'cancel', by: 'op' }))).toEqual(['b cancelled', 'run cancelled']);
    const asked = stage([undo('a'), undo('b')]);
    asked.start();
    asked.answer('a');
    expect(outline(asked.send({ kind: 'cancel', by: 'op', compensate: true }))).toEqual([
      'b cancelled',
      'run compensating',
    ]);
    expect(asked.answer('b').changes).toMatchObject([{ what: 'ignored' }]);
    expect(outline(asked.answer('compensate'))).toEqual(['undo-a succeeded', 'run cancelled']);
  });
});

describe('operators', () => {
  test('a pause starts nothing; what comes in counts; resume goes on', () => {
    const run = stage([act('a'), act('b')]);
    run.start();
    run.send({ kind: 'pause', by: 'op' });
    expect(outline(run.answer('a'))).toEqual(['a succeeded']);
    expect(run.commands).toHaveLength(1);
    run.send({ kind: 'resume', by: 'op' });
    expect(run.commands).toHaveLength(2);
    expect(run.send({ kind: 'resume', by: 'op' }).changes).toMatchObject([
      { what: 'ignored', reason: 'is not paused' },
    ]);
  });

  test('a run does not end in a pause', () => {
    const run = stage([act('a')]);
    run.start();
    run.send({ kind: 'pause', by: 'op' });
    expect(outline(run.answer('a'))).toEqual(['a succeeded']);
    expect(outline(run.send({ kind: 'resume', by: 'op' }))).toEqual(['run completed']);
  });

  test('a timer of before a retry is stale', () => {
    const run = stage([act('a', { onError: 'incident', deadline: 'PT1H' })]);
    const set = run.start().effects.find(({ kind }) => kind === 'timer');
    if (set?.kind !== 'timer') throw new Error('no timer');
    run.answer('a', { status: 'failed' });
    run.send({ kind: 'retry', by: 'op' });
    const late = run.send({ kind: 'timer', token: set.token }, 7_200_000);
    expect(late).toMatchObject({
      effects: [],
      changes: [{ what: 'ignored', reason: 'nothing waits for it' }],
    });
    expect(run.state.nodes['a#0']?.s).toBe('running');
  });

  test('a pause that extends moves deadlines by its length', () => {
    const run = stage([act('a', { deadline: 'PT1H' })]);
    run.start();
    run.send({ kind: 'pause', by: 'op', extend: true });
    expect(outline(run.fire())).toEqual([]);
    run.send({ kind: 'resume', by: 'op' }, 3_600_000);
    expect(run.state.nodes['a#0']?.due).toEqual({ deadline: started + 3 * 3_600_000 });
  });

  test('an incident waits for retry or skip', () => {
    const run = stage([
      act('a', { onError: 'incident' }),
      act('b', { with: { n: { $: 'steps.a.outputs.n' } } }),
    ]);
    run.start();
    run.answer('a', { status: 'failed', code: 'dns' });
    expect(run.state.status).toBe('incident');
    run.send({ kind: 'retry', by: 'op', step: 'a' });
    expect(run.state.status).toBe('running');
    expect(run.commands[1]?.command_id).toBe(run.commands[0]?.command_id);
    expect(run.commands[1]?.round).toBeGreaterThan(run.commands[0]?.round as number);
    run.answer('a', { status: 'failed', code: 'dns' });
    expect(outline(run.send({ kind: 'skip', by: 'op', step: 'a', output: { n: 4 } }))).toEqual(['a skipped']);
    expect(run.commands.at(-1)?.params).toMatchObject({ n: 4 });
    expect(run.send({ kind: 'skip', by: 'op', step: 'zz' }).changes).toMatchObject([{ what: 'ignored' }]);
  });

  test('after the end nothing happens, and an input without a run is told', () => {
    const run = stage([act('a')]);
    expect(run.send({ kind: 'pause', by: 'op' }).changes).toMatchObject([
      { what: 'ignored', reason: 'there is no such run' },
    ]);
    run.start();
    run.send({ kind: 'cancel', by: 'op' });
    for (const step of [
      run.answer('a'),
      run.send({ kind: 'retry', by: 'op' }),
      run.send({ kind: 'cancel', by: 'op' }),
    ]) {
      expect(step.effects).toEqual([]);
      expect(step.changes).toMatchObject([{ what: 'ignored', reason: 'the run is cancelled' }]);
    }
  });
});

describe('starts', () => {
  const dedupe = (onDuplicate?: 'attach' | 'restart'): Partial<Playbook> => ({
    trigger: {
      match_all: true,
      dedupe: {
        key: ['finding.title'],
        window: 'PT1H',
        ...(onDuplicate === undefined ? {} : { onDuplicate }),
      },
    },
  });

  test('while it is live: ignored, counted, or started anew', () => {
    const another = { source: { id: 'e2', kind: 'event', topic: 'findings.v1', partition: 0, offset: 2 } };
    const ignored = stage([act('a')], dedupe());
    ignored.start();
    expect(ignored.start(another).changes).toMatchObject([
      { what: 'ignored', reason: 'a run with this key is live' },
    ]);
    const attached = stage([act('a')], dedupe('attach'));
    attached.start();
    attached.start(another);
    expect([attached.state.run, attached.state.attached]).toEqual([firstRun, 1]);
    const restarted = stage([act('a')], dedupe('restart'));
    restarted.start();
    expect(outline(restarted.start(another))).toEqual(['a cancelled', 'run cancelled', 'run running']);
    expect(restarted.state.run).toBe(firstRun + 1);
    expect(new Set(restarted.commands.map(({ command_id }) => command_id)).size).toBe(2);
    expect(
      restarted.send({ kind: 'result', command_id: restarted.commands[0]!.command_id, status: 'succeeded' })
        .changes,
    ).toMatchObject([{ what: 'ignored' }]);
  });

  test.each(['attach', 'restart'] as const)('the same start written twice starts once: %s', (policy) => {
    const run = stage([act('a')], dedupe(policy));
    run.start();
    const before = structuredClone(run.state);
    expect(run.start().changes).toMatchObject([{ what: 'ignored', input: 'start', by: 'starter' }]);
    expect(run.state).toEqual(before);
  });

  test('after it is over: ignored within the window, number two behind it', () => {
    const run = stage([act('a')], dedupe());
    run.start();
    expect(run.answer('a').keepUntil).toBeGreaterThan(started + 3_600_000);
    expect(run.start().changes).toMatchObject([{ what: 'ignored', input: 'start' }]);
    run.send({ kind: 'pause', by: 'op' }, 3_600_000);
    run.start();
    expect([run.state.run, run.state.status]).toEqual([firstRun + 1, 'running']);
  });

  test('a key that was forgotten gives new command ids', () => {
    const [one, other] = [stage([act('a')]), stage([act('a')])];
    one.start();
    other.send({ kind: 'resume', by: 'op' }, 40 * 86_400_000);
    other.start();
    expect(other.commands[0]?.command_id).not.toBe(one.commands[0]?.command_id);
  });

  test('a revision that nobody knows', () => {
    const moment = { now: started, partition: 0, offset: 0, key: 'k' };
    const source = { id: 'e', kind: 'event' as const, topic: 't', partition: 0, offset: 0 };
    const start = { kind: 'start' as const, playbook: 'p', revision: 9, by: 'x', event: {}, source };
    const options = { definitions: () => null, runsTopic: 'runs.v1' };
    expect(() => decideRun(null, start, moment, options)).toThrow('revision 9 of p is not known');
  });

  test('an event that is too large, a run that takes too long or starts too much', () => {
    const large = stage([act('a')]);
    expect(outline(large.start({ event: { text: 'x'.repeat(140_000) } }))).toEqual([
      'run running',
      'run failed',
    ]);
    const long = stage([act('a')], { limits: { duration: 'PT10M' } });
    long.start();
    expect(outline(long.fire())).toEqual(['a cancelled', 'run failed']);
    const much = stage(
      [{ id: 'f', forEach: { items: [1, 2, 3, 4], max: 10, do: [{ id: 's', set: { n: 1 } }] } }],
      { limits: { transitions: 3 } },
    );
    expect(outline(much.start()).at(-1)).toBe('run failed');
    expect(much.state.reason).toBe('transitions: the run has started 3 steps');
  });
});

describe('playbooks in playbooks', () => {
  const steps: PlaybookStep[] = [
    { id: 'c', playbook: { id: 'child', params: { n: { $: 'finding.title' } } } },
    act('b', { with: { x: { $: 'steps.c.outputs.y' } } }),
  ];

  test('a start under a key of its own, and its end', () => {
    const run = stage(steps, {}, { child: 4 });
    run.start();
    const [{ key, input }] = run.inputs as [(typeof run.inputs)[number]];
    expect(input).toMatchObject({
      kind: 'start',
      playbook: 'child',
      revision: 4,
      params: { n: 'X' },
      parent: { key: 'k', depth: 1 },
    });
    const { token } = (input as { parent: { token: string } }).parent;
    expect(
      run.send({ kind: 'child-done', child: 'other', token, status: 'completed' }).changes,
    ).toMatchObject([{ what: 'ignored' }]);
    run.send({ kind: 'child-done', child: key, token, status: 'completed', outputs: { y: 5 } });
    expect(run.commands[0]?.params).toMatchObject({ x: 5 });
  });

  test('a child that fails, one too deep, and a cancel that goes down', () => {
    const fails = stage(steps, {}, { child: 4 });
    fails.start();
    const [{ key, input }] = fails.inputs as [(typeof fails.inputs)[number]];
    const { token } = (input as { parent: { token: string } }).parent;
    expect(outline(fails.send({ kind: 'child-done', child: key, token, status: 'failed' }))).toEqual([
      'c failed',
      'run failed',
    ]);
    const deep = stage(steps, {}, { child: 4 });
    deep.start({ parent: { key: 'above', token: 't', depth: 4 } });
    expect(deep.state.reason).toContain('depth');
    expect(deep.inputs).toMatchObject([{ key: 'above', input: { kind: 'child-done', status: 'failed' } }]);
    const cancelled = stage(steps, {}, { child: 4 });
    cancelled.start();
    cancelled.send({ kind: 'cancel', by: 'op' });
    expect(cancelled.inputs.at(-1)).toMatchObject({
      key: cancelled.inputs[0]?.key,
      input: { kind: 'cancel' },
    });
  });
});

test('a program is made once and asked by its revision', () => {
  expect(programOf([act('a')]).version.playbooks).toEqual({ p: 1 });
});
