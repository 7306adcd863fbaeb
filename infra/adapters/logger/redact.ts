// Makes log fields safe to write: values of fields with telling names are replaced, errors lose everything but what they say.
// Invariant: the result is plain data of bounded depth and size, whatever went in (cycles, getters that throw, BigInt).
// Surprise: HTTP libraries hang request, config and headers on their errors; those are why errors are rebuilt, not copied.

const telling =
  /authorization|cookie|passw|passphrase|secret|token|api[-_]?key|private[-_]?key|credential|signature/i;
// Names that merely talk about one of these.
const harmless = /(?:_|-|^)(?:version|id|count|set|name|kind|type|status)$/i;
const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
const MAX_TEXT = 8_192;

export function safeFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return safeObject(fields, 0, new Set());
}

function safeValue(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (above.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Error) return safeError(value, depth, above);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return guarded(() => safeValue((value.toJSON as () => unknown)(), depth + 1, above));
  above.add(value);
  const safe = Array.isArray(value)
    ? value.slice(0, MAX_ENTRIES).map((item) => safeValue(item, depth + 1, above))
    : safeObject(value as Record<string, unknown>, depth, above);
  above.delete(value);
  return safe;
}

function safeObject(
  value: Readonly<Record<string, unknown>>,
  depth: number,
  above: Set<object>,
): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const name of Object.keys(value).slice(0, MAX_ENTRIES)) {
    const item = guarded(() => value[name]);
    const hide =
      telling.test(name) &&
      !harmless.test(name) &&
      item !== null &&
      item !== undefined &&
      typeof item !== 'boolean';
    safe[name] = hide ? '[redacted]' : safeValue(item, depth + 1, above);
  }
  return safe;
}

function safeError(error: Error, depth: number, above: Set<object>): Record<string, unknown> {
  above.add(error);
  const { code, cause } = error as NodeJS.ErrnoException;
  const safe: Record<string, unknown> = { type: error.name, message: safeValue(error.message, depth, above) };
  if (typeof code === 'string' || typeof code === 'number') safe.code = code;
  if (error.stack !== undefined) safe.stack = safeValue(error.stack, depth, above);
  if (cause instanceof Error) safe.cause = safeValue(cause, depth + 1, above);
  above.delete(error);
  return safe;
}

function guarded(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return '[unreadable]';
  }
}
