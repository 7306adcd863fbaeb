// What a run tells the correlator of its waits, what it takes from it, and dry runs.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { event as finding, firstRun, outline, stage, started } from './play-kit.ts';
import { expectedBy } from './run-step.ts';
import { correlationKey } from './tokens.ts';

const wait = (more: Partial<PlaybookStep> = {}, waitFor = {}): PlaybookStep => ({
  id: 'scan',
  waitFor: { event: 'scan.completed', correlate: '{{finding.asset.name}}', ...waitFor },
  deadline: 'PT6H',
  ...more,
});
const scan = (id: string | undefined, correlation = 'web') => ({
  kind: 'event' as const,
  correlation,
  event: { ...(id === undefined ? {} : { id }), event: 'scan.completed' },
});
const token = `k.${firstRun}/scan#0.2`;
const hour = 3_600_000;

describe('the correlator is told', () => {
  test('of a wait, under the key of tenant, path and text', () => {
    const run = stage([wait()]);
    run.start({ tenant: 'acme' });
    expect(run.correlations).toEqual([
      {
        key: correlationKey('acme', 'data.correlation_id', 'web'),
        input: {
          kind: 'wait',
          run: 'k',
          token,
          correlation: 'web',
          events: ['scan.completed'],
          until: started + 6 * hour,
        },
      },
    ]);
    expect(checkDocument('correlation-input.json', run.correlations[0]?.input)).toEqual([]);
  });

  test('of the path, which comes back with the text: the same text elsewhere is another thing', () => {
    const run = stage([
      {
        id: 'both',
        parallel: {
          branches: [
            [wait()],
            [wait({ id: 'other' }, { at: 'data.scan_id', event: ['scan.completed', 'x'] })],
          ],
        },
      },
    ]);
    run.start();
    expect(run.correlations.map(({ key }) => key)).toEqual([
      correlationKey('', 'data.correlation_id', 'web'),
      correlationKey('', 'data.scan_id', 'web'),
    ]);
    expect(run.correlations[1]?.input).toMatchObject({
      correlation: 'data.scan_id=web',
      events: ['scan.completed', 'x'],
    });
    expect(outline(run.send(scan('e1', 'data.scan_id=web')))).toEqual(['other succeeded']);
  });

  test.each<[string, PlaybookStep[], (run: ReturnType<typeof stage>) => unknown]>([
    ['its event', [wait()], (run) => run.send(scan('e1'))],
    ['its deadline', [wait()], (run) => run.fire()],
    ['an operator who has to look', [wait({ onError: 'incident' })], (run) => run.fire()],
    [
      'steps that follow a failure',
      [wait({ onError: { run: [{ id: 'w', delay: 'PT1H', set: { x: 1 } }] } })],
      (run) => run.fire(),
    ],
    ['a skip', [wait()], (run) => run.send({ kind: 'skip', step: 'scan', by: 'op' })],
    ['a cancel', [wait()], (run) => run.send({ kind: 'cancel', by: 'op' })],
    [
      'another branch that fails',
      [
        {
          id: 'both',
          parallel: {
            branches: [[wait()], [{ id: 'e', action: 'mail' }]],
          },
        },
      ],
      (run) => run.answer('e', { status: 'failed', code: 'dns' }),
    ],
  ])('of its end by %s', (_by, steps, end) => {
    const run = stage(steps);
    run.start();
    end(run);
    const wanted = run.correlations[0]?.input;
    expect(wanted).toMatchObject({ kind: 'wait', token: expect.stringMatching(/scan#0\.2$/) });
    expect(run.correlations.slice(1)).toEqual([
      {
        key: correlationKey('', 'data.correlation_id', 'web'),
        input: { kind: 'done', run: 'k', token: (wanted as { token: string }).token },
      },
    ]);
  });

  test('of a new deadline after a pause that extends it; for the time of the pause of the longest', () => {
    const run = stage([wait()]);
    run.start();
    run.send({ kind: 'pause', by: 'op', extend: true }, hour);
    run.send({ kind: 'resume', by: 'op' }, 20 * hour);
    const untils = run.correlations.map(({ input }) => (input.kind === 'wait' ? input.until - started : 0));
    expect(untils).toEqual([6 * hour, hour + 90 * 24 * hour, 26 * hour]);
    expect(new Set(run.correlations.map(({ input }) => 'token' in input && input.token)).size).toBe(1);
  });

  test('of a retry under a new token', () => {
    const run = stage([wait({ onError: 'incident' })]);
    run.start();
    run.fire();
    run.send({ kind: 'retry', by: 'op' });
    const tokens = run.correlations.map(({ input }) => (input.kind === 'wait' ? input.token : input.kind));
    expect(tokens).toEqual([token, 'done', `k.${firstRun}/scan#0.4`]);
  });

  test('of nothing when the event is here already', () => {
    const run = stage([{ id: 'a', action: 'mail' }, wait()]);
    run.start();
    run.send(scan('e1'));
    expect(outline(run.answer('a'))).toEqual([
      'a succeeded',
      'scan waiting',
      'scan succeeded',
      'run completed',
    ]);
    expect(run.correlations).toEqual([]);
  });
});

describe('a run', () => {
  test('takes an event that comes twice once, also when the first has been used', () => {
    const run = stage([wait({ id: 'one' }), wait({ id: 'two' })]);
    run.start();
    expect(outline(run.send(scan('e1')))).toEqual(['one succeeded', 'two waiting']);
    expect(run.send(scan('e1')).changes).toMatchObject([{ what: 'ignored', input: 'event' }]);
    expect(outline(run.send(scan('e2')))).toEqual(['two succeeded', 'run completed']);
  });

  test('cannot tell events without an id apart, and takes each', () => {
    const run = stage([wait({ id: 'one' }), wait({ id: 'two' })]);
    run.start();
    run.send(scan(undefined));
    expect(outline(run.send(scan(undefined)))).toEqual(['two succeeded', 'run completed']);
  });

  test.each([
    ['', 'waitFor.correlate gives no text'],
    ['x'.repeat(1025), 'waitFor.correlate gives more than 1024 characters'],
  ])('fails a wait for a text that nothing can carry', (title, detail) => {
    const run = stage([wait({}, { correlate: '{{finding.title}}' })]);
    const step = run.start({ event: { ...finding, data: { title } } });
    expect(step.changes).toContainEqual(expect.objectContaining({ step: 'scan', code: 'correlate', detail }));
    expect(run.correlations).toEqual([]);
  });
});

describe('a dry run', () => {
  test('says so in its commands, events and history, and to the runs that it starts', () => {
    const run = stage(
      [
        { id: 'a', action: 'mail' },
        { id: 'b', playbook: { id: 'child' } },
      ],
      {},
      { child: 4 },
    );
    const step = run.start({ dry_run: true });
    run.answer('a');
    expect(run.state).toMatchObject({ dry_run: true });
    expect(run.commands.map(({ dry_run }) => dry_run)).toEqual([true]);
    expect(checkDocument('command.json', run.commands[0])).toEqual([]);
    expect(run.inputs.map(({ input }) => [input.kind, 'dry_run' in input && input.dry_run])).toEqual([
      ['start', true],
    ]);
    expect(step.changes[0]).toMatchObject({ what: 'run', status: 'running', dry_run: true });
    run.send({ kind: 'cancel', by: 'op' });
    expect(run.events.map(({ event, data }) => [event, data['dry_run']])).toEqual([
      ['playbook.started', true],
      ['playbook.failed', true],
    ]);
  });

  test('is none unless the start says so', () => {
    const run = stage([{ id: 'a', action: 'mail' }]);
    run.start();
    run.answer('a');
    expect(JSON.stringify([run.state, run.commands, run.events])).not.toContain('dry_run');
  });
});

describe('what a run expects', () => {
  const steps: PlaybookStep[] = [
    { id: 'both', parallel: { branches: [[{ id: 'a', action: 'mail', deadline: 'PT2H' }], [wait()]] } },
  ];

  test('the first of its timers; nothing while somebody looks at it; by now what has no timer', () => {
    const run = stage(steps);
    const { expectBy, tally } = run.start();
    expect([expectBy, tally]).toEqual([started + 2 * hour, 'p/running']);
    const { state } = run;
    expect(expectedBy({ ...state, status: 'incident' }, 7)).toBeNull();
    expect(expectedBy({ ...state, fault: { input: 'x', error: 'y', at: 1 } }, 7)).toBeNull();
    const { due: _, ...forgotten } = state.nodes['both/branches/1/scan#0'] ?? {
      s: 'waiting',
      e: 1,
      l: '',
      at: 0,
    };
    const nodes = { ...state.nodes, 'both/branches/1/scan#0': forgotten };
    expect(expectedBy({ ...state, nodes }, 7)).toBe(7);
    expect(expectedBy({ ...state, nodes: {} }, 7)).toBe(7);
  });

  test('a pause and an end expect nothing; an end is not counted', () => {
    const run = stage(steps);
    run.start();
    expect(run.send({ kind: 'pause', by: 'op' })).toMatchObject({ expectBy: null, tally: 'p/paused' });
    const ended = run.send({ kind: 'cancel', by: 'op' });
    expect([ended.expectBy, ended.tally]).toEqual([undefined, undefined]);
  });
});
