// What people search of runs, from the changelog of the real state machine.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { event as finding, firstRun, type Stage, stage, started } from './play-kit.ts';
import { keptStateBytes, rowsOf } from './projection.ts';
import { newestRows } from './projection-rows.ts';
import { type RunEvent, readRunEvent } from './run-change.ts';
import type { RunStep } from './run-step.ts';

let version = 0;

/** The record that the fold writes for a step, as its reader gets it. */
function recordOf(step: RunStep, at = started): RunEvent {
  version += 1;
  const { state, changes } = step;
  const text = JSON.stringify({ v: 1, key: 'k', version, offset: version + 10, at, state, changes });
  const read = readRunEvent(Buffer.from(text));
  if (!('event' in read)) throw new Error(read.detail);
  return read.event;
}

const gateSteps: PlaybookStep[] = [
  {
    id: 'g',
    approve: {
      title: 'Go?',
      message: 'why',
      by: { anyOf: ['role:lead'] },
      quorum: { approve: 2 },
      covers: ['b'],
      escalate: { after: 'PT1H', add: ['user:ciso'] },
    },
    onReject: { run: [{ id: 'told', action: 'mail' }] },
  },
  { id: 'b', action: 'mail' },
];

const vote = (run: Stage, actor: string, verdict: 'approve' | 'reject') =>
  run.send({
    kind: 'decision',
    token: String(run.events.find((one) => one.event === 'approval.requested')?.data['token']),
    decision_id: `${actor}-1`,
    actor,
    roles: ['lead'],
    verdict,
  });

