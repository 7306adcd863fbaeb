// Runs of playbooks in the whole system in memory: timers, events before and after their waits, crashes, lost states.
import type { PlaybookVersion, Result } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { ConfigDocument } from '../domain/config/config-table.ts';
import type { RunChange, RunState } from '../domain/playbooks/machine/state.ts';
import { correlationKey } from '../domain/playbooks/tokens.ts';
import type { FoldChange } from '../run/fold/fold.ts';
import { topics } from '../topics.ts';
import { startDrive } from './drive.ts';

const documents: ConfigDocument[] = [
  { kind: 'connection', id: 'hook', type: 'http', host: 'hooks.example.com' },
];
const version = (steps: PlaybookVersion['document']['steps'], revision = 1): PlaybookVersion => ({
  v: 1,
  revision,
  document: { kind: 'playbook', id: 'p', steps },
  actions: {},
  playbooks: {},
});
const hook = { type: 'webhook', connection: 'hook', params: { path: '/in' } };
const source = { id: 'e1', kind: 'event', topic: 'findings.v1', partition: 0, offset: 0 };
const startOf = (more = {}) => ({
  kind: 'start',
  playbook: 'p',
  revision: 1,
  by: 'trigger',
  event: { event: 'finding.new', data: { scan: 's-7' } },
  source,
  ...more,
});
const scan = (id: string, value: unknown = 's-7') => ({
  kind: 'event',
  id,
  event: { event: 'scan.completed', data: { scan_id: value, open: 0 } },
});
const scanKey = correlationKey('', 'data.scan_id', 's-7');
const waiting = version([
  {
    id: 'scan',
    delay: 'PT1H',
    waitFor: { event: 'scan.completed', correlate: '{{finding.scan}}', at: 'data.scan_id' },
    deadline: 'PT6H',
    outputs: { open: { $: 'result.data.open' } },
  },
  { id: 'tell', action: hook },
]);

type Drive = Awaited<ReturnType<typeof startDrive>>;
const changesOf = (drive: Drive) => drive.read(topics.runEvents) as FoldChange<RunState>[];
/** `step status` in the order of the inputs, each input once: what a crash repeats has the same offset. */
function story(drive: Drive): string[] {
  const seen = new Set<string>();
  return changesOf(drive).flatMap(({ key, offset, changes }) => {
    if (seen.has(`${key}/${offset}`)) return [];
    seen.add(`${key}/${offset}`);
    return (changes as RunChange[]).flatMap(({ what, step, status }) =>
      what === 'run'
        ? [`run ${status}`]
        : what === 'step' && status !== 'running'
          ? [`${step} ${status}`]
          : [],
    );
  });
}
const results = (drive: Drive) => (drive.read(topics.results) as Result[]).filter(({ final }) => final);

test('a step that failed for good is sent again under the same id: by its retry, then by an operator', async () => {
  const refusals = [404, 404, 404];
  const drive = await startDrive({
    documents,
    playbooks: [
      version([
        {
          id: 'tell',
          action: hook,
          retry: { attempts: 2, base: 'PT1M', retryOn: ['http_4xx'] },
          onError: 'incident',
        },
      ]),
    ],
    http: () => refusals.pop() ?? 200,
  });
  await drive.publish(topics.runs, startOf(), 'run-1');
  await drive.advance(300_000);
  expect(story(drive)).toEqual(['run running', 'tell retrying', 'tell incident']);
  await drive.publish(topics.runs, { kind: 'retry', by: 'op' }, 'run-1');
  await drive.advance(300_000);
  expect(story(drive).slice(3)).toEqual(['tell retrying', 'tell succeeded', 'run completed']);
  const ids = new Set(drive.http.requests.map(({ headers }) => new Map(headers).get('webhook-id')));
  expect([drive.http.requests.length, ids.size]).toEqual([4, 1]);
  await drive.stop();
});

