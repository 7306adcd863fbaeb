// What PostgreSQL cannot store in text and jsonb: NUL and lone surrogates. Both become U+FFFD. Times are cut to what it holds.

/** The same value, with every string (member names too) storable. Values are JSON. */
export function storable<T>(value: T): T {
  return clean(value) as T;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\u0000', '\ufffd');
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [clean(name) as string, clean(member)]),
  );
}

const latestTime = Date.UTC(9999, 11, 31);

/** For a timestamptz. A time beyond its limits is cut to them: a wrong clock must not cost the history. */
export function time(epochMs: number | null | undefined): string | null {
  return epochMs == null ? null : new Date(Math.min(Math.max(epochMs, 0), latestTime)).toISOString();
}
