// Walks the workflow of a CACAO playbook along its identifiers and writes it out as lists of steps.
//
// Invariant: every step is visited along every way that leads to it, a branch that two steps share is written out twice, and no way is
// followed in a circle. Surprise: the rest of a list behind an approval is, in CACAO, a branch of the condition on the decision; here it is
// the rest of the list again.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookStep, StepCondition } from '@tocsin/schemas/types.ts';
import { isMap, pointer } from '../../rules/import/imported.ts';
import { playbookLimits } from '../limits.ts';
import { approvedVariable, commandsOf } from './commands.ts';
import { expressionOf, fromExpression, isTrue, typed } from './conditions.ts';
import { type CacaoPlaybook, type CacaoStep, identifier, uuidOf } from './document.ts';
import { simpleSwitch } from './export-cacao.ts';
import { foreignCommand, slugOf } from './foreign.ts';
import { toTemplate, variableIn, variableOf } from './names.ts';
import { below, places } from './places.ts';
import { commonOf, idsOf, type OwnStep, ownStep, type Parts, partOf, policyOf, rebuild } from './restore.ts';
import type { Variables } from './variables.ts';

export interface Walked {
  readonly steps: PlaybookStep[];
  /** UUIDs by place. */
  readonly ids: Record<string, string>;
  /** Identifiers in the workflow by step of ours. */
  readonly origins: ReadonlyMap<unknown, string>;
  readonly issues: readonly Issue[];
}

/** A list of steps in the making. */
interface List {
  readonly path: string;
  readonly steps: PlaybookStep[];
  /** Where it also ends: what follows the step that it belongs to. */
  readonly stops: ReadonlySet<string>;
  /** On the way to here. */
  readonly seen: Set<string>;
  /** The condition of `when` around its only step. */
  readonly wrapper?: CacaoStep;
}

type Ending = 'end' | 'stop';

