// ./tocsin playbook test: one run of a playbook in memory. Actions succeed unless the answers say otherwise.
//
// Surprise: waits for events and approvals end only if the answers end them; without an answer they run into their deadline, which
// costs nothing on a virtual clock and shows what the playbook does then.
import { parseArgs } from 'node:util';
import { readDocumentDirectory, readDocuments } from '@tocsin/adapters/config/directory.ts';
import { checkDocument, compileCheck, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ActionConfig, Playbook, PlaybookVersion, RunInput } from '@tocsin/schemas/types.ts';
import { manifests } from '@tocsin/topologies/actions/registry.ts';
import { parseDuration } from '@tocsin/topologies/domain/playbooks/duration.ts';
import type { RunChange, RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { checkPlaybook, compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { createPlayer, type LaterInput, type Played } from '@tocsin/topologies/domain/playbooks/play.ts';
import type { Program } from '@tocsin/topologies/domain/playbooks/program.ts';
import { parseInstant } from '@tocsin/topologies/domain/rules/instant.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

/** What comes back for a step, by its id; every time that it starts. */
interface Answer {
  readonly after?: string;
  readonly status?: 'succeeded' | 'failed' | 'held';
  readonly ref?: string;
  readonly output?: unknown;
  readonly code?: string;
  readonly detail?: string;
  /** Of a wait: the event that comes in. */
  readonly event?: Record<string, unknown> & { readonly event: string };
  /** Of an approval: who decides what. */
  readonly decisions?: readonly {
    readonly actor: string;
    readonly roles?: readonly string[];
    readonly verdict: 'approve' | 'reject' | 'delegate';
    readonly to?: string;
    readonly after?: string;
    readonly comment?: string;
  }[];
}

const answer = {
  type: 'object',
  additionalProperties: false,
  properties: {
    after: { type: 'string' },
    status: { enum: ['succeeded', 'failed', 'held'] },
    ref: { type: 'string' },
    output: {},
    code: { type: 'string' },
    detail: { type: 'string' },
    event: { type: 'object', required: ['event'], properties: { event: { type: 'string' } } },
    decisions: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['actor', 'verdict'],
        properties: {
          actor: { type: 'string' },
          roles: { type: 'array', items: { type: 'string' } },
          verdict: { enum: ['approve', 'reject', 'delegate'] },
          to: { type: 'string' },
          after: { type: 'string' },
          comment: { type: 'string' },
        },
      },
    },
  },
};

const checkAnswers = compileCheck({
  type: 'object',
  additionalProperties: false,
  required: ['steps'],
  properties: { steps: { type: 'object', additionalProperties: answer } },
});

/** Inputs of one run at most; far more than its limit of transitions needs. */
const maxInputs = 50_000;

/** 0 when the run completes; 1 when it does not, or a file has a fault. */
export async function playbookTest(args: readonly string[], io: RulesIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      event: { type: 'string' },
      answers: { type: 'string' },
      config: { type: 'string' },
      start: { type: 'string' },
      json: { type: 'boolean' },
    },
    allowPositionals: true,
  });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new UsageError('name one file with a playbook');
  if (values.event === undefined) throw new UsageError('--event is needed');
  const document = await readOne(file, io);
  const event = await readOne(values.event, io);
  const answers = values.answers === undefined ? { steps: {} } : await readOne(values.answers, io);
  if (document === null || event === null || answers === null) return 1;
  const faults = [
    ...checkDocument('envelope.json', event).map((issue) => [values.event, issue] as const),
    ...checkAnswers(answers).map((issue) => [values.answers, issue] as const),
  ];
  const version = await pinned(document, values.config);
  const problems = checkPlaybook(
    document,
    values.config === undefined ? {} : { actions: { has: (id) => id in version.actions } },
  );
  const { program, issues } =
    problems.length > 0 ? { program: null, issues: problems } : compileVersion(version);
  for (const issue of issues) faults.push([file, issue]);
  for (const [name, issue] of faults) io.err(`${name}: ${formatIssues([issue])}`);
  if (faults.length > 0 || program === null) return 1;
  const { timestamp } = event as { timestamp?: string };
  const start = parseInstant(values.start ?? timestamp ?? '2026-01-01T00:00:00Z');
  if (start === undefined) throw new UsageError('--start is a date such as 2026-04-28T12:00:00Z');
  const { history, state, finished } = play(
    program,
    event as never,
    (answers as { steps: never }).steps,
    start,
  );
  for (const played of history)
    for (const change of played.changes) {
      if (values.json) io.out(JSON.stringify({ at: new Date(played.at).toISOString(), ...change }));
      else for (const line of changeLine(played, change)) io.out(line);
    }
  const how = finished ? (state?.status ?? 'not started') : `not over after ${maxInputs} inputs`;
  io.err(
    `${history.length} inputs, the run is ${how}${state?.reason === undefined ? '' : `: ${state.reason}`}`,
  );
  return state?.status === 'completed' ? 0 : 1;
}

/** The first document of a file; null after its fault was shown. */
async function readOne(file: string, io: RulesIo): Promise<unknown> {
  const documents = await readDocuments(file);
  if (typeof documents === 'string') {
    if (documents.includes('ENOENT')) throw new UsageError(`there is no ${file}`);
    io.err(`${file}: ${documents}`);
    return null;
  }
  return documents[0] ?? null;
}

