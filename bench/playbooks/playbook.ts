// The playbook of `bench playbooks`: five steps, one of them a condition with a step behind it, one of them sets variables.
//
// Invariant: every run takes the branch and sends four commands, so it is one start and four results: five inputs that change steps.
import { compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import type { Program } from '@tocsin/topologies/domain/playbooks/program.ts';
import { commandTopic } from '@tocsin/topologies/topics.ts';

/** Inputs of one run that change a step. */
export const transitionsPerRun = 5;

/** Commands of one run. */
export const commandsPerRun = 4;

export const commandsTopic = commandTopic('webhook');

const webhook = (id: string) => ({
  revision: 1,
  document: { kind: 'action' as const, id, type: 'webhook', connection: 'hook', params: { path: `/${id}` } },
});

/** The steps of the guide's critical finding response, its delays left out: chat, ticket, condition, record, report. */
export function benchProgram(): Program {
  const { program, issues } = compileVersion({
    v: 1,
    revision: 1,
    document: {
      kind: 'playbook',
      id: 'critical-finding-response',
      name: 'Critical finding response',
      trigger: { source: 'events', when: { events: ['finding.new'], min_severity: 'critical' } },
      vars: { opened: '' },
      steps: [
        {
          id: 'notify',
          action: 'chat',
          with: { body: { text: 'CRITICAL {{finding.title}} on {{finding.asset.name}}' } },
          onError: 'continue',
        },
        {
          id: 'ticket',
          action: 'ticket',
          with: { body: { summary: '{{finding.title}}', asset: { $: 'finding.asset.id' } } },
          retry: { attempts: 5, base: 'PT2S' },
          outputs: { key: { $: 'result.output.key' }, persists: { $: 'result.output.persists' } },
        },
        {
          id: 'still-there',
          if: { 'steps.ticket.outputs.persists': true },
          onUnknown: 'then',
          then: [
            {
              id: 'escalate',
              action: 'ticket',
              with: { body: { key: { $: 'steps.ticket.outputs.key' }, escalate: true } },
              deadline: 'PT4H',
            },
          ],
        },
        { id: 'note', set: { opened: { $: 'steps.ticket.outputs.key' } } },
        {
          id: 'report',
          action: 'chat',
          with: { body: { text: 'report {{vars.opened}}' } },
        },
      ],
    },
    actions: { chat: webhook('chat'), ticket: webhook('ticket') },
    playbooks: {},
    published_by: 'bench',
  });
  if (program === null) throw new Error(JSON.stringify(issues));
  return program;
}

/** The value of the input that starts run `n`. */
export function startInput(program: Program, n: number): string {
  return JSON.stringify({
    kind: 'start',
    playbook: program.version.document.id,
    revision: program.version.revision,
    by: 'trigger',
    source: { id: `f-${n}`, kind: 'event', topic: 'findings.v1', partition: n % 12, offset: n },
    event: {
      id: `f-${n}`,
      event: 'finding.new',
      timestamp: '2026-04-28T12:00:00Z',
      data: {
        finding_id: `f-${n}`,
        title: 'SQL Injection in /api/login',
        severity: 'critical',
        cvss: 9.8,
        asset: { id: `a-${n % 1000}`, name: `host${n % 1000}.example.com`, type: 'domain' },
        scan_id: 'sc-44021',
        remediation: 'Use parameterized queries or an ORM.',
      },
    },
  });
}
