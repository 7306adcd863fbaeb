// Confluent-framed Avro: byte 0, schema id as big-endian int32, body. Bytes to a plain value, and back for producers.
//
// Invariant: the frame is checked before anything is looked up, and no bytes and no schema make these functions throw.
import { AvroFault, type AvroFaultReason, type Cursor, compileReader, type Read } from './avro-decode.ts';
import { compileProjection, type Wanted } from './avro-project.ts';
import { readAvroSchema, writerType } from './avro-schema.ts';

/** Why Avro is refused beyond the reasons it shares with JSON; one line each, for generated pages. */
export const avroReasons = {
  avro_frame: 'Fewer than six bytes: no room for the frame and a body.',
  avro_magic: 'The first byte is not 0, so the value is not Confluent-framed.',
  avro_decode: 'The body does not fit its schema: truncated, surplus bytes, or written with another schema.',
  avro_limits:
    'The schema is recursive, too deep, has array items without bytes or a field named __proto__; or the value is too large.',
  schema_unknown: 'The schema registry does not know the id, or the id is negative.',
  schema_type: 'The registered schema is not Avro.',
  no_registry: 'Framed Avro arrived, but no schema registry is configured.',
} as const;

export type AvroReason =
  | keyof typeof avroReasons
  | Exclude<AvroFaultReason, 'avro_decode' | 'avro_limits'>
  | 'too_large'
  | 'not_object';

export interface AvroRefusal {
  readonly ok: false;
  readonly reason: AvroReason;
  readonly detail: string;
}

export interface AvroAccepted {
  readonly ok: true;
  readonly value: unknown;
  /** Names of map keys that were left out because they reach prototypes; usually empty. */
  readonly dropped: readonly string[];
}

/** Decodes bodies that were written with one schema. */
export type AvroReader = (bytes: Buffer, start: number, end: number) => AvroAccepted | AvroRefusal;

export const frameBytes = 5;
const nothing: readonly string[] = [];

/** The schema id in a framed value; -1 is never returned, a negative id is refused. */
export function readFrame(bytes: Uint8Array): { readonly ok: true; readonly id: number } | AvroRefusal {
  if (bytes.length > 0 && bytes[0] !== 0) return refuse('avro_magic', `first byte ${bytes[0]}, not 0`);
  if (bytes.length <= frameBytes) return refuse('avro_frame', `${bytes.length} bytes`);
  const id = (bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!;
  return id < 0 ? refuse('schema_unknown', `schema id ${id}`) : { ok: true, id };
}

export interface AvroReaders {
  readonly ok: true;
  readonly read: AvroReader;
  /** A reader that keeps only what is wanted; see avro-project.ts. Compile once and keep it. */
  project(wanted: Wanted): AvroReader;
}

/** Readers for a writer schema (JSON text), or why the schema is refused. Compile once per schema and keep it. */
export function createAvroReader(schema: string): AvroReaders | AvroRefusal {
  const parsed = readAvroSchema(schema);
  if (!parsed.ok) return parsed;
  const { type } = parsed;
  return {
    ok: true,
    read: readerOf(compileReader(type)),
    project: (wanted) => readerOf(compileProjection(type, wanted)),
  };
}

function readerOf(read: Read): AvroReader {
  return (bytes, start, end) => {
    const cursor: Cursor = { bytes, at: start, end, budget: 10_000 + 8 * (end - start), dropped: null };
    try {
      const value = read(cursor);
      if (cursor.at !== end) return refuse('avro_decode', `${end - cursor.at} bytes after the value`);
      return { ok: true, value, dropped: cursor.dropped ?? nothing };
    } catch (error) {
      if (error instanceof AvroFault) return refuse(error.reason, error.message);
      return refuse('avro_decode', (error as Error).name);
    }
  };
}

/** Frames a body. `id` is 0 to 2^31 - 1. */
export function frameAvro(id: number, body: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameBytes + body.length);
  framed[0] = 0;
  framed.writeInt32BE(id, 1);
  framed.set(body, frameBytes);
  return framed;
}

/**
 * An encoder of framed values for producers and tests. `schema` is the parsed schema; a field that is left out takes its default.
 * Throws when a value does not fit the schema.
 */
export function createAvroEncoder(id: number, schema: unknown): (value: unknown) => Buffer {
  const type = writerType(schema);
  return (value) => frameAvro(id, type.toBuffer(value));
}

function refuse(reason: AvroReason, detail: string): AvroRefusal {
  return { ok: false, reason, detail };
}
