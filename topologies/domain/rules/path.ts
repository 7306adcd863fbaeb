// Paths: how a rule names a field of an event or of a row, and what is found there.
//
// Invariant: only own members are read, so `__proto__` or `constructor` in a path or in data is a name like any other.
// The surprise: a dot is both a step into an object and a character of flat keys such as "source.ip". Nested objects are
// tried first; keys that contain dots count when the nested way finds nothing.
import type { Rule } from '@tocsin/schemas/types.ts';
import { limits } from './limits.ts';

export type RuleSource = NonNullable<Rule['source']>;

/** What one rule looks at: an event, or one row of a search result with the search result beside it. */
export interface Subject {
  readonly source: RuleSource;
  /** The whole event envelope, or the row. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The search result without its rows; null for events. */
  readonly search: Readonly<Record<string, unknown>> | null;
  /** The object that `each` looks at; only within it. */
  readonly element?: Readonly<Record<string, unknown>>;
}

export interface Path {
  /**
   * element: in the object of the nearest `each` around it.
   * texts: every text at the path of the event or row, and in all lists and objects below it.
   */
  readonly root: 'fields' | 'search' | 'element' | 'texts';
  readonly segments: readonly string[];
}

/** Where the paths of a condition start: in what a rule looks at, in the object that `each` looks at, or in a playbook run. */
export type PathScope = RuleSource | 'element' | 'run';

/** Members of an event that a path may start with; others need the prefix `envelope.`, so that a typing error is seen. */
const envelopeMembers = ['id', 'event', 'timestamp', 'tenant', 'hops', 'data'];

/** What the conditions of a playbook's steps look at. */
export const runMembers = ['event', 'finding', 'steps', 'run', 'params', 'vars', 'item', 'index'];

/** The path that a text names, or why it names none. */
export function parsePath(text: string, scope: PathScope): Path | { readonly error: string } {
  if (text.length > limits.pathLength) return { error: `a path has at most ${limits.pathLength} characters` };
  const segments = text.split('.');
  if (segments.length > limits.pathFields) return { error: `a path has at most ${limits.pathFields} fields` };
  if (segments.includes('')) return { error: 'a path is names with single dots between them' };
  if (segments.at(-1) === '*') return textsPath(text.slice(0, -2), scope);
  const [first = '', ...rest] = segments;
  if (scope === 'element') return elementPath(segments);
  if (scope === 'run') {
    if (runMembers.includes(first)) return { root: 'fields', segments };
    return { error: `unknown field; a path starts with one of ${runMembers.join(', ')}` };
  }
  if (scope === 'events') {
    if (first === 'envelope' && rest.length > 0) return { root: 'fields', segments: rest };
    if (envelopeMembers.includes(first)) return { root: 'fields', segments };
    return {
      error: `unknown field; a path starts with data., with ${envelopeMembers.slice(0, -1).join(', ')}, or with envelope. for other members of the event`,
    };
  }
  if (first !== 'search' && first !== 'row') return { root: 'fields', segments };
  if (rest.length === 0) return { error: `name a field: ${first}.<field>` };
  return { root: first === 'search' ? 'search' : 'fields', segments: rest };
}

// `data.*` and, for everything in an event or a row, `*`.
function textsPath(above: string, scope: PathScope): Path | { readonly error: string } {
  if (scope === 'element') return { error: 'a path within each cannot end with *' };
  if (above === '') return { root: 'texts', segments: [] };
  const path = parsePath(above, scope);
  if ('error' in path || path.root === 'fields') return 'error' in path ? path : { ...path, root: 'texts' };
  return { error: 'a path of the search result cannot end with *' };
}

function elementPath([first = '', ...rest]: readonly string[]): Path | { readonly error: string } {
  if (first !== 'element') return { root: 'element', segments: [first, ...rest] };
  if (rest.length === 0) return { error: 'name a field: element.<field>' };
  return { root: 'element', segments: rest };
}

/**
 * Everything at any of the paths: lists are opened, at the end of the path and on the way. null when every path is
 * absent; an empty list when there is only an empty list. Objects are elements too, which no comparison fits.
 */
export function elementsAt(subject: Subject, paths: readonly Path[]): unknown[] | null {
  const elements: unknown[] = [];
  let found = false;
  for (const { root, segments } of paths) {
    if (root === 'texts') found = collectTexts(subject.fields, segments, elements) || found;
    else if (collect(subject[root], segments, 0, elements)) found = true;
  }
  return found ? elements : null;
}

function collectTexts(start: unknown, segments: readonly string[], texts: unknown[]): boolean {
  const open: unknown[] = [];
  if (segments.length === 0) open.push(start);
  else collect(start, segments, 0, open);
  const before = texts.length;
  // A list of what is left to open instead of recursion: depth is up to whoever wrote the event.
  for (let at = 0; at < open.length; at++) {
    const value = open[at];
    if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'object' && value !== null)
      for (const member of Object.values(value)) open.push(member);
  }
  return texts.length > before;
}

function collect(node: unknown, segments: readonly string[], from: number, elements: unknown[]): boolean {
  if (from === segments.length) {
    open(node, elements);
    return true;
  }
  if (Array.isArray(node)) {
    let found = false;
    for (const element of node) if (collect(element, segments, from, elements)) found = true;
    return found;
  }
  if (typeof node !== 'object' || node === null) return false;
  let key = '';
  for (let to = from; to < segments.length; to++) {
    key = to === from ? (segments[to] as string) : `${key}.${segments[to]}`;
    if (
      Object.hasOwn(node, key) &&
      collect((node as Record<string, unknown>)[key], segments, to + 1, elements)
    )
      return true;
  }
  return false;
}

function open(value: unknown, elements: unknown[]): void {
  if (!Array.isArray(value)) elements.push(value);
  else for (const element of value) open(element, elements);
}
