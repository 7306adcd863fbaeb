// A condition on its way from a foreign format into `when` of a rule: a small tree that is simplified before it is written.
//
// Invariant: simplifying never changes the meaning; it only takes out what a person would not write.

/** What stands behind a path: a value, a list of values, or an object of operators. */
export type FieldTest = unknown;

export type Clause =
  | { readonly kind: 'field'; readonly path: string; readonly test: FieldTest }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Clause[] }
  | { readonly kind: 'not'; readonly of: Clause }
  /** One element of the list at `path` fulfils `of`, whose paths start at the element. */
  | { readonly kind: 'each'; readonly path: string; readonly of: Clause };

export function field(path: string, test: FieldTest): Clause {
  return { kind: 'field', path, test };
}

/** All of them, each once; blocks within blocks of the same kind are joined. One clause stays itself. */
export function allOf(clauses: readonly Clause[]): Clause {
  return join('all', clauses);
}

/** One of them at least. */
export function anyOf(clauses: readonly Clause[]): Clause {
  return join('any', clauses);
}

export function not(clause: Clause): Clause {
  return clause.kind === 'not' ? clause.of : { kind: 'not', of: clause };
}

function join(kind: 'all' | 'any', clauses: readonly Clause[]): Clause {
  const parts = clauses.flatMap((clause) => (clause.kind === kind ? clause.of : [clause]));
  const of = [...new Map(parts.map((part) => [JSON.stringify(part), part])).values()];
  const [first] = of;
  return of.length === 1 && first !== undefined ? first : { kind, of };
}
