// The value of a record, JSON or Confluent-framed Avro, as one plain object.
//
// Invariant: JSON, and Avro whose schema is known, come back at once and not as a promise: the evaluator does not await per record.
// Surprise: 'auto' tells the two apart by the first byte, which is 0 in the frame and never in JSON. UTF-16 JSON with a leading
// 0 (big-endian) therefore counts as Avro and is refused as such.
import {
  type AvroReader,
  type AvroReaders,
  type AvroReason,
  type AvroRefusal,
  avroReasons,
  createAvroReader,
  frameBytes,
  readFrame,
} from './avro.ts';
import type { Wanted } from './avro-project.ts';
import { defaultJsonLimits, type JsonLimits, type JsonObject, parseJson } from './json.ts';
import { type JsonReason, jsonReasons } from './json-reasons.ts';

export type DecodeReason = JsonReason | AvroReason | 'registry_unavailable';

/** One line per reason, for generated pages. */
export const decodeReasons: Readonly<Record<DecodeReason, string>> = {
  ...jsonReasons,
  ...avroReasons,
  registry_unavailable: 'The schema registry does not answer; the record waits and is tried again.',
};

/** Where writer schemas come from. An implementation caches: it is asked for an id until it has given the schema once. */
export interface SchemaSource {
  /** The schema registered under `id` as JSON text. Never rejects; `registry_unavailable` may pass, the others do not. */
  schemaById(id: number): Promise<SchemaAnswer>;
}

export type SchemaAnswer =
  | { readonly ok: true; readonly schema: string }
  | {
      readonly ok: false;
      readonly reason: 'schema_unknown' | 'registry_unavailable' | 'schema_type';
      readonly detail: string;
    };

export interface DecodedValue {
  readonly ok: true;
  readonly value: JsonObject;
  readonly format: 'json' | 'avro';
  /** Members that were left out because they reach prototypes: JSON Pointers, or names of Avro map keys. */
  readonly dropped: readonly string[];
  /** A byte order mark stood in front of the JSON. */
  readonly bom?: true;
}

export interface Undecodable {
  readonly ok: false;
  readonly reason: DecodeReason;
  /** One line for people, without text of the input. */
  readonly detail: string;
  /** Present when the same bytes may decode later: wait and try again, do not dead-letter. */
  readonly transient?: true;
}

export type Decoded = DecodedValue | Undecodable;

export interface DecodeOptions {
  readonly format: 'auto' | 'json' | 'avro';
  /** Without it framed Avro is refused as `no_registry`. */
  readonly schemas?: SchemaSource;
  readonly limits?: Partial<Omit<JsonLimits, 'topLevel'>>;
  /**
   * Avro: decode only what is wanted; the rest is checked and left out. JSON comes whole. Give the same object as long as it
   * is the same: readers are compiled for it once per schema.
   */
  readonly keep?: Wanted;
}

type Compiled = ReturnType<typeof createAvroReader>;

const maxReaders = 1_000;
const readersOf = new WeakMap<SchemaSource, Map<number, Compiled>>();
const projectionsOf = new WeakMap<Wanted, Map<AvroReaders, AvroReader>>();

/**
 * Decodes one record value. The answer is a promise only for Avro whose schema was not asked for before:
 *
 *     const answer = decodeValue(bytes, options);
 *     const decoded = answer instanceof Promise ? await answer : answer;
 *
 * Never throws and never rejects because of `bytes`. Limits as in parseJson; `maxBytes` holds for both formats.
 */
export function decodeValue(bytes: Uint8Array, options: DecodeOptions): Decoded | Promise<Decoded> {
  if (options.format === 'json' || (options.format === 'auto' && bytes[0] !== 0)) {
    const parsed = parseJson(bytes, options.limits);
    if (!parsed.ok) return parsed;
    const { value, dropped, bom } = parsed;
    return { ok: true, value, format: 'json', dropped, ...(bom ? { bom } : {}) };
  }
  const limit = options.limits?.maxBytes ?? defaultJsonLimits.maxBytes;
  if (bytes.length > limit) return refuse('too_large', `${bytes.length} bytes, the limit is ${limit}`);
  const frame = readFrame(bytes);
  if (!frame.ok) return frame;
  const { schemas, keep } = options;
  if (schemas === undefined) return refuse('no_registry', `schema id ${frame.id}`);
  const known = readersOf.get(schemas)?.get(frame.id);
  return known === undefined ? fetchAndRead(bytes, frame.id, schemas, keep) : readWith(known, bytes, keep);
}

async function fetchAndRead(
  bytes: Uint8Array,
  id: number,
  schemas: SchemaSource,
  keep: Wanted | undefined,
): Promise<Decoded> {
  const answer = await schemas.schemaById(id);
  if (!answer.ok) {
    const { reason, detail } = answer;
    return reason === 'registry_unavailable'
      ? { ok: false, reason, detail, transient: true }
      : { ok: false, reason, detail };
  }
  return readWith(remember(schemas, id, answer.schema), bytes, keep);
}

// Ids are immutable in a registry, so a reader, or the refusal of a schema, never becomes stale.
function remember(schemas: SchemaSource, id: number, schema: string): Compiled {
  let readers = readersOf.get(schemas);
  if (readers === undefined) {
    readers = new Map();
    readersOf.set(schemas, readers);
  }
  let compiled = readers.get(id);
  if (compiled === undefined) {
    compiled = createAvroReader(schema);
    if (readers.size >= maxReaders) readers.delete(readers.keys().next().value as number);
    readers.set(id, compiled);
  }
  return compiled;
}

function readWith(compiled: Compiled, bytes: Uint8Array, keep: Wanted | undefined): Decoded {
  if (!compiled.ok) return compiled;
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = keep === undefined ? compiled.read : projectionOf(compiled, keep);
  const result = read(buffer, frameBytes, buffer.length);
  if (!result.ok) return result;
  const { value, dropped } = result;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('not_object', 'the schema is not a record');
  return { ok: true, value: value as JsonObject, format: 'avro', dropped };
}

function projectionOf(readers: AvroReaders, keep: Wanted): AvroReader {
  let projections = projectionsOf.get(keep);
  if (projections === undefined) {
    projections = new Map();
    projectionsOf.set(keep, projections);
  }
  let read = projections.get(readers);
  if (read === undefined) {
    read = readers.project(keep);
    projections.set(readers, read);
  }
  return read;
}

function refuse(reason: DecodeReason, detail: string): Undecodable | AvroRefusal {
  return { ok: false, reason: reason as AvroReason, detail };
}
