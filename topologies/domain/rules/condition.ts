// A checked condition as data: what a matcher compiles. Aliases are resolved, values are in comparable form.
import type { Test } from './operators/operators.ts';
import type { Path } from './path.ts';

/** The elements at any of `paths` pass all tests. Tests on elements look at the same element. */
export interface FieldCondition {
  readonly kind: 'field';
  readonly paths: readonly Path[];
  readonly tests: readonly Test[];
}

/**
 * One element (any) or every element (all, and there is one) at `paths` is an object for which `of` holds. Paths in `of`
 * have the root `element` and start in that object; those of an `each` in it start in the same object.
 */
export interface EachCondition {
  readonly kind: 'each';
  readonly paths: readonly Path[];
  readonly quantifier: 'any' | 'all';
  readonly of: Condition;
}

export type Condition =
  | FieldCondition
  | EachCondition
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };
