// The extension of a step: its members but its lists of steps, which are the workflow's.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { stepKinds } from '../program.ts';

/** Members that hold lists of steps are left as marks: `true` where there is a list. */
export function membersOf({ id, ...step }: PlaybookStep): Record<string, unknown> {
  const kind = stepKinds.find((one) => step[one] !== undefined) ?? 'action';
  const { then, else: _, onError, onReject, switch: choice, parallel, forEach, while: loop, ...plain } = step;
  const listless = {
    ...plain,
    ...(then === undefined ? {} : { then: true }),
    ...policy('onError', onError),
    ...policy('onReject', onReject),
    ...(choice === undefined ? {} : { switch: choice.cases.map(({ when }) => when) }),
    ...(parallel === undefined ? {} : { parallel: without('branches', parallel, parallel.branches.length) }),
    ...(forEach === undefined ? {} : { forEach: without('do', forEach) }),
    ...(loop === undefined ? {} : { while: without('do', loop) }),
  };
  return { step_id: id, step_kind: kind, step_members: listless };
}

function policy(name: string, given: PlaybookStep['onError']): object {
  if (given === undefined) return {};
  return { [name]: typeof given === 'object' && 'run' in given ? { run: true } : given };
}

function without(name: string, given: object, mark: unknown = true): object {
  return { ...given, [name]: mark };
}
