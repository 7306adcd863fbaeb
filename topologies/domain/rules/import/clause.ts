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

/** One of them at least; lists of the same operator at the same path are one list. */
export function anyOf(clauses: readonly Clause[]): Clause {
  const joined = join('any', clauses);
  return joined.kind === 'any' ? join('any', mergeLists(joined.of)) : joined;
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

/** Operators that hold when they hold for one of their values. */
const listed = new Set(['in', 'prefix', 'suffix', 'contains', 'wildcard', 'cidr', 'regex']);

function mergeLists(clauses: readonly Clause[]): Clause[] {
  const merged = new Map<string, Clause>();
  for (const clause of clauses) {
    const list = clause.kind === 'field' ? listOf(clause.test) : undefined;
    const key = list === undefined ? JSON.stringify(clause) : JSON.stringify([keyOf(clause), ...list.names]);
    const known = merged.get(key);
    if (list === undefined || known?.kind !== 'field' || clause.kind !== 'field') merged.set(key, clause);
    else {
      const values = [...(listOf(known.test)?.values ?? []), ...list.values];
      merged.set(key, field(clause.path, writeList(list.names, [...new Set(values)])));
    }
  }
  return [...merged.values()];
}

function keyOf(clause: Clause): string {
  return clause.kind === 'field' ? clause.path : '';
}

/** The names of the operators around a list of values, and the values; undefined when the test is something else. */
function listOf(test: FieldTest): { names: readonly string[]; values: readonly unknown[] } | undefined {
  if (Array.isArray(test)) return { names: [], values: test };
  if (typeof test !== 'object' || test === null) return { names: [], values: [test] };
  const entries = Object.entries(test);
  const [[name, operand] = ['', null]] = entries;
  if (entries.length !== 1 || !(listed.has(name) || name === 'cased')) return undefined;
  const inner = listOf(operand);
  return inner && { names: [name, ...inner.names], values: inner.values };
}

function writeList(names: readonly string[], values: readonly unknown[]): FieldTest {
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), values);
}
