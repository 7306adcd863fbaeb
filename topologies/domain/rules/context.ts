// What a rule is asked with besides its subject: the moment, and the named lists of that moment.
//
// Invariant: conditions read time and lists from here alone, so the same subject and context give the same answer, today
// and in a replay. Lists may be others at the next question; no compiled rule holds one.

/** How the values of a list and an element are compared; see `comparison` in docs/rules.md. */
export type ListComparison = 'text' | 'exact' | 'identifier' | 'cidr' | 'number';

/** A list of values under a name, with everything that it includes. */
export interface NamedList {
  readonly id: string;
  readonly comparison: ListComparison;
  /** Distinct values. */
  readonly size: number;
  /**
   * Whether the element is one of the values, or an address in one of the networks. `as: 'identifier'` is the way of
   * the alias vulnerabilities: the texts of the list are taken as identifiers, whatever the list says. Never throws.
   */
  has(element: unknown, as: 'list' | 'identifier'): boolean;
}

export interface MatchContext {
  /** Epoch ms of the record that is judged; what `now` means in a rule. */
  readonly now: number;
  /** By id. A list that is not here is an empty one. */
  readonly lists: ReadonlyMap<string, NamedList>;
}
