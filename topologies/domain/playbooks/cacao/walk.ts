// Walks the workflow of a CACAO playbook along its identifiers and writes it out as lists of steps.
//
// Invariant: every step is visited along every way that leads to it, a branch that two steps share is written out twice, and no way is
// followed in a circle. Surprise: the rest of a list behind an approval is, in CACAO, a branch of the condition on the decision; here it is
// the rest of the list again.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookStep, StepCondition } from '@tocsin/schemas/types.ts';
import { isMap, pointer } from '../../rules/import/imported.ts';
import { playbookLimits } from '../limits.ts';
import { approvedVariable } from './commands.ts';
import type { CacaoPlaybook, CacaoStep } from './document.ts';
import { below, places } from './places.ts';
import { idsOf, type OwnStep, ownStep, partOf, policyOf } from './restore.ts';
import type { Variables } from './variables.ts';
import { actionSteps } from './walk-actions.ts';
import { conditionOf, failsBlind } from './walk-conditions.ts';
import { containerStep } from './walk-containers.ts';
import { createWalk, type List, type Warn } from './walk-state.ts';

export interface Walked {
  readonly steps: PlaybookStep[];
  /** UUIDs by place. */
  readonly ids: Record<string, string>;
  /** Identifiers in the workflow by step of ours. */
  readonly origins: ReadonlyMap<unknown, string>;
  readonly issues: readonly Issue[];
}

type Ending = 'end' | 'stop';

export function walkWorkflow(cacao: CacaoPlaybook, variables: Variables, tell: Warn): Walked {
  const state = createWalk(cacao, variables, tell);
  const { workflow, ids, origins, issues, firsts, reached, warner, record, fresh } = state;
  const gotos: { step: PlaybookStep; at: string; aim: string; max: number | undefined }[] = [];
  let count = 0;

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
    joins = false,
  ): { steps: PlaybookStep[]; ending: Ending } {
    const stops = next === undefined ? list.stops : new Set([...list.stops, next]);
    const inner: List = { path, steps: [], stops, seen: new Set(list.seen), joins };
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
    const made =
      step.type === 'action'
        ? actionSteps(state, list, at, step, own)
        : [containerStep(state, list, at, own, (first, path) => branch(list, first, path, next))];
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
    const changed = conditionOf(state, {
      step,
      fallback: `when_${id}`,
      ours: own.members['when'],
      warn: warner(at),
    });
    const when = changed?.when ?? (own.members['when'] as StepCondition);
    if (only !== undefined && more.length === 0) {
      Object.assign(only, { when }, changed?.blind === true ? { onUnknown: 'fail' } : {});
      list.steps.push(only);
      firsts.set(at, only.id);
      return true;
    }
    warner(at)('it is no longer around one step');
    const around: PlaybookStep = {
      id: fresh(`${id}-when`),
      if: when,
      ...failsBlind(changed),
      then: inside.steps,
    };
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
    const stops =
      (onReject === undefined || onReject === 'fail') && list.wrapper === undefined && list.joins !== true;
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
    if (aim === next) made.onError = runs ? { run: [] } : 'continue';
    else if (chain.has(aim) && workflow[aim]?.type !== 'end')
      gotos.push({ step: made, at, aim, max: typeof goto?.['max'] === 'number' ? goto['max'] : undefined });
    else {
      const path = below(list.path, made.id);
      const { steps, ending } = branched(list, aim, `${path}/onError`, next, `${path}/onError?end`, true);
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
