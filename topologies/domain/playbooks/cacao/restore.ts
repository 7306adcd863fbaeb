// Steps from our own extension: read, checked, and put together again with the lists that the workflow has.
//
// Invariant: an extension that does not fit a step, or no longer fits what CACAO says, is not used; the caller then reads the step as
// that of any other producer.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { OnError, PlaybookStep } from '@tocsin/schemas/types.ts';
import { isMap } from '../../rules/import/imported.ts';
import { parseDuration } from '../duration.ts';
import { type StepKind, stepKinds } from '../program.ts';
import { type CacaoStep, extensionId, type StepType } from './document.ts';
import { durationOf, standardOf } from './standard.ts';

type Members = Readonly<Record<string, unknown>>;

export interface OwnStep {
  readonly id: string;
  readonly kind: StepKind;
  readonly members: Members;
}

/** Lists of steps as the workflow has them. */
export interface Parts {
  readonly then?: PlaybookStep[];
  readonly else?: PlaybookStep[] | undefined;
  readonly cases?: { readonly when: Record<string, unknown>; readonly do: PlaybookStep[] }[];
  readonly default?: PlaybookStep[] | undefined;
  readonly branches?: PlaybookStep[][];
  readonly do?: PlaybookStep[];
}

const stepId = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const typesOf: Readonly<Record<StepKind, StepType>> = {
  action: 'action',
  approve: 'action',
  waitFor: 'action',
  set: 'action',
  end: 'action',
  if: 'if-condition',
  switch: 'switch-condition',
  parallel: 'parallel',
  forEach: 'while-condition',
  while: 'while-condition',
  playbook: 'playbook-action',
};

function extensionOf(step: CacaoStep): Members | null {
  const found = step.step_extensions?.[extensionId];
  return isMap(found) ? found : null;
}

/** The step that a condition of the export belongs to, and as what. */
export function partOf(step: CacaoStep): { readonly part: 'when' | 'gate'; readonly id: string } | null {
  const { step_part, step_id } = extensionOf(step) ?? {};
  if (step.type !== 'if-condition' || typeof step_id !== 'string') return null;
  return step_part === 'when' || step_part === 'gate' ? { part: step_part, id: step_id } : null;
}

/** The step of ours that a step of the workflow was exported from; null: none, or its extension fits no step. */
export function ownStep(step: CacaoStep): OwnStep | null {
  const { step_id: id, step_kind, step_members: members } = extensionOf(step) ?? {};
  const kind = stepKinds.find((one) => one === step_kind);
  if (typeof id !== 'string' || !stepId.test(id) || kind === undefined || !isMap(members)) return null;
  if (typesOf[kind] !== step.type) return null;
  const own = { id, kind, members };
  const probe = { kind: 'playbook', id: 'x', steps: [{ id, ...rebuild(own, {}) }] };
  if (checkDocument('playbook.json', probe).length > 0) return null;
  const durations = [members['deadline'], delayText(members['delay'])];
  return durations.every((text) => text === undefined || typeof parseDuration(String(text)) === 'number')
    ? own
    : null;
}

/** Ids that the extension of a step takes: its own and that of its compensation. */
export function idsOf(step: CacaoStep): string[] {
  const { step_id, step_members } = extensionOf(step) ?? {};
  const undo = isMap(step_members) ? step_members['compensate'] : undefined;
  return [step_id, isMap(undo) ? undo['id'] : undefined].filter((id) => typeof id === 'string');
}

function delayText(delay: unknown): unknown {
  return isMap(delay) ? delay['for'] : delay;
}

/** The step with its lists, without onError and onReject. */
export function rebuild({ kind, members }: OwnStep, parts: Parts): Omit<PlaybookStep, 'id'> {
  const {
    then,
    else: _,
    onError: __,
    onReject: ___,
    switch: ____,
    parallel,
    forEach,
    while: loop,
    ...plain
  } = members;
  const withList = (given: unknown, list: object): object => ({ ...(isMap(given) ? given : {}), ...list });
  return {
    ...plain,
    ...(kind === 'if' && (then === true || (parts.then?.length ?? 0) > 0) ? { then: parts.then ?? [] } : {}),
    ...(kind === 'if' && parts.else !== undefined ? { else: parts.else } : {}),
    ...(kind === 'switch'
      ? {
          switch: {
            cases: parts.cases ?? [{ when: { event: 1 }, do: [] }],
            ...(parts.default === undefined ? {} : { default: parts.default }),
          },
        }
      : {}),
    ...(kind === 'parallel' ? { parallel: withList(parallel, { branches: parts.branches ?? [[]] }) } : {}),
    ...(kind === 'forEach' ? { forEach: withList(forEach, { do: parts.do ?? [] }) } : {}),
    ...(kind === 'while' ? { while: withList(loop, { do: parts.do ?? [] }) } : {}),
  } as Omit<PlaybookStep, 'id'>;
}

/** onError or onReject of the extension, its list taken from the workflow. */
export function policyOf(given: unknown, run: PlaybookStep[] | undefined): OnError | undefined {
  if (isMap(given) && 'run' in given) return run === undefined ? undefined : { run };
  return given as OnError | undefined;
}

export type Common = Pick<PlaybookStep, 'name' | 'description' | 'delay' | 'deadline'>;

/**
 * Name, description, delay and deadline: as in the extension where CACAO says the same, else as CACAO says. `said` has the delay
 * that counts: of the condition around the step, where there is one.
 */
export function commonOf(
  id: string,
  members: Members | null,
  said: Pick<CacaoStep, 'name' | 'description' | 'delay' | 'timeout'>,
  warn: (message: string) => void,
): Common {
  const ours = (members ?? {}) as Common;
  const before = members === null ? null : standardOf({ id, ...ours });
  const pick = <T>(mine: T | undefined, same: boolean, theirs: T | undefined): T | undefined =>
    same ? mine : theirs;
  const duration = (ms: number | undefined, what: string): string | undefined => {
    if (ms === undefined || ms === 0) return undefined;
    const { text, cut } = durationOf(ms);
    if (cut || ms % 1000 !== 0) warn(`its ${what} of ${ms} ms becomes ${text}`);
    return text;
  };
  const name = pick(ours.name, before !== null && said.name === before.name, said.name?.slice(0, 128));
  const description = pick(
    ours.description,
    before !== null && said.description === before.description,
    said.description?.slice(0, 4096).toWellFormed(),
  );
  const sameDelay = before !== null && said.delay === before.delay;
  const sameDeadline = before !== null && said.timeout === before.timeout;
  const delay = sameDelay ? ours.delay : duration(said.delay, 'delay');
  const deadline = sameDeadline ? ours.deadline : duration(said.timeout, 'timeout');
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(delay === undefined ? {} : { delay }),
    ...(deadline === undefined ? {} : { deadline }),
  };
}
