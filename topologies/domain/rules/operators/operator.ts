// What an operator is: it checks its operand into data (a test), and turns that data into a predicate.
//
// Invariant: a predicate never sees an absent field. Whether a test holds then is `holdsAbsent`, false for all but
// exists: false and lists with null.
import type { Comparison } from '../comparison.ts';
import type { ListComparison, MatchContext } from '../context.ts';
import type { PathScope, Subject } from '../path.ts';

/** Lists as far as a check needs them. */
export interface KnownLists {
  get(id: string): { readonly comparison?: ListComparison } | undefined;
}

/** One part of a rule while it is checked. Issues go to the rule; `path` is a JSON Pointer to this part. */
export interface Part {
  readonly path: string;
  readonly value: unknown;
  readonly comparison: Comparison;
  readonly scope: PathScope;
  /** The named lists that exist; undefined where that is not known. */
  readonly lists: KnownLists | undefined;
  /** The part below this one. */
  at(key: string | number, value: unknown): Part;
  with(comparison: Comparison): Part;
  within(scope: PathScope): Part;
  refuse(message: string): null;
  /** Counts one condition, operator or block; false when the rule has too many. */
  count(): boolean;
}

export type Predicate =
  | { readonly on: 'element'; readonly holds: HoldsFor<unknown>; readonly holdsAbsent: boolean }
  | { readonly on: 'field'; readonly holds: HoldsFor<readonly unknown[]>; readonly holdsAbsent: boolean };

/** Asked about one element, or about all elements of a field. Never throws. */
export type HoldsFor<T> = (asked: T, context: MatchContext, subject: Subject) => boolean;

export interface Operator<T> {
  /** Checks the operand; null after an issue was reported. */
  parse(part: Part): T | null;
  compile(test: T): Predicate;
}
