// What an explanation shows of an event: the elements of a field, and why a field is absent. Everything is cut to a size.
import { elementsAt, type Path, type Subject } from '../path.ts';

export const explainLimits = {
  /** Nodes of one explanation. */
  nodes: 2_000,
  /** Elements shown of one field, and of one `each`. */
  elements: 5,
  eachElements: 5,
  /** Characters of one value. */
  characters: 120,
  /** Names shown of an object that lacks one. */
  names: 8,
} as const;

/** A value as JSON, cut at `explainLimits.characters`. Large values are never written out whole. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(shorten(value, explainLimits.characters)) ?? 'undefined';
  return cut(text);
}

/** The first elements as JSON; an object by its first names. */
export function showElements(elements: readonly unknown[] | null): string[] {
  return (elements ?? []).slice(0, explainLimits.elements).map(showValue);
}

/** Where the way to an absent field ends. For several paths: that none of them is there. */
export function whyAbsent(subject: Subject, paths: readonly Path[]): string {
  const [path] = paths;
  if (path === undefined || paths.length > 1) {
    const names = paths.slice(0, 4).map(({ segments }) => segments.join('.'));
    return `absent: none of ${names.join(', ')}${paths.length > 4 ? ` and ${paths.length - 4} more` : ''}`;
  }
  for (let length = path.segments.length - 1; length >= 0; length -= 1) {
    const here = path.segments.slice(0, length);
    // Of texts below a path only the path itself can be missing.
    const root = path.root === 'texts' ? 'fields' : path.root;
    const found = length === 0 ? [subject[root]] : elementsAt(subject, [{ root, segments: here }]);
    if (found === null) continue;
    const missing = path.segments.slice(length).join('.');
    return `absent: ${whatIs(here, found)}${missingIn(found, cut(missing))}`;
  }
  return 'absent';
}

function whatIs(segments: readonly string[], found: readonly unknown[]): string {
  if (segments.length === 0) return 'it';
  return found.length === 0 ? `${cut(segments.join('.'))} is an empty list and` : cut(segments.join('.'));
}

function missingIn(found: readonly unknown[], missing: string): string {
  const object = found.find((one) => typeof one === 'object' && one !== null);
  if (object === undefined) return found.length === 0 ? ` has no ${missing}` : ` is ${kindOf(found[0])}`;
  const names = Object.keys(object);
  if (names.length === 0) return ` has no ${missing}; it is empty`;
  const shown = names.slice(0, explainLimits.names).map((name) => cut(name, 40));
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
  return ` has no ${missing}; it has ${shown.join(', ')}${more}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' ? 'a number' : typeof value === 'boolean' ? 'true or false' : 'nothing';
}

/** A copy with at most about `budget` characters of content, so that writing a large value costs little. */
function shorten(value: unknown, budget: number): unknown {
  let left = budget;
  const copy = (one: unknown, depth: number): unknown => {
    left -= 4;
    if (typeof one === 'string') {
      const text = one.length > left ? one.slice(0, Math.max(0, left) + 1) : one;
      left -= text.length;
      return text;
    }
    if (typeof one !== 'object' || one === null) return one;
    if (depth > 8) return '...';
    if (Array.isArray(one)) {
      const kept: unknown[] = [];
      for (const item of one) {
        if (left <= 0) break;
        kept.push(copy(item, depth + 1));
      }
      return kept;
    }
    const members: [string, unknown][] = [];
    for (const key of Object.keys(one)) {
      if (left <= 0) break;
      left -= key.length;
      members.push([key.slice(0, budget), copy((one as Record<string, unknown>)[key], depth + 1)]);
    }
    return Object.fromEntries(members);
  };
  return copy(value, 0);
}

function cut(text: string, length: number = explainLimits.characters): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
