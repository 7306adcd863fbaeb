// Conditions, loops, branches and calls of playbooks in a workflow as steps of ours.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { isMap } from '../../rules/import/imported.ts';
import { isTrue } from './conditions.ts';
import { type CacaoStep, identifier } from './document.ts';
import { slugOf } from './foreign.ts';
import { below, places } from './places.ts';
import { commonOf, type OwnStep, type Parts, rebuild } from './restore.ts';
import { type Asked, casesOf, conditionOf, failsBlind } from './walk-conditions.ts';
import { idFor, type List, saidOf, type Walk, type Warn } from './walk-state.ts';

/** Rounds of a loop whose producer names no bound. */
const foreignRounds = 100;

/** A step of the workflow on its way to one of ours. */
interface Site {
  readonly walk: Walk;
  readonly step: CacaoStep;
  readonly own: OwnStep | null;
  readonly id: string;
  readonly path: string;
  readonly warn: Warn;
  /** The steps of one of its lists, named as in the playbook: then, do, branches/0. */
  inside(first: string | undefined, part: string): PlaybookStep[];
  /** The step: what the extension says with these lists, then the changes. */
  finish(parts: Parts, changes?: object): PlaybookStep;
}

/** `branch` reads the list that begins at `first` under `path`. */
export function containerStep(
  walk: Walk,
  list: List,
  at: string,
  own: OwnStep | null,
  branch: (first: string, path: string) => PlaybookStep[],
): PlaybookStep {
  const step = walk.workflow[at] as CacaoStep;
  const warn = walk.warner(at);
  const id = walk.place(list, at, own?.id ?? idFor(step, at));
  const path = below(list.path, id);
  const common = commonOf(own?.id ?? id, own?.members ?? null, saidOf(list, step), warn);
  if (own?.members['when'] !== undefined && list.wrapper === undefined)
    warn('the condition around it is gone');
  const site: Site = {
    walk,
    step,
    own,
    id,
    path,
    warn,
    inside: (first, part) => (first === undefined ? [] : branch(first, `${path}/${part}`)),
    finish(parts, changes = {}) {
      const plain = own === null ? {} : rebuild(own, parts);
      const {
        name: _,
        description: __,
        delay: ___,
        deadline: ____,
        when: _____,
        ...rest
      } = plain as PlaybookStep;
      return { ...rest, id, ...common, ...changes };
    },
  };
  switch (step.type) {
    case 'if-condition':
      return choice(site);
    case 'while-condition':
      return loop(site);
    case 'parallel':
      return branches(site);
    case 'switch-condition':
      return cases(site);
    default:
      return site.finish({}, called(site));
  }
}

function asked({ step, own, id, warn }: Site, kind: string, ours: unknown): Asked {
  return { step, fallback: `${kind}_${own?.id ?? id}`, ours, warn };
}

function choice(site: Site): PlaybookStep {
  const { walk, step, own, inside, finish } = site;
  const then = inside(step.on_true, 'then');
  const otherwise = step.on_false === undefined ? undefined : inside(step.on_false, 'else');
  const changed = conditionOf(walk, asked(site, 'if', own?.members['if']));
  const asks = changed === null ? {} : { ...failsBlind(changed), if: changed.when };
  if (own !== null) return finish({ then, else: otherwise }, asks);
  return finish({}, { ...asks, then, ...(otherwise === undefined ? {} : { else: otherwise }) });
}

function loop(site: Site): PlaybookStep {
  const { walk, step, own, warn, inside, finish } = site;
  const body = inside(step.on_true, 'do');
  const before = own?.members['while'];
  const each = own?.kind === 'forEach' && step.condition === isTrue(`each_${own.id}`);
  const condition = isMap(before) ? before['when'] : undefined;
  const changed = each ? null : conditionOf(walk, asked(site, 'while', condition));
  if (changed === null) return finish({ do: body });
  const known = isMap(before) && typeof before['max'] === 'number' ? before['max'] : undefined;
  if (known === undefined) warn(`it runs at most ${foreignRounds} rounds`);
  const max = known ?? foreignRounds;
  const { forEach: _, ...rest } = finish(
    { do: body },
    { ...failsBlind(changed), while: { when: changed.when, max, do: body } },
  );
  return rest;
}

function branches({ walk, step, own, path, inside, finish }: Site): PlaybookStep {
  const firsts = [...(step.next_steps ?? [])];
  const before = own?.members['parallel'];
  const [, spare = ''] = firsts;
  if (
    isMap(before) &&
    before['branches'] === 1 &&
    firsts.length === 2 &&
    walk.workflow[spare]?.type === 'end'
  ) {
    walk.record(places.spare(path), spare);
    firsts.pop();
  }
  const lists = firsts.map((first, index) => inside(first, `branches/${index}`));
  return finish({ branches: lists }, own === null ? { parallel: { branches: lists } } : {});
}

function cases({ walk, step, own, id, inside, finish }: Site): PlaybookStep {
  const list = casesOf(walk, step, own, id).map(({ when, first }, index) => ({
    when,
    do: inside(first, `cases/${index}`),
  }));
  const other = step.cases?.['default'];
  const otherwise = other === undefined ? undefined : inside(other, 'default');
  const made = { cases: list, ...(otherwise === undefined ? {} : { default: otherwise }) };
  return finish(made, own === null ? { switch: made } : {});
}

function called({ walk, step, own, warn }: Site): Partial<PlaybookStep> {
  const named = step.playbook_id ?? '';
  const before = own?.members['playbook'];
  if (isMap(before)) {
    if (identifier.test(named)) walk.record(places.playbook(String(before['id'])), named);
    return {};
  }
  const lower = named.toLowerCase();
  const id = /^[a-z0-9][a-z0-9._-]{0,127}$/.test(lower) ? lower : slugOf(named, 'playbook');
  warn(`it runs the playbook ${id}, which has to exist under this id`);
  if (step.out_args !== undefined) warn('its out_args are not imported');
  const params = (step.in_args ?? []).flatMap((name) => {
    const path = walk.known.path(name);
    return path === undefined ? [] : [[path.slice(path.lastIndexOf('.') + 1), { $: path }] as const];
  });
  return { playbook: { id, ...(params.length === 0 ? {} : { params: Object.fromEntries(params) }) } };
}
