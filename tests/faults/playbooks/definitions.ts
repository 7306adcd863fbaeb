// The playbooks of the fault runs: every kind of wait, with deadlines of seconds so that all runs end by themselves.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import type { Program } from '@tocsin/topologies/domain/playbooks/program.ts';

const hook = { type: 'webhook', connection: 'hook' } as const;
const retry = { attempts: 3, backoff: 'fixed', base: 'PT1S' } as const;

const act = (id: string, more: Partial<PlaybookStep> = {}): PlaybookStep => ({
  id,
  action: { ...hook, params: { path: `/${id}` } },
  with: { body: { finding: { $: 'finding.id' } } },
  deadline: 'PT8S',
  onError: 'continue',
  ...more,
});

function undo(id: string): PlaybookStep {
  const { onError: _, ...step } = act(id);
  return step;
}

export const documents: Readonly<Record<string, readonly PlaybookStep[]>> = {
  /** Commands with retries, a delay, a condition, a variable. */
  response: [
    act('notify'),
    act('ticket', { retry, outputs: { key: { $: 'result.output.key' } } }),
    act('rescan', { delay: 'PT1S' }),
    {
      id: 'still-there',
      if: { 'steps.rescan.outputs.n': { gte: 0 } },
      onUnknown: 'then',
      then: [act('escalate', { retry })],
    },
    { id: 'note', set: { key: { $: 'steps.ticket.outputs.key' } } },
    act('report'),
  ],
  /** Two distinct people of three within four seconds. */
  gate: [
    act('notify'),
    {
      id: 'gate',
      approve: {
        title: 'Isolate {{finding.id}}?',
        by: { anyOf: ['user:alice', 'user:bob', 'role:lead'] },
        quorum: { approve: 2, reject: 1 },
      },
      deadline: 'PT4S',
      onReject: { run: [act('tell')] },
    },
    act('isolate'),
  ],
  /** An event that may come before its wait, twice, or never. */
  scan: [
    act('rescan'),
    {
      id: 'confirm',
      waitFor: { event: 'scan.completed', correlate: '{{finding.id}}' },
      deadline: 'PT5S',
      onError: 'continue',
    },
    act('report'),
  ],
  /** Branches and rounds at the same time. */
  fan: [
    {
      id: 'both',
      parallel: { branches: [[act('left', { retry }), act('left-too')], [act('right', { delay: 'PT1S' })]] },
    },
    { id: 'hosts', forEach: { items: { $: 'finding.hosts' }, max: 5, concurrency: 2, do: [act('block')] } },
    act('report'),
  ],
  /** The last step fails; the others are undone, the last one first. */
  undo: [
    act('open', { compensate: undo('open-undo') }),
    act('close', { compensate: undo('close-undo') }),
    act('fails', { onError: 'fail' }),
  ],
  /** At work while an engine does not know it. */
  forgotten: [act('notify', { delay: 'PT2S' }), act('ticket', { delay: 'PT2S' }), act('report')],
  /** Ends when the moment in the event has come. */
  alarm: [{ ...act('ring'), delay: { until: { $: 'finding.at' } } }],
};

/** Names of the playbooks that a mixed load takes in turn. */
export const mix = ['response', 'gate', 'scan', 'fan', 'undo'] as const;

export function programsOf(): ReadonlyMap<string, Program> {
  return new Map(
    Object.entries(documents).map(([id, steps]) => {
      const { program, issues } = compileVersion({
        v: 1,
        revision: 1,
        document: { kind: 'playbook', id, steps: [...steps] },
        actions: {},
        playbooks: {},
        published_by: 'author',
      });
      if (program === null) throw new Error(`${id}: ${JSON.stringify(issues)}`);
      return [id, program] as const;
    }),
  );
}
