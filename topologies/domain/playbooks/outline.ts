// The steps and lists of a playbook document, and what is wrong with their shape: kinds, members, ids, numbers.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { OnError, Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import { playbookLimits } from './limits.ts';
import { type ProgramStep, type StepKind, type StepList, stepKinds } from './program.ts';

export interface Outline {
  readonly steps: Map<string, ProgramStep>;
  readonly lists: Map<string, StepList>;
  readonly paths: Map<string, string>;
  readonly issues: Issue[];
}

/** Members that some kinds have only. */
const memberKinds: Readonly<Record<string, readonly StepKind[]>> = {
  with: ['action'],
  timeout: ['action'],
  retry: ['action'],
  compensate: ['action', 'playbook'],
  onReject: ['approve'],
  then: ['if'],
  else: ['if'],
  outputs: ['action', 'waitFor', 'approve', 'playbook'],
};

/** A second start of what they run would be under the same names. */
const containers: readonly StepKind[] = ['if', 'switch', 'parallel', 'forEach', 'while'];

const onUnknownOf: Readonly<Partial<Record<StepKind, readonly string[]>>> = {
  if: ['then', 'else', 'fail'],
  while: ['stop', 'run', 'fail'],
};

export function outlineOf(document: Playbook): Outline {
  const outline: Outline = { steps: new Map(), lists: new Map(), paths: new Map(), issues: [] };
  const { issues } = outline;
  let count = 0;

  function addList(
    steps: readonly PlaybookStep[],
    path: string,
    owner: string | null,
    pointer: string,
    level: number,
  ): void {
    if (level > playbookLimits.nesting) {
      issues.push({ path: pointer, message: `steps are nested at most ${playbookLimits.nesting} deep` });
      return;
    }
    const own: ProgramStep[] = [];
    outline.lists.set(path, { path, owner, steps: own, level });
    for (const [index, step] of steps.entries()) {
      const above = owner === null ? '' : `${path}/`;
      const added = addStep(step, `${above}${step.id}`, path, index, `${pointer}/${index}`, level);
      if (added === null) return;
      own.push(added);
    }
  }

  function addStep(
    step: PlaybookStep,
    path: string,
    list: string,
    index: number,
    pointer: string,
    level: number,
  ): ProgramStep | null {
    count += 1;
    if (count > playbookLimits.steps) {
      if (count === playbookLimits.steps + 1)
        issues.push({ path: pointer, message: `a playbook has at most ${playbookLimits.steps} steps` });
      return null;
    }
    const kinds = stepKinds.filter((kind) => step[kind] !== undefined);
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) {
      const what = kinds.length > 1 ? `is ${kinds.join(' and ')} at once` : 'does nothing';
      issues.push({ path: pointer, message: `${what}; a step is one of ${stepKinds.join(', ')}` });
    }
    const added: ProgramStep = {
      path,
      id: step.id,
      kind: kind ?? 'set',
      step,
      list,
      index,
      pointer,
      order: count - 1,
    };
    const other = outline.paths.get(step.id);
    if (other !== undefined)
      issues.push({ path: `${pointer}/id`, message: `${step.id} is the id of another step, ${other}` });
    else outline.paths.set(step.id, path);
    outline.steps.set(path, added);
    if (kind !== undefined) checkMembers(added, issues);
    for (const [part, steps, at] of partsOf(step))
      addList(steps, `${path}/${part}`, path, `${pointer}/${at}`, level + 1);
    if (step.compensate !== undefined) {
      const undo = addStep(
        step.compensate,
        `${path}/compensate`,
        `${path}/compensate`,
        0,
        `${pointer}/compensate`,
        level + 1,
      );
      if (undo !== null && undo.kind !== 'action')
        issues.push({ path: `${pointer}/compensate`, message: 'must be an action' });
      for (const member of ['delay', 'retry', 'onError', 'compensate'] as const)
        if (step.compensate[member] !== undefined)
          issues.push({ path: `${pointer}/compensate/${member}`, message: 'does not fit a compensation' });
    }
    return added;
  }

  addList(document.steps, '', null, '/steps', 1);
  if (document.steps.length === 0) issues.push({ path: '/steps', message: 'a step is missing' });
  return outline;
}

