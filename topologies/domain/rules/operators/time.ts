// after, before: an element is a point in time within the bounds: not earlier than `after`, earlier than `before`.
import type { Operator } from './operator.ts';

/** Epoch ms, or so many ms before the moment of the question; a negative `ago` lies in the future. */
export type TimeBound = { readonly at: number } | { readonly ago: number };

export interface TimeTest {
  readonly op: 'time';
  /** Inclusive. */
  readonly after?: TimeBound;
  /** Exclusive. */
  readonly before?: TimeBound;
}

export const timeOperator: Operator<TimeTest> = {
  parse: (part) => part.refuse('the operators after and before are not supported in this version'),
  compile: () => ({ on: 'element', holds: () => false, holdsAbsent: false }),
};