describe('an event and its wait', () => {
  const happy = ['run running', 'scan delayed', 'scan waiting', 'scan succeeded'];

  test('the event comes before the wait, after a delay of an hour', async () => {
    const drive = await startDrive({ documents, playbooks: [waiting] });
    await drive.publish(topics.correlations, scan('e-1'), scanKey);
    await drive.publish(topics.runs, startOf(), 'run-1');
    await drive.advance(3_599_000);
    expect(story(drive)).toEqual(happy.slice(0, 2));
    await drive.advance(60_000);
    expect(story(drive).slice(0, 4)).toEqual(happy);
    expect(results(drive).map(({ status, type }) => [type, status])).toEqual([['webhook', 'succeeded']]);
    const told = changesOf(drive).flatMap(({ changes }) => changes as RunChange[]);
    expect(told.find(({ step, status }) => step === 'scan' && status === 'succeeded')).toMatchObject({
      outputs: { open: 0 },
    });
    await drive.stop();
  });

  test('after it, twice, and one of another type and another key before', async () => {
    const drive = await startDrive({ documents, playbooks: [waiting] });
    await drive.publish(topics.runs, startOf(), 'run-1');
    await drive.advance(3_700_000);
    await drive.publish(topics.correlations, { ...scan('e-0'), event: { event: 'scan.failed' } }, scanKey);
    await drive.publish(topics.correlations, scan('e-1', 's-8'), correlationKey('', 'data.scan_id', 's-8'));
    await drive.advance(1_000);
    expect(story(drive)).toEqual(happy.slice(0, 3));
    await drive.publish(topics.correlations, scan('e-2'), scanKey);
    await drive.publish(topics.correlations, scan('e-2'), scanKey);
    await drive.advance(1_000);
    expect(story(drive).filter((line) => line === 'scan succeeded')).toHaveLength(1);
    const given = (drive.read(topics.runs) as { kind: string }[]).filter(({ kind }) => kind === 'event');
    expect(given).toHaveLength(1);
    await drive.stop();
  });

  test('never: the wait ends at its deadline and the correlator forgets it', async () => {
    const drive = await startDrive({ documents, playbooks: [waiting] });
    await drive.publish(topics.runs, startOf(), 'run-1');
    await drive.advance(3_600_000 + 6 * 3_600_000 + 60_000);
    expect(story(drive)).toEqual([...happy.slice(0, 3), 'scan failed', 'run failed']);
    const last = (drive.read(topics.correlationChanges) as FoldChange<unknown>[]).at(-1);
    expect(last).toMatchObject({ key: scanKey, state: null, changes: [{ what: 'done' }] });
    expect(drive.metrics.value('tocsin_runs_stuck')).toBe(0);
    await drive.stop();
  });
});

describe('faults', () => {
  test.each([0, 1, 2, 3])(
    'B09: killed and emptied in every phase (%s): the same story, one command',
    async (phase) => {
      const drive = await startDrive({ documents, playbooks: [waiting] });
      const phases = [
        () => drive.publish(topics.runs, startOf(), 'run-1'),
        () => drive.advance(3_500_000),
        () => drive.advance(200_000),
        () => drive.publish(topics.correlations, scan('e-1'), scanKey),
      ];
      for (const [index, act] of phases.entries()) {
        await act();
        await drive.advance(100);
        if (index === phase) drive.states.flush();
        if (index >= phase) await drive.crash('playbooks');
      }
      await drive.advance(600_000);
      expect(story(drive).slice(0, 4)).toEqual([
        'run running',
        'scan delayed',
        'scan waiting',
        'scan succeeded',
      ]);
      expect(new Set(results(drive).map(({ command_id }) => command_id)).size).toBe(1);
      expect(drive.http.requests).toHaveLength(1);
      await drive.stop();
    },
  );

  test('a version that is published a little later is waited for; one that never comes is refused', async () => {
    const drive = await startDrive({ documents });
    await drive.publish(topics.runs, startOf({ revision: 2 }), 'run-1');
    await drive.advance(10_000);
    const rest = { id: 'rest', delay: 'PT1H', set: { rested: true } };
    drive.versions.publish(version([{ id: 'tell', action: hook }, rest], 2));
    await drive.advance(1_000);
    expect(story(drive)[0]).toBe('run running');
    await drive.publish(
      topics.runs,
      startOf({ revision: 3, parent: { key: 'up', token: 'up.1/a#0.1', depth: 1 } }),
      'run-1',
    );
    await drive.publish(topics.runs, startOf({ revision: 2 }), 'run-2');
    await drive.advance(29_000);
    expect(drive.log.records(topics.deadLetters.name)).toHaveLength(0);
    await drive.advance(2_000);
    const [letter] = drive.log.records(topics.deadLetters.name);
    expect(letter?.headers.find(([name]) => name === 'x-dlq-error')?.[1].toString()).toBe(
      'revision 3 of p is not known',
    );
    const answers = drive.read(topics.runs) as { kind: string; status?: string; child?: string }[];
    expect(answers.filter(({ kind }) => kind === 'child-done')).toMatchObject([
      { status: 'failed', child: 'run-1', reason: 'revision 3 of p is not known' },
    ]);
    // The run of the key that is live, and the others of the partition, are none the worse for it.
    await drive.publish(topics.runs, startOf({ revision: 3 }), 'run-1');
    await drive.publish(topics.runs, startOf({ revision: 2 }), 'run-3');
    await drive.advance(1_000);
    expect(story(drive).filter((line) => line === 'run running')).toHaveLength(3);
    expect(drive.log.records(topics.deadLetters.name)).toHaveLength(2);
    await drive.stop();
  });

  test('a live run whose version is gone waits for an operator, and a retry applies what it missed', async () => {
    const drive = await startDrive({ documents, playbooks: [waiting] });
    await drive.publish(topics.runs, startOf(), 'run-1');
    await drive.advance(1_000);
    drive.versions.forget('p', 1);
    await drive.advance(3_700_000);
    const state = () => changesOf(drive).findLast(({ key }) => key === 'run-1')?.state;
    expect(state()).toMatchObject({ status: 'incident', missed: [{ kind: 'timer' }] });
    await drive.publish(topics.runs, { kind: 'retry', by: 'op' }, 'run-1');
    await drive.advance(31_000);
    expect(state()).toMatchObject({ status: 'incident', missed: [{ kind: 'timer' }] });
    drive.versions.publish(waiting);
    await drive.publish(topics.runs, { kind: 'retry', by: 'op' }, 'run-1');
    await drive.advance(1_000);
    expect(state()).toMatchObject({ status: 'running', nodes: { 'scan#0': { s: 'waiting' } } });
    expect(state()).not.toHaveProperty('missed');
    drive.versions.forget('p', 1);
    await drive.publish(topics.runs, { kind: 'cancel', by: 'op', compensate: true }, 'run-1');
    await drive.advance(31_000);
    expect(state()).toMatchObject({ status: 'cancelled' });
    await drive.stop();
  });
});

