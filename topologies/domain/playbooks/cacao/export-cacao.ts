// A playbook as a CACAO 2.0 playbook (producer of a subset): docs/imports.md says what maps and what does not.
//
// Invariant: an import of what comes out gives the same playbook; what CACAO has no member for is in the extension of the step. Secrets
// are not in playbooks, so none leave. Surprise: identifiers and times are made once: `meta` has to be stored with the playbook, and with
// it the next export of the same playbook is the same document.
import type { CacaoMeta, Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { digestOf } from '../tokens.ts';
import { approvedVariable, commandsOf } from './commands.ts';
import { expressionOf, isTrue } from './conditions.ts';
import {
  type Agent,
  type CacaoPlaybook,
  type CacaoStep,
  extensionDefinition,
  extensionId,
  type StepType,
  type Variable,
} from './document.ts';
import { membersOf } from './members.ts';
import { isPath, variableOf } from './names.ts';
import { below, places } from './places.ts';
import { standardOf } from './standard.ts';

export interface ExportOptions {
  /** A new UUID of version 4 at every call. */
  uuid(): string;
  /** Epoch ms. */
  readonly now: number;
}

export interface Exported {
  readonly document: CacaoPlaybook;
  /** For `meta.cacao` of the playbook. */
  readonly meta: CacaoMeta;
}

/** The playbook, which passed checkPlaybook, as a CACAO playbook. */
export function exportCacao(playbook: Playbook, options: ExportOptions): Exported {
  const kept = playbook.meta?.cacao;
  const ids: Record<string, string> = {};
  const id = (type: string, place: string): string => {
    ids[place] ??= kept?.ids?.[place] ?? options.uuid();
    return `${type}--${ids[place]}`;
  };
  const writer = createWriter(id);
  const end = writer.end(places.end(''));
  const first = writer.list(playbook.steps, '', end);
  const start = id('start', places.start);
  const moment = new Date(options.now).toISOString();
  const digest = contentDigest(playbook);
  const created = kept?.created ?? moment;
  const modified =
    kept !== undefined && kept.digest === digest ? kept.modified : moment > created ? moment : created;
  const meta: CacaoMeta = {
    id: kept?.id ?? `playbook--${options.uuid()}`,
    created_by: kept?.created_by ?? `identity--${options.uuid()}`,
    created,
    modified,
    digest,
    ids,
    ...(kept?.properties === undefined ? {} : { properties: kept.properties }),
  };
  const variables = { ...writer.variables, ...varsOf(playbook) };
  const names = [...writer.paths].filter(([, path]) => path !== '');
  const document: CacaoPlaybook = {
    type: 'playbook',
    spec_version: 'cacao-2.0',
    id: meta.id,
    name: playbook.name ?? playbook.id,
    ...(playbook.description === undefined ? {} : { description: playbook.description }),
    ...kept?.properties,
    ...labelsOf(playbook),
    created_by: meta.created_by,
    created,
    modified,
    ...(Object.keys(variables).length === 0 ? {} : { playbook_variables: variables }),
    workflow_start: start,
    workflow: Object.fromEntries([
      [start, { type: 'start', on_completion: first }],
      ...writer.steps.reverse(),
    ]),
    playbook_extensions: {
      [extensionId]: {
        playbook_id: playbook.id,
        playbook_members: headOf(playbook),
        ...(names.length === 0 ? {} : { playbook_names: Object.fromEntries(names) }),
      },
    },
    ...(Object.keys(writer.agents).length === 0 ? {} : { agent_definitions: writer.agents }),
    extension_definitions: { [extensionId]: extensionDefinition },
  };
  return { document, meta };
}

/** What a new `modified` depends on: everything but whether the playbook is switched on here, and what other formats know of it. */
export function contentDigest({ enabled: _, meta: __, ...content }: Playbook): string {
  return digestOf(content);
}

/** Members of the playbook besides its steps, its description and what an import never takes over. */
export function headOf({
  steps: _,
  id: __,
  description: ___,
  enabled: ____,
  meta: _____,
  ...head
}: Playbook): object {
  return head;
}

export function labelsOf({ tags = [] }: Pick<Playbook, 'tags'>): { labels?: readonly string[] } {
  return tags.length === 0 ? {} : { labels: tags };
}

/** The first values of `vars`. */
export function varsOf({ vars = {} }: Pick<Playbook, 'vars'>): Record<string, Variable> {
  return Object.fromEntries(
    Object.entries(vars).map(([name, value]) => [
      variableOf(`vars.${name}`),
      { type: variableType(value), description: `vars.${name}`, value: valueText(value) },
    ]),
  );
}

function variableType(value: unknown): string {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  return typeof value === 'object' && value !== null ? 'dictionary' : 'string';
}

function valueText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

interface Writer {
  /** Last first. */
  readonly steps: [string, CacaoStep][];
  readonly variables: Record<string, Variable>;
  /** Paths of variables. */
  readonly paths: Map<string, string>;
  readonly agents: Record<string, Agent>;
  /** Identifier of the first step of a list that goes on at `next`. */
  list(steps: readonly PlaybookStep[], path: string, next: string): string;
  end(place: string): string;
}

function createWriter(id: (type: string, place: string) => string): Writer {
  const steps: [string, CacaoStep][] = [];
  const variables: Record<string, Variable> = {};
  const paths = new Map<string, string>();
  const agents: Record<string, Agent> = {};
  /** Path and first identifier by step id, for gotos. */
  const entries = new Map<string, string>();

  function declare(name: string, variable: Variable, path = ''): string {
    variables[name] ??= variable;
    paths.set(name, path);
    return name;
  }

  function use(path: string): string {
    const external = !path.startsWith('vars.') && !path.startsWith('steps.');
    return declare(
      variableOf(path),
      { type: 'string', description: path, ...(external ? { external: true } : {}) },
      path,
    );
  }

  function add(type: StepType, place: string, step: Omit<CacaoStep, 'type'>): string {
    const own = id(type, place);
    steps.push([own, { type, ...step }]);
    return own;
  }

  const end = (place: string): string => add('end', place, {});

  /** A branch with its own end (section 4.8). */
  function branch(below: readonly PlaybookStep[], path: string): string {
    return list(below, path, end(places.end(path)));
  }

  function list(all: readonly PlaybookStep[], path: string, next: string): string {
    const above = path;
    // Later steps first: each needs to know where it goes on. Gotos forward find their aim, those back take its place.
    let at = next;
    for (const step of all.toReversed()) at = write(step, below(above, step.id), at);
    return at;
  }

  function write(step: PlaybookStep, path: string, next: string): string {
    if (step.when === undefined) return remember(step, core(step, path, next, true));
    const { delay } = standardOf(step);
    const inside = core(step, path, end(places.end(places.when(path))), false);
    const wrapped = add('if-condition', places.when(path), {
      name: `When of ${step.id}`,
      ...(delay === undefined ? {} : { delay }),
      condition: expression(step.when, `when_${step.id}`),
      on_true: inside,
      on_completion: next,
      step_extensions: { [extensionId]: { step_id: step.id, step_part: 'when' } },
    });
    return remember(step, wrapped);
  }

  function remember(step: PlaybookStep, first: string): string {
    entries.set(step.id, first);
    return first;
  }

  /** The condition as a text; one that has none is a variable that the executor has to set. */
  function expression(condition: NonNullable<PlaybookStep['if']>, fallback: string): string {
    const { text, said } = expressionOf(condition, fallback, use);
    const description = `Whether ${JSON.stringify(condition)} holds`.slice(0, 1000).toWellFormed();
    if (!said) declare(variableOf(fallback), { type: 'bool', description });
    return text;
  }

  /** The step itself; `alone`: no condition is around it. */
  function core(step: PlaybookStep, path: string, next: string, alone: boolean): string {
    const standard = standardOf(step);
    const common = {
      name: standard.name,
      ...(standard.description === undefined ? {} : { description: standard.description }),
      ...(standard.delay === undefined || !alone ? {} : { delay: standard.delay }),
      ...(standard.timeout === undefined ? {} : { timeout: standard.timeout }),
    };
    const extension = { step_extensions: { [extensionId]: membersOf(step) } };
    const place = places.step(path);
    const routed = (): Partial<CacaoStep> => routes(step, path, next);
    if (step.approve !== undefined) return approval(step, path, next, alone, { ...common, ...extension });
    if (step.if !== undefined) {
      const { else: no } = step;
      return add('if-condition', place, {
        ...common,
        condition: expression(step.if, `if_${step.id}`),
        on_true: branch(step.then ?? [], `${path}/then`),
        ...(no === undefined ? {} : { on_false: branch(no, `${path}/else`) }),
        ...routed(),
        ...extension,
      });
    }
    if (step.switch !== undefined) return choice(step, path, { ...common, ...routed(), ...extension });
    if (step.parallel !== undefined) {
      const { branches } = step.parallel;
      const next_steps = branches.map((one, index) => branch(one, `${path}/branches/${index}`));
      // Section 4.7: at least two.
      if (branches.length === 1) next_steps.push(end(places.spare(path)));
      return add('parallel', place, { ...common, next_steps, ...routed(), ...extension });
    }
    if (step.while !== undefined || step.forEach !== undefined) {
      const body = step.while?.do ?? step.forEach?.do ?? [];
      if (step.while === undefined)
        declare(variableOf(`each_${step.id}`), {
          type: 'bool',
          description: `Whether items of ${step.id} are left`,
        });
      const condition =
        step.while === undefined
          ? isTrue(`each_${step.id}`)
          : expression(step.while.when, `while_${step.id}`);
      const on_true = branch(body, `${path}/do`);
      return add('while-condition', place, { ...common, condition, on_true, ...routed(), ...extension });
    }
    if (step.playbook !== undefined)
      return add('playbook-action', place, {
        ...common,
        playbook_id: id('playbook', places.playbook(step.playbook.id)),
        ...routed(),
        ...extension,
      });
    return acts(step, path, { ...common, ...routed(), ...extension });
  }

  function acts(step: PlaybookStep, path: string, rest: Partial<CacaoStep>): string {
    const { commands, agent, out_args } = commandsOf(step, use);
    for (const name of out_args ?? [])
      declare(name, { type: 'bool', description: `Whether ${step.id} was approved` });
    return add('action', places.step(path), {
      ...rest,
      commands,
      agent: agentId(agent),
      ...(out_args === undefined ? {} : { out_args }),
    });
  }

  function agentId({ type, name }: { readonly type: string; readonly name: string }): string {
    const own = id(type, places.agent(`${type}:${name}`));
    const host =
      type === 'http-api'
        ? declare(variableOf(`host_${name}`), {
            type: 'string',
            description: `Host of the connection ${name}`,
            external: true,
          })
        : null;
    agents[own] ??= { type, name, ...(host === null ? {} : { address: { dname: [`${host}:value`] } }) };
    return own;
  }

  /** An action for people, and a condition on what they said: without onReject the rest of the list is its branch. */
  function approval(
    step: PlaybookStep,
    path: string,
    next: string,
    alone: boolean,
    rest: Partial<CacaoStep>,
  ): string {
    const { onReject = 'fail' } = step;
    const stops = onReject === 'fail' && alone;
    const on_true = stops ? next : end(places.approved(path));
    const run = typeof onReject === 'object' && 'run' in onReject ? onReject.run : [];
    const gate = add('if-condition', places.gate(path), {
      name: `Decision of ${step.id}`,
      condition: `${approvedVariable(step.id)}:value = 'true'`,
      on_true,
      on_false: branch(run, places.rejected(path)),
      on_completion: stops ? end(places.end(places.gate(path))) : next,
      step_extensions: { [extensionId]: { step_id: step.id, step_part: 'gate' } },
    });
    return acts(step, path, { ...rest, ...routes(step, path, gate) });
  }

  function choice(step: PlaybookStep, path: string, rest: Partial<CacaoStep>): string {
    const { cases = [], default: otherwise } = step.switch ?? {};
    const simple = simpleSwitch(cases.map(({ when }) => when));
    const branches = cases.map((one, index) => [
      simple?.values[index] ?? `case-${index}`,
      branch(one.do, `${path}/cases/${index}`),
    ]);
    const other = otherwise === undefined ? [] : [['default', branch(otherwise, `${path}/default`)]];
    const name =
      simple === null
        ? declare(variableOf(`switch_${step.id}`), {
            type: 'string',
            description: `case-0, case-1 and so on: the first case of ${step.id} that holds`,
          })
        : use(simple.path);
    return add('switch-condition', places.step(path), {
      switch: `${name}:value`,
      cases: Object.fromEntries([...branches, ...other]),
      ...rest,
    });
  }

  /** Where a step goes on; on_failure only for what CACAO can say of onError. */
  function routes({ onError }: PlaybookStep, path: string, next: string): Partial<CacaoStep> {
    if (typeof onError !== 'object') return { on_completion: next };
    if ('run' in onError) return { on_success: next, on_failure: list(onError.run, `${path}/onError`, next) };
    const aim = entries.get(onError.goto);
    // A goto back would be a loop, which CACAO has other steps for: only the extension has it.
    return aim === undefined ? { on_completion: next } : { on_success: next, on_failure: aim };
  }

  return { steps, variables, paths, agents, list, end };
}

/** The path and the values when every case asks one path for one text that may be a key (section 10.5). */
export function simpleSwitch(
  cases: readonly Readonly<Record<string, unknown>>[],
): { readonly path: string; readonly values: readonly string[] } | null {
  const paths = new Set(cases.flatMap((when) => Object.keys(when)));
  const values = cases.map((when) => Object.values(when));
  const [path] = paths;
  if (path === undefined || paths.size > 1 || !isPath(path)) return null;
  const texts = values.flatMap((all) =>
    all.length === 1 && typeof all[0] === 'string' && /^[A-Za-z0-9_-]{1,250}$/.test(all[0]) ? [all[0]] : [],
  );
  const distinct = new Set(texts);
  return texts.length === cases.length && distinct.size === texts.length && !distinct.has('default')
    ? { path, values: texts }
    : null;
}
