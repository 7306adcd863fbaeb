// From a finding to the end of its run, through the whole system in memory: started by trigger or rule, waiting, and what an edit or
// a deletion in the meantime changes.
import type { Command, Playbook, Rule, RunInput } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import type { ConfigDocument } from '../domain/config/config-table.ts';
import type { RunState } from '../domain/playbooks/machine/state.ts';
import type { FoldChange } from '../run/fold/fold.ts';
import { commandTopic, topics } from '../topics.ts';
import { startDrive } from './drive.ts';

const action = (id: string): ConfigDocument => ({ kind: 'action', id, type: 'log', params: {} });
const rescan: Playbook = {
  kind: 'playbook',
  id: 'rescan',
  trigger: { when: { severity: 'critical' }, dedupe: { key: ['finding.scan'], window: 'P1D' } },
  steps: [
    {
      id: 'wait',
      waitFor: { event: 'scan.completed', correlate: '{{finding.scan}}', at: 'data.scan_id' },
      deadline: 'PT6H',
    },
    { id: 'after', action: 'after' },
  ],
};
const documents = [action('before'), action('after'), rescan];
const finding = (id: string, scan = 's-7') => ({
  id,
  event: 'finding.new',
  data: { severity: 'critical', scan },
});
const scanned = { id: 's1', event: 'scan.completed', data: { scan_id: 's-7' } };

type Drive = Awaited<ReturnType<typeof startDrive>>;
/** Commands as `<action>@<revision of the playbook>`. */
const sent = (drive: Drive) =>
  (drive.read(commandTopic('log')) as Command[]).map(
    ({ action: { id }, playbook }) => `${id}@${playbook?.revision ?? 'rule'}`,
  );

test.each([
  ['findings', topics.findings],
  ['the engine itself', topics.events],
])('a run waits for an event of %s, and one finding is one run', async (_, topic) => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.findings, finding('e1'));
  await drive.publish(topics.findings, finding('e2'));
  await drive.advance(60_000);
  expect(sent(drive)).toEqual([]);
  await drive.publish(topic, { ...scanned, data: { scan_id: 'other' } });
  await drive.advance(60_000);
  expect(sent(drive)).toEqual([]);
  await drive.publish(topic, scanned);
  await drive.advance(60_000);
  expect(sent(drive)).toEqual(['after@1']);
  await drive.stop();
});

test('B04: a run that waits keeps its revision when the playbook is edited; the next one has the new', async () => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.findings, finding('e1'));
  await drive.advance(60_000);
  // No longer waits, so nothing but the old revision knows the event.
  drive.configure({ ...rescan, steps: [{ id: 'only', action: 'before' }] }, 2);
  await drive.publish(topics.findings, scanned);
  await drive.advance(60_000);
  expect(sent(drive)).toEqual(['after@1']);
  await drive.publish(topics.findings, finding('e2', 's-8'));
  await drive.advance(60_000);
  expect(sent(drive)).toEqual(['after@1', 'before@2']);
  await drive.stop();
});

test('B05: a run that waits goes on when its playbook and its action are deleted; nothing new starts', async () => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.findings, finding('e1'));
  await drive.advance(60_000);
  drive.remove('playbook', 'rescan');
  drive.remove('action', 'after');
  await drive.publish(topics.findings, finding('e2', 's-8'));
  await drive.publish(topics.findings, scanned);
  await drive.advance(60_000);
  expect(sent(drive)).toEqual(['after@1']);
  const ended = (drive.read(topics.runEvents) as FoldChange<RunState>[]).map(({ state }) => state?.status);
  expect([ended.at(-1), new Set(drive.read(topics.runs).map((input) => (input as RunInput).kind))]).toEqual([
    'completed',
    new Set(['start', 'event', 'result']),
  ]);
  expect((drive.read(topics.runs) as RunInput[]).filter(({ kind }) => kind === 'start')).toHaveLength(1);
  await drive.stop();
});

test('an action that changes in the meantime is for the playbook as it was published', async () => {
  const drive = await startDrive({ documents });
  await drive.publish(topics.findings, finding('e1'));
  await drive.advance(60_000);
  drive.configure({ kind: 'action', id: 'after', type: 'log', params: {}, name: 'changed' }, 2);
  await drive.publish(topics.findings, scanned);
  await drive.advance(60_000);
  const last = (drive.read(commandTopic('log')) as Command[]).at(-1);
  expect(last?.action).toMatchObject({ id: 'after', revision: 1 });
  expect(last?.action.name).toBeUndefined();
  await drive.stop();
});

test('a rule starts a run beside its actions, on trial it does not', async () => {
  const rule = (id: string, more: Partial<Rule>): Rule => ({
    kind: 'rule',
    id,
    when: { events: 'finding.new' },
    then: [{ action: 'before' }, { playbook: 'told', with: { text: { $: 'finding.scan' } } }],
    ...more,
  });
  const told: Playbook = { kind: 'playbook', id: 'told', steps: [{ id: 'tell', action: 'after' }] };
  const drive = await startDrive({
    documents: [action('before'), action('after'), told, rule('r', {}), rule('trial', { shadow: true })],
  });
  await drive.publish(topics.findings, finding('e1'));
  await drive.advance(60_000);
  expect(sent(drive).sort()).toEqual(['after@1', 'before@rule']);
  const states = (drive.read(topics.runEvents) as FoldChange<RunState>[]).map(({ state }) => state);
  expect(states[0]).toMatchObject({ by: 'rule:r', params: { text: 's-7' }, hops: 1 });
  await drive.stop();
});

test('a finding that comes again after a crash of the evaluator starts nothing twice', async () => {
  const when = { severity: 'critical' };
  const rule: Rule = { kind: 'rule', id: 'r', when, then: [{ playbook: 'rescan' }] };
  const drive = await startDrive({ documents: [...documents, rule] });
  await drive.publish(topics.findings, finding('e1'));
  await drive.advance(1_000);
  await drive.crash('evaluator');
  await drive.publish(topics.findings, finding('e1'));
  await drive.publish(topics.findings, scanned);
  await drive.advance(60_000);
  const starts = drive.read(topics.runs).filter((input) => (input as RunInput).kind === 'start');
  expect([starts.length, sent(drive)]).toEqual([4, ['after@1']]);
  await drive.stop();
});
