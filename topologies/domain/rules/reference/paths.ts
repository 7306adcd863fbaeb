// The reference evaluator's own reading of paths: what is found in an event, a row or an element of `each`.

export type Json = unknown;
export type Fields = Record<string, Json>;

/** What the rule looks at: `fields` is the event or the row; `search` stands beside a row. */
export interface ReferenceInput {
  readonly fields: Fields;
  readonly search?: Fields;
}

/** Every finding of a path, each as the list of its elements. Nested before flat keys; the first way that leads somewhere wins. */
export function at(path: string, source: string, input: ReferenceInput): Json[][] {
  const { fields, search } = input;
  if (path === '*') return findings(textsIn(fields));
  if (path.endsWith('.*')) return findings(textsIn(at(path.slice(0, -2), source, input)));
  const dot = path.indexOf('.');
  const [head, tail] = dot === -1 ? [path, ''] : [path.slice(0, dot), path.slice(dot + 1)];
  if (source === 'events')
    return head === 'envelope' && tail !== '' ? walk(fields, tail) : walk(fields, path);
  if (source === 'element') return walk(fields, head === 'element' && tail !== '' ? tail : path);
  if (head === 'search' && tail !== '') return walk(search, tail);
  return head === 'row' && tail !== '' ? walk(fields, tail) : walk(fields, path);
}

function findings(texts: Json[]): Json[][] {
  return texts.length > 0 ? [texts] : [];
}

/** Every text in a value, however deep; names are none. */
function textsIn(value: Json): Json[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function walk(node: Json, path: string): Json[][] {
  if (Array.isArray(node)) return node.flatMap((element) => walk(element, path));
  if (typeof node !== 'object' || node === null) return [];
  const members = new Map(Object.entries(node));
  const cuts = [...path.matchAll(/\./g)].map(({ index }) => index);
  for (const cut of cuts) {
    const key = path.slice(0, cut);
    const found = members.has(key) ? walk(members.get(key), path.slice(cut + 1)) : [];
    if (found.length > 0) return found;
  }
  return members.has(path) ? [flat(members.get(path))] : [];
}

export function atAll(paths: string[], source: string, input: ReferenceInput): Json[] {
  return paths.flatMap((path) => at(path, source, input).flat());
}

function flat(value: Json): Json[] {
  return Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
}
