// Whether the steps of a playbook can be walked: names that exist and come before, gotos that end, steps that are reached.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Goto, OnError } from '@tocsin/schemas/types.ts';
import type { Outline } from './outline.ts';
import type { ProgramStep, StepList } from './program.ts';

export interface Reference {
  /** Id of the step that is named. */
  readonly id: string;
  readonly pointer: string;
  /** Who names it; null for the outputs of the playbook, which see every step. */
  readonly from: ProgramStep | null;
  /** Steps below this path may be named although they come later: those of a loop in its own condition. */
  readonly within?: string;
}

/** A reference to a step that does not exist, or that cannot have run yet. */
export function checkReferences(references: readonly Reference[], { steps, paths }: Outline): Issue[] {
  const undone = (path: string): boolean => /(^|\/)compensate$/.test(path);
  return references.flatMap(({ id, pointer, from, within }) => {
    const target = steps.get(paths.get(id) ?? '');
    if (target === undefined) return [{ path: pointer, message: `there is no step ${id}` }];
    if (from === null || undone(from.path) || target.order < from.order) return [];
    if (within !== undefined && target.path.startsWith(`${within}/`)) return [];
    return [{ path: pointer, message: `the step ${id} does not come before this one` }];
  });
}

/** Every goto of a step with its JSON Pointer. */
export function gotosOf({ step, pointer }: ProgramStep): [goto: Goto, pointer: string][] {
  const gotos: [Goto, string][] = [];
  const add = (given: OnError | undefined, at: string): void => {
    if (typeof given === 'object' && 'goto' in given) gotos.push([given, `${pointer}/${at}`]);
  };
  add(step.onError, 'onError');
  add(step.onReject, 'onReject');
  add(step.approve?.onTimeout as OnError | undefined, 'approve/onTimeout');
  return gotos;
}

/** Gotos that lead nowhere, out of something that runs several lists, or back without a bound. */
export function checkGotos(outline: Outline): Issue[] {
  const { steps, lists, paths } = outline;
  return [...steps.values()].flatMap((step) =>
    gotosOf(step).flatMap(([{ goto, max }, pointer]): Issue[] => {
      const target = steps.get(paths.get(goto) ?? '');
      const path = `${pointer}/goto`;
      if (target === undefined) return [{ path, message: `there is no step ${goto}` }];
      let at: ProgramStep | undefined = step;
      while (at !== undefined && at.list !== target.list) {
        const list: StepList | undefined = lists.get(at.list);
        at = list?.owner == null ? undefined : steps.get(list.owner);
        if (at !== undefined && (at.kind === 'parallel' || at.kind === 'forEach' || at.kind === 'while'))
          return [{ path, message: `${goto} lies outside of ${at.kind} ${at.id}` }];
      }
      if (at === undefined) return [{ path, message: `${goto} is in no list around this step` }];
      if (target.index > at.index || max !== undefined) return [];
      return [{ path: `${pointer}/max`, message: `is required: ${goto} comes before, this is a cycle` }];
    }),
  );
}

/** Steps that nothing leads to: behind one that always ends the run, and aimed at by no goto. */
export function checkReached(outline: Outline): Issue[] {
  const { steps, lists } = outline;
  const aims = new Set([...steps.values()].flatMap((step) => gotosOf(step).map(([{ goto }]) => goto)));
  const issues: Issue[] = [];
  for (const list of lists.values()) {
    let reached = true;
    for (const step of list.steps) {
      if (aims.has(step.id)) reached = true;
      if (!reached) {
        issues.push({ path: step.pointer, message: `the step ${step.id} is never reached` });
        break;
      }
      if (ends(step, outline)) reached = false;
    }
  }
  return issues;
}

function ends({ kind, step, path }: ProgramStep, { lists }: Outline, depth = 0): boolean {
  if (step.when !== undefined || depth > 16) return false;
  if (kind === 'end') return true;
  const every = (parts: readonly string[]): boolean =>
    parts.every((part) =>
      lists.get(`${path}/${part}`)?.steps.some((below) => ends(below, { lists } as Outline, depth + 1)),
    );
  if (kind === 'if') return every(['then', 'else']);
  if (kind === 'switch')
    return every([...(step.switch?.cases.keys() ?? [])].map((n) => `cases/${n}`).concat('default'));
  return false;
}