/** The document as a published revision: with the actions of a folder, or with stand-ins for those that it names. */
async function pinned(document: unknown, config: string | undefined): Promise<PlaybookVersion> {
  const actions: Record<string, { revision: number; document: ActionConfig }> = {};
  const playbooks: Record<string, number> = {};
  const named = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { action, playbook } = node as { action?: unknown; playbook?: { id?: unknown } };
    if (typeof action === 'string') named.add(action);
    if (typeof playbook?.id === 'string') playbooks[playbook.id] = 1;
    for (const member of Object.values(node)) visit(member);
  };
  visit((document as Playbook | null)?.steps);
  if (config === undefined)
    for (const id of named)
      actions[id] = { revision: 1, document: { kind: 'action', id, type: id, params: {} } };
  else {
    const { files } = await readDocumentDirectory(config);
    for (const one of files.flatMap(({ documents }) => documents)) {
      const { kind, id } = one as { kind?: unknown; id?: unknown };
      if (kind === 'action' && typeof id === 'string')
        actions[id] = { revision: 1, document: one as ActionConfig };
    }
  }
  return { v: 1, revision: 1, document: document as Playbook, actions, playbooks };
}

const key = 'run';

function play(
  program: Program,
  event: Record<string, unknown> & { id?: string; event: string },
  answers: Readonly<Record<string, Answer>>,
  start: number,
): { history: readonly Played[]; state: RunState | null; finished: boolean } {
  const wait = (text: string | undefined): number => {
    const ms = text === undefined ? 1000 : parseDuration(text);
    if (typeof ms === 'number') return ms;
    throw new UsageError(`answers: ${text} ${ms.error}`);
  };
  const idOf = (place: string): string => place.slice(place.lastIndexOf('/') + 1, place.lastIndexOf('#'));
  const later = (afterMs: number, input: RunInput, to = key): LaterInput => ({ afterMs, key: to, input });
  const player = createPlayer({
    // Playbooks that steps run are not played: their runs end at once.
    definitions: (id) => (id === program.version.document.id ? program : null),
    commandTypes: { get: (type) => manifests.get(type) ?? {} },
    start,
    answer(command) {
      const place = command.playbook?.step ?? '';
      const id = program.steps.get(place.slice(0, place.lastIndexOf('#')))?.id ?? '';
      const { after, status = 'succeeded', ref, output, code, detail } = answers[id] ?? {};
      const { command_id, reply_to } = command;
      return [
        later(
          wait(after),
          {
            kind: 'result',
            command_id,
            status,
            ...(reply_to === undefined ? {} : { token: reply_to.token }),
            ...(ref === undefined ? {} : { ref }),
            ...(output === undefined ? {} : { output }),
            ...(code === undefined ? {} : { code }),
            ...(detail === undefined ? {} : { detail }),
          } as RunInput,
          reply_to?.key,
        ),
      ];
    },
    onEvent(envelope) {
      if (envelope['event'] !== 'approval.requested') return [];
      const { token, step } = envelope['data'] as { token: string; step: string };
      return (answers[step]?.decisions ?? []).map(({ after, ...decision }, index) =>
        later(wait(after), {
          kind: 'decision',
          token,
          decision_id: `d${index}`,
          roles: [],
          ...decision,
        } as unknown as RunInput),
      );
    },
    onChange(change, run) {
      if (run !== key) return [];
      if (change.what === 'step' && change.status === 'waiting') {
        const { after, event: comes } = answers[change.step ?? ''] ?? {};
        if (comes === undefined) return [];
        return [
          later(wait(after), { kind: 'event', correlation: String(change['correlate']), event: comes }),
        ];
      }
      return [];
    },
    onStart: (child, { parent }) => [
      {
        afterMs: 1000,
        key: parent?.key ?? '',
        input: childEnd(child, parent?.token ?? '', answers[idOf(parent?.token.replace(/\.\d+$/, '') ?? '')]),
      },
    ],
  });
  const source = {
    id: event.id ?? 'event',
    kind: 'event' as const,
    topic: 'findings.v1',
    partition: 0,
    offset: 0,
  };
  const { id: playbook } = program.version.document;
  player.send(later(0, { kind: 'start', playbook, revision: 1, by: 'trigger', event, source }));
  const finished = player.play(maxInputs);
  return { history: player.history.filter((one) => one.key === key), state: player.state(key), finished };
}

function childEnd(child: string, token: string, given: Answer | undefined): RunInput {
  const status = given?.status === 'failed' ? 'failed' : 'completed';
  return {
    kind: 'child-done',
    child,
    token,
    status,
    outputs: (given?.output ?? {}) as Record<string, unknown>,
  };
}

/** `time  step  what happened`; nothing for what another line tells already. */
function changeLine({ at }: Played, change: RunChange): string[] {
  const { what, step = '', status, place, ...facts } = change;
  if (what === 'step' && status === 'running') return [];
  const happened = [what === 'step' || what === 'run' ? '' : what, status ?? '']
    .filter((part) => part !== '')
    .join(' ');
  const shown = Object.entries(facts).flatMap(([name, value]) => {
    if (value === undefined || name === 'command_id' || name === 'token') return [];
    if (name === 'due' && typeof value === 'number') return [`until ${new Date(value).toISOString()}`];
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return text === '{}' ? [] : [`${name} ${text}`];
  });
  const round =
    place === undefined || place.endsWith('#0') ? '' : `#${place.slice(place.lastIndexOf('#') + 1)}`;
  const line = `${new Date(at).toISOString()}  ${(step + round || '-').padEnd(16)}  ${happened}${shown.length > 0 ? `  ${shown.join(', ')}` : ''}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: values of an event must not move the cursor.
  return [line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')];
}