export function walkWorkflow(
  cacao: CacaoPlaybook,
  variables: Variables,
  tell: (message: string) => void,
): Walked {
  const { workflow } = cacao;
  const ids: Record<string, string> = {};
  const origins = new Map<unknown, string>();
  const issues: Issue[] = [];
  const taken = new Set<string>();
  const reserved = new Set(Object.values(workflow).flatMap(idsOf));
  /** Ids of ours by identifier of the step that begins them. */
  const firsts = new Map<string, string>();
  const gotos: { step: PlaybookStep; at: string; aim: string; max: number | undefined }[] = [];
  /** Paths of variables that a decision sets. */
  const decided = new Map<string, string>();
  const reached = new Set<string>();
  let count = 0;

  const known = {
    path: (name: string): string | undefined => decided.get(name) ?? variables.path(name),
    type: variables.type,
  };

  function warner(at: string): (message: string) => void {
    return (message) => tell(`${pointer('workflow', at)}: ${message}`);
  }

  function record(place: string, id: string): void {
    ids[place] ??= uuidOf(id);
    reached.add(id);
  }

  function fresh(wanted: string, force = false): string {
    const base = /^[A-Za-z]/.test(wanted) ? wanted : `s-${wanted}`;
    let id = base;
    for (let n = 2; taken.has(id) || (!force && reserved.has(id)); n++) id = `${base.slice(0, 56)}-${n}`;
    taken.add(id);
    return id;
  }

  /** The id of a step of ours, again if it is not its first copy. */
  function ownId(id: string): string {
    return taken.has(id) ? fresh(id) : fresh(id, true);
  }

  function walk(list: List, first: string, endPlace: string): Ending {
    let at: string | null = first;
    while (at !== null) {
      const step: CacaoStep = workflow[at] as CacaoStep;
      if (list.stops.has(at)) return 'stop';
      if (step.type === 'end') {
        record(endPlace, at);
        return 'end';
      }
      if (list.seen.has(at)) {
        issues.push({
          path: pointer('workflow', at),
          message: 'is led back to; loops are while-condition steps',
        });
        return 'end';
      }
      count += 1;
      if (count > 5 * playbookLimits.steps) {
        if (count === 5 * playbookLimits.steps + 1)
          issues.push({
            path: '/workflow',
            message: 'has too many steps once shared branches are written out',
          });
        return 'end';
      }
      list.seen.add(at);
      reached.add(at);
      const from: string = at;
      at = one(list, at, step, endPlace);
      if (at === null && step.on_completion === undefined && step.on_success === undefined)
        warner(from)('nothing follows it, not even an end');
    }
    return 'end';
  }

  /** A branch: a list of its own that ends at the end, or where its step goes on. */
  function branch(
    list: List,
    first: string,
    path: string,
    next: string | undefined,
    endPlace = places.end(path),
  ): PlaybookStep[] {
    return branched(list, first, path, next, endPlace).steps;
  }

  function branched(
    list: List,
    first: string,
    path: string,
    next: string | undefined,
    endPlace: string,
  ): { steps: PlaybookStep[]; ending: Ending } {
    const stops = next === undefined ? list.stops : new Set([...list.stops, next]);
    const inner: List = { path, steps: [], stops, seen: new Set(list.seen) };
    const ending = walk(inner, first, endPlace);
    return { steps: inner.steps, ending };
  }

  /** Adds what a step of the workflow is to the list; answers what follows, null when the list is over. */
  function one(list: List, at: string, step: CacaoStep, endPlace: string): string | null {
    const next = step.on_completion ?? step.on_success;
    if (step.type === 'start') {
      record(places.start, at);
      return next ?? null;
    }
    const part = partOf(step);
    if (part?.part === 'when' && wrapped(list, at, step, part.id, next)) return next ?? null;
    const own = ownStep(step);
    if (own === null && step.step_extensions !== undefined && part === null && idsOf(step).length > 0)
      warner(at)('its extension fits no step and is left out');
    const before = list.steps.length;
    const made = step.type === 'action' ? acts(list, at, step, own) : [container(list, at, step, own, next)];
    const [head] = made;
    for (const each of made) origins.set(each, at);
    list.steps.push(...made);
    if (head === undefined) return next ?? null;
    firsts.set(at, head.id);
    const last = list.steps.at(-1) as PlaybookStep;
    route(list, at, step, next, own, last);
    const gate = next === undefined ? undefined : workflow[next];
    const belongs = gate === undefined ? null : partOf(gate);
    if (
      belongs?.part === 'gate' &&
      belongs.id === own?.id &&
      last.approve !== undefined &&
      list.steps.length === before + 1
    )
      return decision(list, next as string, gate as CacaoStep, last, own, endPlace);
    return next ?? null;
  }

  // --- actions

  function acts(list: List, at: string, step: CacaoStep, own: OwnStep | null): PlaybookStep[] {
    const warn = warner(at);
    const said = {
      ...step,
      ...(list.wrapper === undefined ? {} : { delay: list.wrapper.delay }),
    } as CacaoStep;
    const agent = cacao.agent_definitions?.[step.agent ?? ''];
    if (own !== null) {
      const same = { id: own.id, ...rebuild(own, {}) } as PlaybookStep;
      const expected = commandsOf(same, variableOf);
      const unchanged =
        JSON.stringify(expected.commands) === JSON.stringify(step.commands) &&
        agent?.type === expected.agent.type &&
        agent.name === expected.agent.name;
      if (unchanged) {
        const { name: _, description: __, delay: ___, deadline: ____, when, ...rest } = rebuild(own, {});
        const id = place(list, at, own.id);
        record(places.agent(`${agent.type}:${agent.name}`), step.agent ?? '');
        if (when !== undefined && list.wrapper === undefined) warn('the condition around it is gone');
        return [{ id, ...commonOf(own.id, own.members, said, warn), ...rest }];
      }
      warn('its commands were changed: they count, its extension does not');
    }
    const name = step.name ?? step.description ?? 'step';
    const template = (text: string): string => toTemplate(text, known.path);
    const made = (step.commands ?? []).map((command, index): PlaybookStep => {
      const id = index === 0 ? place(list, at, fallbackId(step, at)) : fresh(fallbackId(step, at));
      const what = foreignCommand(command, name, { agent, template, warn });
      const { delay, ...common } = commonOf(id, null, said, warn);
      const decides =
        what.approve !== undefined && index + 1 === step.commands?.length ? outcome(step, id, warn) : {};
      return { id, ...common, ...(index === 0 && delay !== undefined ? { delay } : {}), ...what, ...decides };
    });
    if (step.targets !== undefined) warn('its targets are not imported');
    return made;
  }

  /** A manual command that answers yes or no: the variable is whether it was approved. */
  function outcome(step: CacaoStep, id: string, warn: (message: string) => void): Partial<PlaybookStep> {
    const [name, ...more] = step.out_args ?? [];
    if (name === undefined) return {};
    if (more.length > 0 || known.type(name) !== 'bool') {
      warn('its out_args are not imported');
      return {};
    }
    decided.set(name, `steps.${id}.outputs.approved`);
    return { onReject: 'continue' };
  }

  /** The id of a step of this list, its identifier recorded. */
  function place(list: List, at: string, wanted: string): string {
    const id = reserved.has(wanted) ? ownId(wanted) : fresh(wanted);
    record(places.step(below(list.path, id)), at);
    return id;
  }

  function fallbackId(step: CacaoStep, at: string): string {
    return slugOf(step.name ?? '', `${step.type}-${uuidOf(at).slice(0, 8)}`);
  }

  // --- conditions, loops, branches, playbooks

  function container(
    list: List,
    at: string,
    step: CacaoStep,
    own: OwnStep | null,
    next: string | undefined,
  ): PlaybookStep {
    const warn = warner(at);
    const id = place(list, at, own?.id ?? fallbackId(step, at));
    const path = below(list.path, id);
    const said = {
      ...step,
      ...(list.wrapper === undefined ? {} : { delay: list.wrapper.delay }),
    } as CacaoStep;
    const inside = (first: string | undefined, part: string): PlaybookStep[] =>
      first === undefined ? [] : branch(list, first, `${path}/${part}`, next);
    const common = commonOf(own?.id ?? id, own?.members ?? null, said, warn);
    if (own?.members['when'] !== undefined && list.wrapper === undefined)
      warn('the condition around it is gone');
    const finish = (parts: Parts, changes: object): PlaybookStep => {
      const {
        name: _,
        description: __,
        delay: ___,
        deadline: ____,
        when: _____,
        ...rest
      } = own === null ? ({} as Partial<PlaybookStep>) : rebuild(own, parts);
      return { id, ...common, ...rest, ...changes } as PlaybookStep;
    };
    if (step.type === 'if-condition') {
      const then = inside(step.on_true, 'then');
      const otherwise = step.on_false === undefined ? undefined : inside(step.on_false, 'else');
      const changed = conditionOf(step, own, `if_${own?.id ?? id}`, own?.members['if'], warn);
      if (own !== null)
        return finish(
          { then, else: otherwise },
          changed === null ? {} : { ...fail(changed), if: changed.when },
        );
      return finish(
        {},
        {
          ...fail(changed),
          if: changed?.when ?? {},
          then,
          ...(otherwise === undefined ? {} : { else: otherwise }),
        },
      );
    }
    if (step.type === 'while-condition') {
      const body = inside(step.on_true, 'do');
      const loop = own?.members['while'];
      const condition = isMap(loop) ? loop['when'] : undefined;
      const each = own?.kind === 'forEach' && step.condition === isTrue(`each_${own.id}`);
      const changed = each ? null : conditionOf(step, own, `while_${own?.id ?? id}`, condition, warn);
      if (own !== null && changed === null) return finish({ do: body }, {});
      const max = isMap(loop) && typeof loop['max'] === 'number' ? loop['max'] : 100;
      if (!isMap(loop)) warn('it runs at most 100 rounds');
      const { forEach: _, ...rest } = finish(
        { do: body },
        { ...fail(changed), while: { when: changed?.when ?? {}, max, do: body } },
      );
      return rest;
    }
    if (step.type === 'parallel') {
      const all = [...(step.next_steps ?? [])];
      const parallel = own?.members['parallel'];
      const spare = all[1];
      if (
        isMap(parallel) &&
        parallel['branches'] === 1 &&
        all.length === 2 &&
        workflow[spare ?? '']?.type === 'end'
      ) {
        record(places.spare(path), spare as string);
        all.pop();
      }
      const branches = all.map((first, index) => inside(first, `branches/${index}`));
      return finish({ branches }, own === null ? { parallel: { branches } } : {});
    }
    if (step.type === 'switch-condition') {
      const { cases, otherwise } = casesOf(step, own, id, warn, inside);
      const choice = { cases, ...(otherwise === undefined ? {} : { default: otherwise }) };
      return finish({ cases, default: otherwise }, own === null ? { switch: choice } : {});
    }
    return finish({}, called(step, own, warn));
  }

  function called(
    step: CacaoStep,
    own: OwnStep | null,
    warn: (message: string) => void,
  ): Partial<PlaybookStep> {
    const named = step.playbook_id ?? '';
    const playbook = own?.members['playbook'];
    if (isMap(playbook)) {
      if (identifier.test(named)) record(places.playbook(String(playbook['id'])), named);
      return {};
    }
    const id = /^[a-z0-9][a-z0-9._-]{0,127}$/.test(named.toLowerCase())
      ? named.toLowerCase()
      : slugOf(named, 'playbook');
    warn(`it runs the playbook ${id}, which has to exist under this id`);
    if (step.out_args !== undefined) warn('its out_args are not imported');
    const params = (step.in_args ?? []).flatMap((name) => {
      const path = known.path(name);
      return path === undefined ? [] : [[path.slice(path.lastIndexOf('.') + 1), { $: path }] as const];
    });
    return { playbook: { id, ...(params.length === 0 ? {} : { params: Object.fromEntries(params) }) } };
  }

  interface Condition {
    readonly when: StepCondition;
    /** Nobody here can tell: the step fails. */
    readonly blind: boolean;
  }

  /** null: as in the extension. */
  function conditionOf(
    step: CacaoStep,
    own: OwnStep | null,
    fallback: string,
    ours: unknown,
    warn: (message: string) => void,
  ): Condition | null {
    const text = step.condition ?? '';
    if (own !== null && isMap(ours) && expressionOf(ours, fallback, variableOf).text === text) return null;
    const read = fromExpression(text, known);
    if (read !== null) return { when: read, blind: false };
    const name = `cacao_${fallback.replace(/[^A-Za-z0-9_]/g, '_')}`;
    warn(`its condition cannot be told here: it fails unless vars.${name} is set`);
    return { when: { [`vars.${name}`]: true }, blind: true };
  }

  function fail(condition: Condition | null): Partial<PlaybookStep> {
    return condition?.blind === true ? { onUnknown: 'fail' } : {};
  }

  function casesOf(
    step: CacaoStep,
    own: OwnStep | null,
    id: string,
    warn: (message: string) => void,
    inside: (first: string, part: string) => PlaybookStep[],
  ): { cases: { when: StepCondition; do: PlaybookStep[] }[]; otherwise: PlaybookStep[] | undefined } {
    const entries = new Map(Object.entries(step.cases ?? {}));
    const before = own?.members['switch'];
    const whens = (Array.isArray(before) ? before : []).filter(isMap);
    const simple = simpleSwitch(whens);
    const expected = simple === null ? variableOf(`switch_${own?.id ?? id}`) : variableOf(simple.path);
    const same = own !== null && step.switch === `${expected}:value`;
    const variable = variableIn(step.switch ?? '');
    const path = variable === null ? undefined : known.path(variable);
    const keys = same ? whens.map((_, index) => simple?.values[index] ?? `case-${index}`) : [];
    const order = [
      ...keys.filter((key) => entries.has(key)),
      ...[...entries.keys()].filter((key) => !keys.includes(key) && key !== 'default'),
    ];
    const cases = order.map((key, index) => ({
      when: whenOf(key, index),
      do: inside(entries.get(key) as string, `cases/${index}`),
    }));
    function whenOf(key: string, index: number): StepCondition {
      const ours = whens[keys.indexOf(key)];
      if (keys.includes(key) && ours !== undefined) return ours;
      if (path !== undefined) {
        const value = typed(key, known.type(variable ?? ''));
        return { [path]: typeof value === 'string' ? { cased: value } : value };
      }
      const name = `cacao_switch_${id.replace(/[^A-Za-z0-9_]/g, '_')}_${index}`;
      warn(`its case ${JSON.stringify(key)} cannot be told here: it holds when vars.${name} is set`);
      return { [`vars.${name}`]: true };
    }
    const other = entries.get('default');
    return { cases, otherwise: other === undefined ? undefined : inside(other, 'default') };
  }

  // --- what belongs to another step

  /** The condition that `when` became. False: it is one of its own by now. */
  function wrapped(list: List, at: string, step: CacaoStep, id: string, next: string | undefined): boolean {
    const first = step.on_true ?? '';
    const inner = workflow[first];
    const own = inner === undefined ? null : ownStep(inner);
    if (own?.id !== id || own.members['when'] === undefined || step.on_false !== undefined) return false;
    const path = below(list.path, id);
    const stops = next === undefined ? list.stops : new Set([...list.stops, next]);
    const inside: List = { path: list.path, steps: [], stops, seen: new Set(list.seen), wrapper: step };
    walk(inside, first, places.end(places.when(path)));
    record(places.when(path), at);
    const [only, ...more] = inside.steps;
    const changed = conditionOf(step, own, `when_${id}`, own.members['when'], warner(at));
    const when = changed?.when ?? (own.members['when'] as StepCondition);
    if (only !== undefined && more.length === 0) {
      Object.assign(only, { when }, changed?.blind === true ? { onUnknown: 'fail' } : {});
      list.steps.push(only);
      firsts.set(at, only.id);
      return true;
    }
    warner(at)('it is no longer around one step');
    const around: PlaybookStep = { id: fresh(`${id}-when`), if: when, ...fail(changed), then: inside.steps };
    list.steps.push(around);
    origins.set(around, at);
    firsts.set(at, around.id);
    return true;
  }

  /** The condition behind an approval: the rest of the list is its branch, or what onReject runs. */
  function decision(
    list: List,
    at: string,
    gate: CacaoStep,
    step: PlaybookStep,
    own: OwnStep,
    endPlace: string,
  ): string | null {
    const path = below(list.path, step.id);
    const { onReject } = own.members;
    record(places.gate(path), at);
    list.seen.add(at);
    const after = gate.on_completion;
    const same = gate.condition === `${approvedVariable(own.id)}:value = 'true'`;
    const no = gate.on_false === undefined ? [] : branch(list, gate.on_false, places.rejected(path), after);
    const stops = (onReject === undefined || onReject === 'fail') && list.wrapper === undefined;
    if (stops && same && no.length === 0 && workflow[after ?? '']?.type === 'end') {
      record(places.end(places.gate(path)), after as string);
      if (onReject !== undefined) step.onReject = 'fail';
      walk(list, gate.on_true ?? '', endPlace);
      return null;
    }
    const yes = branch(list, gate.on_true ?? '', `${path}?then`, after, places.approved(path));
    const runs = isMap(onReject) && 'run' in onReject;
    if (!stops && same && yes.length === 0 && (runs || no.length === 0)) {
      const policy = policyOf(onReject, no);
      if (policy !== undefined) step.onReject = policy;
      return after ?? null;
    }
    warner(at)('the condition on the decision was changed: it is a step of its own');
    step.onReject = 'continue';
    const around: PlaybookStep = {
      id: fresh(`${step.id}-decision`),
      if: { [`steps.${step.id}.outputs.approved`]: true },
      then: yes,
      ...(no.length === 0 ? {} : { else: no }),
    };
    list.steps.push(around);
    origins.set(around, at);
    return after ?? null;
  }

  /** onError from on_failure. */
  function route(
    list: List,
    at: string,
    step: CacaoStep,
    next: string | undefined,
    own: OwnStep | null,
    made: PlaybookStep,
  ): void {
    const given = own?.members['onError'];
    const aim = step.on_failure;
    const warn = warner(at);
    if (aim === undefined) {
      if (isMap(given) && 'run' in given) warn('what it ran on failure is gone');
      else if (given !== undefined) made.onError = given as NonNullable<PlaybookStep['onError']>;
      return;
    }
    const goto = isMap(given) && typeof given['goto'] === 'string' ? given : null;
    const chain = goto === null ? chainOf(next) : new Set([aim]);
    const runs = isMap(given) && 'run' in given;
    if (aim === next && !runs) made.onError = 'continue';
    else if (chain.has(aim) && workflow[aim]?.type !== 'end')
      gotos.push({ step: made, at, aim, max: typeof goto?.['max'] === 'number' ? goto['max'] : undefined });
    else {
      const path = below(list.path, made.id);
      const { steps, ending } = branched(list, aim, `${path}/onError`, next, `${path}/onError?end`);
      if (ending === 'stop' || runs) made.onError = { run: steps };
      else if (steps.length > 0) {
        warn('what it runs on failure does not come back: the run fails behind it');
        made.onError = { run: [...steps, { id: fresh(`${made.id}-failed`), end: { status: 'failed' } }] };
      }
    }
  }

  /** Everything that follows along the main way. */
  function chainOf(first: string | undefined): Set<string> {
    const chain = new Set<string>();
    for (let at = first; at !== undefined && !chain.has(at); ) {
      chain.add(at);
      const step = workflow[at];
      at = step?.on_completion ?? step?.on_success;
    }
    return chain;
  }

  const steps: PlaybookStep[] = [];
  walk({ path: '', steps, stops: new Set(), seen: new Set() }, cacao.workflow_start, places.end(''));
  for (const { step, at, aim, max } of gotos) {
    const goto = firsts.get(aim);
    if (goto === undefined) warner(at)('where it goes on failure is not imported');
    else step.onError = { goto, ...(max === undefined ? {} : { max }) };
  }
  const lost = Object.keys(workflow).filter((id) => !reached.has(id));
  if (lost.length > 0)
    tell(`/workflow: ${lost.length} steps are not reached and not imported: ${lost.slice(0, 5).join(', ')}`);
  return { steps, ids, origins, issues };
}
