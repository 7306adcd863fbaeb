// Finds the value of a name in a stack of views. Only own properties count and functions are never called.
//
// Surprise: search rows often have flat keys with dots ("source.ip"), so a path may be spelled by nesting, by one flat
// key, or by a mixture; nesting wins when both exist.

/** Views from the most to the least specific; a name is taken from the first one that has all of it. */
export type Views = readonly unknown[];

/** The value, or undefined when no view has it. `.` is the most specific view itself. */
export function lookup(name: string, views: Views): unknown {
  if (name === '.') return plain(views[0]);
  const segments = name.split('.');
  for (const view of views) {
    const value = descend(view, segments, 0);
    if (value !== undefined) return value;
  }
  return undefined;
}

// At most 2^(segments - 1) ways to read a name, and segments are limited when a template is saved.
function descend(value: unknown, segments: readonly string[], from: number): unknown {
  if (from === segments.length) return plain(value);
  if (value === null || typeof value !== 'object') return undefined;
  let key = '';
  for (let end = from; end < segments.length; end += 1) {
    key = end === from ? (segments[end] as string) : `${key}.${segments[end]}`;
    if (!Object.hasOwn(value, key)) continue;
    const found = descend((value as Record<string, unknown>)[key], segments, end + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function plain(value: unknown): unknown {
  return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
}
