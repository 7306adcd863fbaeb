// Retries of a step, where its definition asks for them: the action's own attempts are the worker's and count as one.
import type { StepRetry } from '@tocsin/schemas/types.ts';
import { durationMs } from '../duration.ts';
import { nextEpoch, setTimer, stepAt, tell } from './draft.ts';
import type { Draft, Node } from './state.ts';

/** What no repetition makes better, or what must not be repeated. */
const never = new Set([
  'invalid_params',
  'template',
  'denied',
  'uncertain',
  'cancelled',
  'cancelled_uncertain',
  'digest_mismatch',
  'deadline',
  'unknown_action',
  'context_limit',
  'unknown_condition',
]);

/** Sets the timer of the next try. False: there is none. */
export function planRetry(draft: Draft, place: string, node: Node, code: string, detail: string): boolean {
  const { step, kind, id } = stepAt(draft, place);
  if (kind !== 'action') return false;
  const policy = step.retry ?? draft.program.version.document.defaults?.retry;
  const tries = node.try ?? 1;
  if (policy === undefined || tries >= policy.attempts || !isRetried(policy, code)) return false;
  // The deadline is that of all tries together.
  const deadline = node.due?.['deadline'];
  const due = draft.moment.now + waitMs(policy, tries);
  if (deadline !== undefined && due >= deadline) return false;
  nextEpoch(draft, place, node);
  node.s = 'retrying';
  node.try = tries + 1;
  setTimer(draft, place, node, 'retry', due);
  if (deadline !== undefined) setTimer(draft, place, node, 'deadline', deadline);
  tell(draft, { what: 'step', place, step: id, status: 'retrying', code, detail, try: tries, due });
  return true;
}

function isRetried({ retryOn }: StepRetry, code: string): boolean {
  return retryOn === undefined ? !never.has(code) : retryOn.includes(code);
}

/** Wait before try `tries + 1`, ms. */
export function waitMs({ backoff = 'exponential', base, factor = 2, max }: StepRetry, tries: number): number {
  const first = durationMs(base);
  const grown =
    backoff === 'fixed' ? first : backoff === 'linear' ? first * tries : first * factor ** (tries - 1);
  return Math.min(grown, max === undefined ? 90 * 86_400_000 : durationMs(max));
}
