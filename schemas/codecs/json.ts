// JSON from outside: bytes to a value, or the reason why not. Stricter than JSON.parse, which does the parsing.
//
// Invariant: it never throws on any bytes, never recurses into the input before its depth is known, and an accepted value
// is deeply equal to what JSON.parse gives, less the members listed in `dropped`.
// Surprise: this runs for every event; the scan in json-scan.ts keeps its cost below that of JSON.parse itself
// (json.bench.ts measures it).
import { isUtf8 } from 'node:buffer';
import { type JsonReason, type JsonRefusal, jsonReasons } from './json-reasons.ts';
import { deepest, scanJson } from './json-scan.ts';

export type JsonObject = Record<string, unknown>;

export interface JsonLimits {
  /** Default 1 MiB. */
  readonly maxBytes: number;
  /** Nesting of objects and arrays; default 64, at most 128. */
  readonly maxDepth: number;
  /** Members of one object; default 2,000. */
  readonly maxKeys: number;
  /** Bytes of one member name as written; default 1,024. */
  readonly maxKeyBytes: number;
  /** Characters of one number other than an integer that fits; default 100. */
  readonly maxNumberBytes: number;
  /**
   * What a member named __proto__, or constructor with a prototype inside, does: 'drop' leaves it out and reports it
   * (records of a topic, the default), 'refuse' gives `forbidden_key` (requests).
   */
  readonly forbiddenKeys: 'drop' | 'refuse';
  /** Integers beyond 2^53 - 1: 'refuse' gives `number_range` (default), 'text' keeps their digits as a string. */
  readonly bigIntegers: 'refuse' | 'text';
  /** 'object' (default) gives `not_object` for anything else. */
  readonly topLevel: 'object' | 'any';
}

export const defaultJsonLimits: JsonLimits = {
  maxBytes: 1_048_576,
  maxDepth: 64,
  maxKeys: 2_000,
  maxKeyBytes: 1_024,
  maxNumberBytes: 100,
  forbiddenKeys: 'drop',
  bigIntegers: 'refuse',
  topLevel: 'object',
};

export interface JsonAccepted<T> {
  readonly ok: true;
  readonly value: T;
  /** JSON Pointers (RFC 6901) of members that were left out, at most 16 of them; usually empty. */
  readonly dropped: readonly string[];
  /** A byte order mark stood in front. */
  readonly bom: boolean;
}

const nothing: readonly string[] = [];
const mostReported = 16;

/**
 * The value that UTF-8 `bytes` hold, or why they are refused. Limits that are left out have the defaults above.
 * Synchronous; neither keeps nor changes `bytes`.
 */
export function parseJson(
  bytes: Uint8Array,
  limits: Partial<JsonLimits> & { readonly topLevel: 'any' },
): JsonAccepted<unknown> | JsonRefusal;
export function parseJson(
  bytes: Uint8Array,
  limits?: Partial<JsonLimits>,
): JsonAccepted<JsonObject> | JsonRefusal;
export function parseJson(
  bytes: Uint8Array,
  limits?: Partial<JsonLimits>,
): JsonAccepted<unknown> | JsonRefusal {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return parseJsonRange(buffer, 0, buffer.length, limits);
}

/** `parseJson` of `buffer[start, end)`, for the records of a batch that lie in one buffer: makes no view. */
export function parseJsonRange(
  buffer: Buffer,
  start: number,
  end: number,
  limits?: Partial<JsonLimits>,
): JsonAccepted<JsonObject> | JsonRefusal {
  const limit = limits === undefined ? defaultJsonLimits : { ...defaultJsonLimits, ...limits };
  if (limit.maxDepth > deepest) throw new RangeError(`maxDepth ${limit.maxDepth} is above ${deepest}`);
  const size = end - start;
  if (size > limit.maxBytes) return refuse('too_large', `${size} bytes, the limit is ${limit.maxBytes}`);
  const bom = size >= 3 && buffer[start] === 0xef && buffer[start + 1] === 0xbb && buffer[start + 2] === 0xbf;
  const from = bom ? start + 3 : start;
  if (from === end) return refuse('empty', bom ? 'only a byte order mark' : 'no bytes');
  // A NUL is legal nowhere in JSON; in the first two bytes it means UTF-16 or UTF-32 (RFC 4627, section 3).
  if (buffer[from] === 0 || (from + 1 < end && buffer[from + 1] === 0))
    return refuse('utf8', 'looks like UTF-16 or UTF-32');

  const scan = scanJson(buffer, from, end, limit);
  if (scan.reason !== null) return refuse(scan.reason, explain(scan.reason, scan.at, limit));
  const text = scan.ascii ? buffer.toString('latin1', from, end) : buffer.toString('utf8', from, end);
  // Decoding puts U+FFFD where a sequence is invalid; the strict check is for texts that have one.
  if (!scan.ascii && text.includes('\ufffd') && !isUtf8(buffer.subarray(from, end)))
    return refuse('utf8', 'invalid UTF-8 sequence');
  if (scan.bigInteger && limit.bigIntegers === 'refuse')
    return refuse('number_range', `integer beyond 2^53 - 1 at byte ${scan.at}`);

  let value: unknown;
  try {
    value = scan.bigInteger ? JSON.parse(text, keepBigIntegers as Reviver) : JSON.parse(text);
  } catch (error) {
    return refuse('json_syntax', syntaxDetail(error));
  }
  if (limit.topLevel === 'object' && (typeof value !== 'object' || value === null || Array.isArray(value)))
    return refuse('not_object', `${kindOf(value)} at the top level`);
  let dropped = nothing;
  if (scan.suspectKey) {
    dropped = dropForbidden(value);
    if (dropped.length > 0 && limit.forbiddenKeys === 'refuse')
      return refuse(
        'forbidden_key',
        dropped[0]!.endsWith('__proto__') ? '__proto__' : 'constructor.prototype',
      );
  }
  return { ok: true, value: value as JsonObject, dropped, bom };
}

function refuse(reason: JsonReason, detail: string): JsonRefusal {
  return { ok: false, reason, detail };
}

function explain(reason: JsonReason, at: number, limit: JsonLimits): string {
  if (reason === 'depth') return `deeper than ${limit.maxDepth} at byte ${at}`;
  if (reason === 'too_many_keys') return `more than ${limit.maxKeys} members in one object at byte ${at}`;
  if (reason === 'key_length') return `member name above ${limit.maxKeyBytes} bytes at byte ${at}`;
  return `${jsonReasons[reason].split(/[;:.]/, 1)[0]!.toLowerCase()} at byte ${at}`;
}

// V8's messages quote the input, which may be confidential; only the position is taken over.
function syntaxDetail(error: unknown): string {
  const position = /at position (\d+)/.exec(String((error as Error).message))?.[1];
  return position === undefined ? 'not JSON' : `not JSON at character ${position}`;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

type Reviver = (key: string, value: unknown) => unknown;

function keepBigIntegers(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? context.source : value;
}

// Deletes forbidden members in place; the depth is bounded by then.
function dropForbidden(root: unknown): string[] {
  const dropped: string[] = [];
  visit(root, '');
  return dropped;

  function visit(value: unknown, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (let k = 0; k < value.length; k++) visit(value[k], `${path}/${k}`);
      return;
    }
    const members = value as JsonObject;
    for (const name of Object.keys(members)) {
      if (name === '__proto__' || (name === 'constructor' && hasPrototype(members[name]))) {
        delete members[name];
        if (dropped.length < mostReported) dropped.push(`${path}/${name}`);
      } else {
        visit(members[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      }
    }
  }
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');
}
