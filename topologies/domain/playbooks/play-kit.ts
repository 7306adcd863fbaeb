// For tests: a playbook from its steps, played one input after the other.
import type {
  Command,
  CommandCancel,
  CorrelationInput,
  Playbook,
  PlaybookStep,
  RunInput,
} from '@tocsin/schemas/types.ts';
import { manifests } from '../../actions/registry.ts';
import { topics } from '../../topics.ts';
import { decideRun } from './decide.ts';
import type { RunState } from './machine/state.ts';
import { compileVersion } from './parse-playbook.ts';
import type { Program } from './program.ts';
import type { RunStep } from './run-step.ts';

export const started = Date.parse('2026-04-28T12:00:00Z');

/** Number of the first run of a stage. */
export const firstRun = started / 1000;

export interface Stage {
  /** Applies one input `afterMs` later. */
  send(input: RunInput, afterMs?: number): RunStep;
  start(more?: Record<string, unknown>): RunStep;
  /** The result of the last command of a step. */
  answer(step: string, result?: Record<string, unknown>): RunStep;
  /** The earliest timer that is set, at its time. */
  fire(): RunStep;
  readonly state: RunState;
  /** Commands so far, `step` or `step#round`. */
  readonly commands: readonly Command[];
  /** Commands that were given up. */
  readonly cancels: readonly CommandCancel[];
  readonly events: readonly { readonly event: string; readonly data: Record<string, unknown> }[];
  readonly inputs: readonly { readonly key: string; readonly input: RunInput }[];
  readonly correlations: readonly { readonly key: string; readonly input: CorrelationInput }[];
}

export function programOf(
  steps: readonly PlaybookStep[],
  more: Partial<Playbook> = {},
  playbooks = {},
  grants?: string[],
): Program {
  const document = { kind: 'playbook', id: 'p', steps: [...steps], ...more } as Playbook;
  const { program, issues } = compileVersion({
    v: 1,
    revision: 1,
    document,
    actions: {
      mail: { revision: 3, document: { kind: 'action', id: 'mail', type: 'email', params: { to: 'soc' } } },
    },
    playbooks,
    published_by: 'author',
    ...(grants === undefined ? {} : { grants }),
  });
  if (program === null) throw new Error(JSON.stringify(issues));
  return program;
}

export const event = {
  id: 'e1',
  event: 'finding.new',
  data: { title: 'X', severity: 'critical', hosts: ['a', 'b', 'c'], asset: { name: 'web' } },
};

export function stage(
  steps: readonly PlaybookStep[],
  more: Partial<Playbook> = {},
  playbooks = {},
  grants?: string[],
): Stage {
  const program = programOf(steps, more, playbooks, grants);
  const options = {
    definitions: () => program,
    runsTopic: 'runs.v1',
    // Types that do not exist may be named too.
    commandTypes: { get: (type: string) => manifests.get(type) ?? {} },
  };
  const timers = new Map<string, number>();
  const commands: Command[] = [];
  const cancels: CommandCancel[] = [];
  const events: { event: string; data: Record<string, unknown> }[] = [];
  const inputs: { key: string; input: RunInput }[] = [];
  const correlations: { key: string; input: CorrelationInput }[] = [];
  let state: RunState | null = null;
  let now = started;
  let offset = 0;

  function send(input: RunInput, afterMs = 0): RunStep {
    now += afterMs;
    const step = decideRun(state, input, { now, partition: 2, offset: offset++, key: 'k' }, options);
    state = step.state;
    for (const effect of step.effects) {
      if (effect.kind === 'timer') timers.set(effect.token, effect.due);
      else if (effect.kind === 'cancel-timer') timers.delete(effect.token);
      else {
        const content = JSON.parse(String(effect.record.value));
        if (effect.record.topic === 'runs.v1')
          inputs.push({ key: String(effect.record.key), input: content });
        else if (effect.record.topic.startsWith('commands.'))
          (content.kind === 'cancel' ? cancels : commands).push(content);
        else if (effect.record.topic === topics.correlations.name)
          correlations.push({ key: String(effect.record.key), input: content });
        else events.push(content);
      }
    }
    return step;
  }

  return {
    send,
    start: (given = {}) =>
      send({
        kind: 'start',
        playbook: 'p',
        revision: 1,
        by: 'starter',
        source: { id: 'e1', kind: 'event', topic: 'findings.v1', partition: 0, offset: 1 },
        event,
        ...given,
      }),
    answer(step, result = {}) {
      const command = commands.findLast(
        (one) => one.playbook?.step.split('#')[0]?.split('/').at(-1) === step,
      );
      if (command === undefined) throw new Error(`${step} sent nothing`);
      const { command_id, reply_to } = command;
      return send(
        { kind: 'result', command_id, status: 'succeeded', token: reply_to?.token, ...result } as RunInput,
        1000,
      );
    },
    fire() {
      const [first] = [...timers].sort(([, a], [, b]) => a - b);
      if (first === undefined) throw new Error('no timer is set');
      timers.delete(first[0]);
      return send({ kind: 'timer', token: first[0], due: first[1] }, Math.max(0, first[1] - now));
    },
    get state() {
      if (state === null) throw new Error('there is no run');
      return state;
    },
    commands,
    cancels,
    events,
    inputs,
    correlations,
  };
}

/** `step status` of the steps that changed. */
export function outline({ changes }: RunStep): string[] {
  return changes.flatMap(({ what, step, status }) =>
    what === 'step' && status !== 'running' ? [`${step} ${status}`] : what === 'run' ? [`run ${status}`] : [],
  );
}
