// A checked condition as data: what a matcher compiles. Aliases are resolved, values are in comparable form.
import type { Test } from './operators/operators.ts';
import type { Path } from './path.ts';

/** The elements at any of `paths` pass all tests. Tests on elements look at the same element. */
export interface FieldCondition {
  readonly kind: 'field';
  readonly paths: readonly Path[];
  readonly tests: readonly Test[];
}

export type Condition =
  | FieldCondition
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };
