// Reads concatenated HEC envelopes and says what Splunk would say about each.
// Invariant: bytes are looked at once, and an envelope ends only where its brace closes outside of a string.
// Surprise: envelopes need no separator, white space between them is fine, and an array of envelopes is accepted as well.

export interface HecEvent {
  readonly event: unknown;
  readonly time?: number | string;
  readonly host?: string;
  readonly source?: string;
  readonly sourcetype?: string;
  readonly index?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** A HEC reply code with its text (Splunk's table of HTTP Event Collector status codes). */
export interface HecProblem {
  readonly code: number;
  readonly text: string;
  /** 0-based number of the envelope. */
  readonly number: number;
}

export interface HecParsed {
  /** The envelopes before the first bad one. */
  readonly events: readonly HecEvent[];
  readonly problem: HecProblem | null;
}

export interface HecRules {
  /** Indexes the token may write to; all when absent. */
  readonly indexes?: readonly string[];
  /** Bytes of one envelope; Splunk's maxEventSize is 5 MB. */
  readonly maxEventBytes: number;
}

const texts: Readonly<Record<number, string>> = {
  6: 'Invalid data format',
  7: 'Incorrect index',
  12: 'Event field is required',
  13: 'Event field cannot be blank',
  15: 'Error in handling indexed fields',
};

export function parseEnvelopes(body: Buffer, rules: HecRules): HecParsed {
  const events: HecEvent[] = [];
  const stopped = (code: number): HecParsed => ({
    events,
    problem: { code, text: texts[code] ?? '', number: events.length },
  });
  for (const part of splitValues(body)) {
    if (part === null || part.length > rules.maxEventBytes) return stopped(6);
    const value = parseJson(part);
    if (value === undefined) return stopped(6);
    for (const envelope of Array.isArray(value) ? value : [value]) {
      const code = judge(envelope, rules);
      if (code !== null) return stopped(code);
      events.push(envelope as HecEvent);
    }
  }
  return { events, problem: null };
}

/** Counts the values that a body (in any number of chunks) holds at its top level, and nothing else. */
export class ValueCounter {
  count = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  add(chunk: Uint8Array): void {
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN || byte === OPEN_ARRAY) depth += 1;
      else if (byte === CLOSE || byte === CLOSE_ARRAY) {
        depth -= 1;
        if (depth === 0) this.count += 1;
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
  }

  /** Whether the last value is complete. */
  whole(): boolean {
    return this.#depth === 0 && !this.#inString;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

// Yields the bytes of each top-level object or array; null where something else stands or the end is missing.
function* splitValues(body: Buffer): Generator<Buffer | null> {
  let at = 0;
  for (;;) {
    while (at < body.length && isSpace(body[at]!)) at += 1;
    if (at >= body.length) return;
    const end = body[at] === OPEN || body[at] === OPEN_ARRAY ? valueEnd(body, at) : -1;
    if (end < 0) {
      yield null;
      return;
    }
    yield body.subarray(at, end);
    at = end;
  }
}

function valueEnd(body: Buffer, start: number): number {
  let depth = 0;
  let inString = false;
  for (let i = start; i < body.length; i++) {
    const byte = body[i]!;
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE || byte === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function parseJson(part: Buffer): unknown {
  try {
    return JSON.parse(part.toString('utf8'));
  } catch {
    return undefined;
  }
}

function judge(envelope: unknown, rules: HecRules): number | null {
  if (typeof envelope !== 'object' || envelope === null || Array.isArray(envelope)) return 6;
  const { event, index, fields } = envelope as Record<string, unknown>;
  if (event === undefined || event === null) return 12;
  if (event === '') return 13;
  if (index !== undefined && (typeof index !== 'string' || rules.indexes?.includes(index) === false))
    return 7;
  if (fields === undefined) return null;
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return 6;
  const nested = Object.values(fields).some(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  );
  return nested ? 15 : null;
}