test('a finding starts a run by its trigger, and an event of the same topic ends its wait', async () => {
  const playbook: ConfigDocument = {
    kind: 'playbook',
    id: 'rescan',
    trigger: { when: { events: ['finding.new'], min_severity: 'critical' } },
    steps: waiting.document.steps,
  };
  const drive = await startDrive({ documents: [...documents, playbook] });
  const finding = { event: 'finding.new', data: { severity: 'critical', scan: 's-7' } };
  await drive.publish(topics.findings, { id: 'f-1', ...finding }, 'a-1');
  await drive.publish(topics.findings, { id: 'f-2', ...finding, data: { severity: 'low' } }, 'a-2');
  await drive.publish(topics.findings, { id: 'e-1', ...scan('e-1').event }, 'a-1');
  await drive.advance(3_700_000);
  expect(story(drive).slice(0, 4)).toEqual(['run running', 'scan delayed', 'scan waiting', 'scan succeeded']);
  expect(results(drive).map(({ status, type }) => [type, status])).toEqual([['webhook', 'succeeded']]);
  expect(drive.log.records(topics.deadLetters.name)).toEqual([]);
  await drive.stop();
});

test('live runs are counted by playbook and status, and expected, also after their states were lost', async () => {
  const drive = await startDrive({ documents, playbooks: [waiting] });
  for (const key of ['run-1', 'run-2', 'run-3']) await drive.publish(topics.runs, startOf(), key);
  await drive.publish(topics.runs, { kind: 'pause', by: 'op' }, 'run-2');
  await drive.advance(61_000);
  const live = (status: string) => drive.metrics.value('tocsin_runs_live', { playbook: 'p', status });
  expect([live('running'), live('paused')]).toEqual([2, 1]);
  await drive.publish(topics.runs, { kind: 'cancel', by: 'op' }, 'run-2');
  await drive.advance(60_000);
  expect([live('running'), live('paused')]).toEqual([2, 0]);
  drive.states.flush();
  await drive.crash('playbooks');
  await drive.advance(60_000);
  expect([live('running'), live('paused')]).toEqual([2, 0]);
  const late = await Promise.all(
    [0, 1].map((partition) =>
      drive.states.overdue({ fold: 'runs', partition }, drive.clock.now() + 3_600_000, 9),
    ),
  );
  expect(late.flatMap(({ first }) => first.map(({ key }) => key)).sort()).toEqual(['run-1', 'run-3']);
  await drive.stop();
});