/** The lists of steps in a step: name of the part, steps, JSON Pointer below the step. */
export function partsOf(
  step: PlaybookStep,
): [part: string, steps: readonly PlaybookStep[], pointer: string][] {
  const parts: [string, readonly PlaybookStep[], string][] = [];
  if (step.if !== undefined) {
    parts.push(['then', step.then ?? [], 'then'], ['else', step.else ?? [], 'else']);
  }
  for (const [index, one] of step.switch?.cases.entries() ?? [])
    parts.push([`cases/${index}`, one.do, `switch/cases/${index}/do`]);
  if (step.switch !== undefined) parts.push(['default', step.switch.default ?? [], 'switch/default']);
  for (const [index, branch] of step.parallel?.branches.entries() ?? [])
    parts.push([`branches/${index}`, branch, `parallel/branches/${index}`]);
  if (step.forEach !== undefined) parts.push(['do', step.forEach.do, 'forEach/do']);
  if (step.while !== undefined) parts.push(['do', step.while.do, 'while/do']);
  const run = (given: OnError | undefined, name: string): void => {
    if (typeof given === 'object' && 'run' in given) parts.push([name, given.run, `${name}/run`]);
  };
  run(step.onError, 'onError');
  run(step.onReject, 'onReject');
  return parts;
}

function checkMembers({ step, kind, pointer }: ProgramStep, issues: Issue[]): void {
  for (const [member, kinds] of Object.entries(memberKinds))
    if (step[member as keyof PlaybookStep] !== undefined && !kinds.includes(kind))
      issues.push({ path: `${pointer}/${member}`, message: `does not fit ${kind}` });
  if (step.onUnknown !== undefined) {
    const allowed = onUnknownOf[kind] ?? (step.when === undefined ? [] : ['run', 'skip', 'fail']);
    if (allowed.length === 0) issues.push({ path: `${pointer}/onUnknown`, message: 'needs a condition' });
    else if (!allowed.includes(step.onUnknown))
      issues.push({ path: `${pointer}/onUnknown`, message: `must be one of ${allowed.join(', ')}` });
  }
  if (step.onError === 'incident' && containers.includes(kind))
    issues.push({
      path: `${pointer}/onError`,
      message: `does not fit ${kind}; say it in the steps that it runs`,
    });
  const empty = (steps: readonly PlaybookStep[] | undefined, at: string): void => {
    if (steps !== undefined && steps.length === 0)
      issues.push({ path: `${pointer}/${at}`, message: 'a step is missing' });
  };
  if (kind === 'if' && (step.then ?? []).length === 0 && (step.else ?? []).length === 0)
    issues.push({ path: `${pointer}/then`, message: 'a step is missing in then or else' });
  empty(step.forEach?.do, 'forEach/do');
  empty(step.while?.do, 'while/do');
  for (const [index, branch] of step.parallel?.branches.entries() ?? [])
    empty(branch, `parallel/branches/${index}`);
  if (step.approve !== undefined) checkQuorum(step.approve, pointer, issues);
}

function checkQuorum(approve: NonNullable<PlaybookStep['approve']>, pointer: string, issues: Issue[]): void {
  const named = new Set([...approve.by.anyOf, ...(approve.escalate?.add ?? [])]);
  // A role may be any number of people; users are as many as they are.
  if ([...named].some((one) => one.startsWith('role:'))) return;
  for (const verdict of ['approve', 'reject'] as const) {
    const wanted = approve.quorum?.[verdict] ?? 1;
    if (wanted > named.size)
      issues.push({
        path: `${pointer}/approve/quorum/${verdict}`,
        message: `needs ${wanted} of ${named.size} people`,
      });
  }
}
