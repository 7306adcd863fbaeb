// The command of an action step: what it would send, its digest for approvals, and the record.
import type { ActionConfig, Command, CommandCancel, InlineAction } from '@tocsin/schemas/types.ts';
import { commandTopic } from '../../../topics.ts';
import { commandGrants } from '../../action/grants.ts';
import type { Json } from '../../action/outcome.ts';
import { digestOf } from '../../digest.ts';
import { durationMs } from '../duration.ts';
import { runLimits } from '../limits.ts';
import type { ProgramStep } from '../program.ts';
import { stepCommandId } from '../tokens.ts';
import { namesIn, resolveReferences } from '../values.ts';
import { contextOf, type RunContext, viewsAt } from './context.ts';
import { produce, shown, stepAt, tell, tokenOf } from './draft.ts';
import type { Draft, Node } from './state.ts';

export interface Prepared {
  readonly type: string;
  readonly connection?: string;
  readonly params: Record<string, Json>;
  readonly context: Record<string, Json>;
  /** Digest of all that decides what is sent. */
  readonly digest: () => string;
}

interface Wanted {
  readonly config: InlineAction | ActionConfig;
  readonly action: Command['action'];
}

/** The action of a step: written in it, or pinned by the revision. */
function wantedBy(draft: Draft, { step, path }: ProgramStep): Wanted | null {
  const { version } = draft.program;
  if (typeof step.action === 'object')
    return {
      config: step.action,
      action: { id: `${version.document.id}/${step.id}`, key: path, revision: version.revision },
    };
  const pinned = version.actions[step.action ?? ''];
  if (pinned === undefined || pinned.document.enabled === false) return null;
  const { id, name } = pinned.document;
  return {
    config: pinned.document,
    action: { id, ...(name === undefined ? {} : { name }), key: path, revision: pinned.revision },
  };
}

/** What a step would send now; null when its action is switched off. Throws TemplateError. */
export function prepare(
  draft: Draft,
  step: ProgramStep,
  place: string,
  loop: RunContext = {},
): Prepared | null {
  const wanted = wantedBy(draft, step);
  if (wanted === null) return null;
  const { type, connection, params = {} } = wanted.config;
  const views = viewsAt(draft, place, loop);
  const merged = { ...params, ...step.step.with };
  const { value, texts } = resolveReferences(merged, views);
  const context = namedOf(namesOf(step, merged), views[0] as RunContext);
  if (texts.length > 0) context['values'] = [...texts];
  const sent = {
    type,
    ...(connection === undefined ? {} : { connection }),
    params: value as Record<string, Json>,
    context,
  };
  return { ...sent, digest: () => digestOf(sent) };
}

/** Names that the templates of a step read, as paths; a step of a program has the same parameters in every run. */
const pathsOfSteps = new WeakMap<ProgramStep, readonly string[][]>();

function namesOf(step: ProgramStep, params: unknown): readonly string[][] {
  let paths = pathsOfSteps.get(step);
  if (paths === undefined) {
    paths = namesIn(params).map((name) => name.split('.'));
    pathsOfSteps.set(step, paths);
  }
  return paths;
}

/**
 * All that a run knows, for types that tell of the run itself. It is no part of the digest: what was approved is what is sent,
 * not how far the run has come. Bounded by runLimits.contextBytes and the number of steps.
 */
function wholeOf(draft: Draft, named: Record<string, Json>, views: RunContext): Record<string, Json> {
  const { state, program } = draft;
  const { name } = program.version.document;
  const outline = [...program.steps.values()].map(({ id, path, kind, step }) => {
    const type = typeOf(draft, step);
    return {
      id,
      path,
      kind,
      ...(step.name === undefined ? {} : { name: step.name }),
      ...(type === undefined ? {} : { type }),
    };
  });
  const open = Object.entries(state.nodes).map(([place, { s, at, due, votes }]) => ({
    place,
    step: stepAt(draft, place).id,
    state: s,
    since: at,
    ...(due === undefined ? {} : { due: Math.min(...Object.values(due)) }),
    ...(votes === undefined || votes.length === 0 ? {} : { votes }),
  }));
  return {
    ...named,
    run: {
      ...(views['run'] as Record<string, Json>),
      ...(name === undefined ? {} : { name }),
      status: state.status,
      transitions: state.transitions,
    },
    params: views['params'] as Json,
    vars: state.vars,
    steps: state.steps as unknown as Json,
    outline,
    open: open.slice(0, runLimits.openSteps) as unknown as Json,
    ...(open.length > runLimits.openSteps ? { more_open: open.length - runLimits.openSteps } : {}),
  };
}

