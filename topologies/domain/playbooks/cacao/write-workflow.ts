// Steps of a playbook as a CACAO workflow: chains of on_completion, every branch with an end of its own.
//
// Surprise: a list is written from its end, because a step names what follows it.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { approvedVariable, commandsOf } from './commands.ts';
import { expressionOf, isTrue } from './conditions.ts';
import { type Agent, type CacaoStep, extensionId, type StepType, type Variable } from './document.ts';
import { membersOf } from './members.ts';
import { isPath, variableOf } from './names.ts';
import { below, places } from './places.ts';
import { standardOf } from './standard.ts';

export interface Writer {
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

/** What the rest of the list cannot be a branch of a decision in: it goes on outside. */
type Around = 'nothing' | 'when' | 'onError';

/** `id` gives the identifier of a place, the same at every call. */
export function createWriter(id: (type: string, place: string) => string): Writer {
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
  function branch(all: readonly PlaybookStep[], path: string): string {
    return list(all, path, end(places.end(path)));
  }

  function list(
    all: readonly PlaybookStep[],
    path: string,
    next: string,
    around: Around = 'nothing',
  ): string {
    // Later steps first: each needs to know where it goes on. Gotos forward find their aim, those back take its place.
    let at = next;
    for (const step of all.toReversed()) at = write(step, below(path, step.id), at, around);
    return at;
  }

  function write(step: PlaybookStep, path: string, next: string, around: Around): string {
    if (step.when === undefined) return remember(step, core(step, path, next, around));
    const { delay } = standardOf(step);
    const inside = core(step, path, end(places.end(places.when(path))), 'when');
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

  /** The step itself. */
  function core(step: PlaybookStep, path: string, next: string, around: Around): string {
    const standard = standardOf(step);
    const common = {
      name: standard.name,
      ...(standard.description === undefined ? {} : { description: standard.description }),
      ...(standard.delay === undefined || around === 'when' ? {} : { delay: standard.delay }),
      ...(standard.timeout === undefined ? {} : { timeout: standard.timeout }),
    };
    const extension = { step_extensions: { [extensionId]: membersOf(step) } };
    const place = places.step(path);
    const routed = (): Partial<CacaoStep> => routes(step, path, next);
    if (step.approve !== undefined) return approval(step, path, next, around, { ...common, ...extension });
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
    around: Around,
    rest: Partial<CacaoStep>,
  ): string {
    const { onReject = 'fail' } = step;
    const stops = onReject === 'fail' && around === 'nothing';
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
    if ('run' in onError)
      return { on_success: next, on_failure: list(onError.run, `${path}/onError`, next, 'onError') };
    const aim = entries.get(onError.goto);
    // A goto back would be a loop, which CACAO has other steps for: only the extension has it.
    return aim === undefined ? { on_completion: next } : { on_success: next, on_failure: aim };
  }

  return { steps, variables, paths, agents, list, end };
}

/** The path and the values when every case asks one path for one text that may be a key (section 10). */
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