describe('runs', () => {
  test('what it is about, what it waits for', () => {
    const run = stage([{ id: 'b', action: 'mail' }]);
    const about = {
      ...finding,
      data: {
        finding_id: 'f',
        fingerprint: 'p',
        severity: 'high',
        title: 'T',
        tags: ['x', 7],
        'asset.name': 'flat',
        asset: { id: 5, tags: ['y', 'x'] },
      },
    };
    const [row] = rowsOf(recordOf(run.start({ event: about, tenant: 't' }))).runs;
    expect(row).toMatchObject({
      key: 'k',
      number: firstRun,
      playbook: 'p',
      revision: 1,
      status: 'running',
      paused: false,
      started_by: 'starter',
      tenant: 't',
      source_id: 'e1',
      event_type: 'finding.new',
      finding_id: 'f',
      fingerprint: 'p',
      severity: 'high',
      title: 'T',
      asset_id: '5',
      asset_name: 'flat',
      tags: ['x', 'y'],
      waiting_on: ['action'],
      waiting: [{ place: 'b#0', for: 'action', since: started }],
      started_at: started,
      ended_at: null,
    });
  });

  test.each<[string, PlaybookStep, string]>([
    ['a delay', { id: 'a', delay: 'PT1H', action: 'mail' }, 'delay'],
    ['an event', { id: 'a', waitFor: { event: 'x', correlate: 'c' } }, 'event'],
    ['people', { id: 'a', approve: { title: 't', by: { anyOf: ['user:u'] } } }, 'approval'],
    ['an action', { id: 'a', action: 'mail' }, 'action'],
    ['a playbook', { id: 'a', playbook: { id: 'q' } }, 'playbook'],
  ])('waits for %s', (_title, step, word) => {
    const run = stage([step], {}, { q: 1 });
    expect(rowsOf(recordOf(run.start())).runs[0]?.waiting_on).toEqual([word]);
  });

  test('waits for the end of the pause, for an operator', () => {
    const paused = stage([{ id: 'a', delay: 'PT1H', action: 'mail' }]);
    paused.start();
    paused.send({ kind: 'pause', by: 'o' });
    const [row] = rowsOf(recordOf(paused.fire())).runs;
    expect([row?.paused, row?.waiting_on]).toEqual([true, ['pause']]);
    const incident = stage([{ id: 'a', action: 'mail', onError: 'incident' }]);
    incident.start();
    const failed = rowsOf(recordOf(incident.answer('a', { status: 'failed', code: 'x' }))).runs[0];
    expect([failed?.status, failed?.waiting_on]).toEqual(['incident', ['operator']]);
  });

  test('a run that is over has its end; what its start taught stays in the rows of a batch', () => {
    const run = stage([{ id: 'b', action: 'mail' }]);
    const first = rowsOf(recordOf(run.start())).runs;
    const last = rowsOf(recordOf(run.answer('b'), started + 1000)).runs;
    expect(last[0]).toMatchObject({
      status: 'completed',
      ended_at: started + 1000,
      title: null,
      source: null,
    });
    const merged = newestRows([...first, ...last], (row) => row.key, ['title', 'source']);
    expect(merged).toHaveLength(1);
    expect(merged[0]).toMatchObject({ status: 'completed', title: 'X', source: { id: 'e1' } });
  });

  test('a restart ends one run and starts the next: the changes belong to both', () => {
    const run = stage([{ id: 'b', action: 'mail' }], {
      trigger: {
        match_all: true,
        dedupe: { key: ['finding.title'], window: 'PT1H', onDuplicate: 'restart' },
      },
    });
    run.start();
    const source = { id: 'e2', kind: 'event', topic: 't', partition: 0, offset: 2 };
    const rows = rowsOf(recordOf(run.start({ source })));
    expect(rows.endings).toMatchObject([{ number: firstRun, status: 'cancelled' }]);
    expect(rows.runs).toMatchObject([{ number: firstRun + 1, status: 'running' }]);
    expect(new Set(rows.changes.map((row) => `${row.number} ${row.what} ${row.status}`))).toEqual(
      new Set([
        `${firstRun} operator cancel`,
        `${firstRun} step cancelled`,
        `${firstRun} run cancelled`,
        `${firstRun + 1} run running`,
        `${firstRun + 1} step running`,
        `${firstRun + 1} command null`,
      ]),
    );
  });

  test('a state that is too large is kept as its size and digest', () => {
    const run = stage([{ id: 'b', action: 'mail' }]);
    const record = recordOf(run.start());
    const state = { ...record.state, reason: 'x'.repeat(keptStateBytes) } as RunEvent['state'];
    expect(rowsOf({ ...record, state }).runs[0]?.state).toMatchObject({
      truncated: true,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});

test('an input that met no run is a change of number 0', () => {
  const run = stage([{ id: 'b', action: 'mail' }]);
  const rows = rowsOf(recordOf(run.send({ kind: 'cancel', by: 'o' })));
  expect(rows.runs).toEqual([]);
  expect(rows.changes).toMatchObject([
    { number: 0, what: 'ignored', actor: 'o', facts: { input: 'cancel', reason: 'there is no such run' } },
  ]);
});

describe('gates', () => {
  test('open with everything that people are shown; later records keep the rest', () => {
    const run = stage(gateSteps);
    const [opened] = rowsOf(recordOf(run.start())).approvals;
    expect(opened).toMatchObject({
      step: 'g',
      place: 'g#0',
      title: 'Go?',
      message: 'why',
      approvers: ['role:lead'],
      excluded: ['starter', 'user:starter', 'author'],
      quorum: { approve: 2, reject: 1 },
      delegate_to: null,
      votes: [],
      added: [],
      sends: [{ step: 'b', type: 'email', params: { to: 'soc' } }],
      opened_at: started,
      until: started + 24 * 3_600_000,
    });
    expect(opened?.id).toBe(run.events.find((one) => one.event === 'approval.requested')?.data['approval']);
    const [voted] = rowsOf(recordOf(vote(run, 'lena', 'approve'))).approvals;
    expect(voted).toMatchObject({ id: opened?.id, title: null, votes: [{ actor: 'lena' }] });
    const [escalated] = rowsOf(recordOf(run.fire())).approvals;
    expect(escalated).toMatchObject({ added: ['user:ciso'] });
  });

  test('votes are changes with their decision, also those that do not count', () => {
    const run = stage(gateSteps);
    run.start();
    expect(rowsOf(recordOf(vote(run, 'lena', 'approve'))).changes).toMatchObject([
      { what: 'vote', actor: 'lena', decision_id: 'lena-1', status: 'counted' },
    ]);
    expect(rowsOf(recordOf(vote(run, 'lena', 'reject'))).changes).toMatchObject([
      { what: 'vote', status: 'ignored', facts: { reason: 'has decided already' } },
    ]);
    run.send({ kind: 'cancel', by: 'o' });
    expect(rowsOf(recordOf(vote(run, 'lars', 'approve'))).changes).toMatchObject([
      { what: 'ignored', decision_id: 'lars-1', actor: 'lars', facts: { reason: 'the run is cancelled' } },
    ]);
  });

  test.each<[string, (run: Stage) => RunStep, string]>([
    [
      'approved',
      (run) => {
        vote(run, 'lena', 'approve');
        return vote(run, 'lars', 'approve');
      },
      'approved',
    ],
    ['rejected, while its list of onReject runs', (run) => vote(run, 'lena', 'reject'), 'rejected'],
    ['cancelled with the run', (run) => run.send({ kind: 'cancel', by: 'o' }), 'cancelled'],
    ['skipped', (run) => run.send({ kind: 'skip', step: 'g', by: 'o' }), 'skipped'],
    [
      'expired',
      (run) => {
        run.fire();
        return run.fire();
      },
      'expired',
    ],
  ])('closed: %s', (_title, act, status) => {
    const run = stage(gateSteps);
    run.start();
    const rows = rowsOf(recordOf(act(run)));
    expect(rows.approvals).toEqual([]);
    expect(rows.approvalEndings.find((row) => row.place === 'g#0')?.status).toBe(status);
  });
});

describe('records that are none', () => {
  const good = () => {
    const run = stage([{ id: 'b', action: 'mail' }]);
    return JSON.parse(JSON.stringify(recordOf(run.start()))) as Record<string, unknown>;
  };

  test.each<[string, (record: Record<string, unknown>) => unknown, string]>([
    ['no JSON', () => undefined, 'not_json'],
    ['a list', () => [], 'not_json'],
    ['another version', (record) => ({ ...record, v: 2 }), '/v'],
    ['no key', ({ key: _, ...rest }) => rest, '/key'],
    ['a negative version', (record) => ({ ...record, version: -1 }), '/version'],
    ['a text as offset', (record) => ({ ...record, offset: '1' }), '/offset'],
    ['half a time', (record) => ({ ...record, at: 1.5 }), '/at'],
    ['changes that are none', (record) => ({ ...record, changes: [{ what: 1 }] }), '/changes'],
    ['a state that is a text', (record) => ({ ...record, state: 'x' }), '/state must'],
    [
      'another status',
      (record) => ({ ...record, state: { ...(record['state'] as object), status: 'x' } }),
      '/state/status',
    ],
    [
      'no nodes',
      (record) => ({ ...record, state: { ...(record['state'] as object), nodes: null } }),
      '/state/nodes',
    ],
    [
      'no number',
      (record) => ({ ...record, state: { ...(record['state'] as object), run: null } }),
      '/state/run',
    ],
  ])('%s', (_title, change, told) => {
    const read = readRunEvent(Buffer.from(JSON.stringify(change(good())) ?? '{"a":'));
    if (!('refuse' in read)) throw new Error('was read');
    expect(`${read.refuse} ${read.detail}`).toContain(told);
  });
});