function typeOf({ program }: Draft, { action = '' }: ProgramStep['step']): string | undefined {
  return typeof action === 'object' ? action.type : program.version.actions[action]?.document.type;
}

/**
 * Gives up the command that a step waits for, where its type can be broken off. It follows the command in its partition. The code that
 * the step ends with; undefined: nothing is stopped.
 */
export function giveUpCommand(
  draft: Draft,
  place: string,
  node: Node,
  reason: string,
): 'cancelled_uncertain' | undefined {
  const { state, moment } = draft;
  const { step, id } = stepAt(draft, place);
  const type = typeOf(draft, step);
  if (node.command === undefined || node.s !== 'running' || state.dry_run === true) return undefined;
  if (type === undefined || draft.commandTypes?.get(type)?.cancellable !== true) return undefined;
  const cancel: CommandCancel = {
    kind: 'cancel',
    command_id: node.command,
    round: node.e,
    reason,
    at: moment.now,
  };
  produce(draft, commandTopic(type).name, moment.key, cancel);
  tell(draft, { what: 'command', place, step: id, command_id: node.command, type, cancel: reason });
  return 'cancelled_uncertain';
}

/** The members of the context that templates name; of steps only those. */
function namedOf(names: readonly string[][], context: RunContext): Record<string, Json> {
  const roots = new Set(names.map(([root]) => root as string));
  const named: Record<string, Json> = {};
  for (const root of ['run', 'params', 'vars', 'item', 'index'])
    if (roots.has(root) && context[root] !== undefined) named[root] = context[root] as Json;
  if (roots.has('steps')) {
    const facts = context['steps'] as Record<string, Json>;
    const ids = new Set(names.flatMap(([root, id]) => (root === 'steps' && id !== undefined ? [id] : [])));
    named['steps'] = Object.fromEntries(
      [...ids].flatMap((id) => (Object.hasOwn(facts, id) ? [[id, facts[id] as Json]] : [])),
    );
  }
  return named;
}

/** Writes the command of a step; the node has its epoch and gets the id. */
export function sendCommand(
  draft: Draft,
  step: ProgramStep,
  place: string,
  node: Node,
  prepared: Prepared,
): void {
  const { state, moment, program } = draft;
  const { config, action } = wantedBy(draft, step) as Wanted;
  const id = stepCommandId(moment.key, state.run, place);
  node.command = id;
  const context =
    draft.commandTypes?.get(prepared.type)?.runContext === 'whole'
      ? wholeOf(draft, prepared.context, contextOf(draft))
      : prepared.context;
  const command: Command = {
    v: 1,
    command_id: id,
    ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
    type: prepared.type,
    trigger: 'playbook',
    source: state.source as Command['source'],
    action,
    ...(prepared.connection === undefined ? {} : { connection: prepared.connection }),
    mode: 'first',
    row_index: 0,
    params: prepared.params,
    ...(config.retry === undefined ? {} : { retry: config.retry }),
    ...(config.on_uncertain === undefined ? {} : { on_uncertain: config.on_uncertain }),
    subject: { event: { ...state.event }, context },
    reply_to: {
      topic: draft.runsTopic,
      partition: moment.partition,
      key: moment.key,
      token: tokenOf(draft, place, node.e),
    },
    playbook: {
      id: program.version.document.id,
      revision: state.revision,
      run: moment.key,
      number: state.run,
      step: place,
    },
    ...(state.dry_run === undefined ? {} : { dry_run: state.dry_run }),
    ...commandGrants(prepared.type, program.version.grants),
    ...(step.step.timeout === undefined ? {} : { timeout_ms: durationMs(step.step.timeout) }),
    // Every wait of the step has its own: the worker attempts again what failed in an earlier one.
    round: node.e,
    hops: state.hops,
    created_at: moment.now,
  };
  produce(draft, commandTopic(prepared.type).name, moment.key, command);
  tell(draft, {
    what: 'command',
    place,
    step: step.id,
    command_id: id,
    type: prepared.type,
    try: node.try ?? 1,
    input: shown(prepared.params),
  });
}
