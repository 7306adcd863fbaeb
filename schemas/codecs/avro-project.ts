// Reads from an Avro body only what some paths need and skips the rest, for deciding without decoding.
//
// Invariant: it accepts and refuses the same bodies for the same reasons as the full reader, so skipped values are still
// checked; along the wanted paths its value is that of the full reader, elsewhere members are missing.
// Surprise: an object at the end of a path comes as an object with its wanted members only. Maps below a wanted path, and
// maps that are skipped, are read whole: their keys may have dots and must not repeat.
import { isUtf8 } from 'node:buffer';
import avro from 'avsc';
import {
  AvroFault,
  buildRecordOf,
  type Cursor,
  compileReader,
  pick,
  type Read,
  readBlock,
  readLong,
  take,
} from './avro-decode.ts';
import { type AvroType, branchesOf } from './avro-schema.ts';

/** Member names from the top of the value down; lists on the way count for nothing. */
export type WantedPath = readonly string[];

export interface Wanted {
  /** What stands there, of an object only that it is one. */
  readonly paths: readonly WantedPath[];
  /** What stands there with everything in it. */
  readonly whole?: readonly WantedPath[];
}

/** A reader for `type`, which readAvroSchema has accepted, that keeps what is wanted. */
export function compileProjection(type: AvroType, { paths, whole = [] }: Wanted): Read {
  const readers = new Map<AvroType, Read>();
  const skips = new Map<AvroType, Read>();
  return project(type, paths, whole);

  function project(node: AvroType, wanted: readonly WantedPath[], full: readonly WantedPath[]): Read {
    if (full.some((path) => path.length === 0)) return compileReader(node, readers);
    if (wanted.length === 0 && full.length === 0) return skip(node);
    if (node instanceof avro.types.RecordType) {
      const fields = node.fields.map((field) => {
        const part = below(wanted, field.name);
        const rest = below(full, field.name);
        if (part.length === 0 && rest.length === 0) return { name: null, read: skip(field.type) };
        return { name: field.name, read: project(field.type, part, rest) };
      });
      return buildRecordOf(fields);
    }
    if (node instanceof avro.types.ArrayType) return arrayOf(project(node.itemsType, wanted, full));
    const branches = branchesOf(node);
    if (branches !== null) return unionOf(branches.map((branch) => project(branch, wanted, full)));
    return compileReader(node, readers);
  }

  function skip(node: AvroType): Read {
    const known = skips.get(node);
    if (known !== undefined) return known;
    const read = buildSkip(node);
    skips.set(node, read);
    return read;
  }

  function buildSkip(node: AvroType): Read {
    if (node instanceof avro.types.RecordType)
      return buildRecordOf(node.fields.map((field) => ({ name: null, read: skip(field.type) })));
    if (node instanceof avro.types.ArrayType) return skippedArray(skip(node.itemsType));
    const branches = branchesOf(node);
    if (branches !== null) return unionOf(branches.map(skip));
    return node.typeName === 'string' ? skipString : compileReader(node, readers);
  }
}

function below(paths: readonly WantedPath[], name: string): WantedPath[] {
  return paths.flatMap((path) => (path[0] === name ? [path.slice(1)] : []));
}

function unionOf(reads: readonly Read[]): Read {
  return (cursor) => pick(reads, readLong(cursor), 'union branch')(cursor);
}

function arrayOf(readItem: Read): Read {
  return (cursor) => {
    const value: unknown[] = [];
    for (let count = readBlock(cursor); count > 0; count = readBlock(cursor))
      for (let k = 0; k < count; k++) value.push(readItem(cursor));
    return value;
  };
}

function skippedArray(skipItem: Read): Read {
  return (cursor) => {
    for (let count = readBlock(cursor); count > 0; count = readBlock(cursor))
      for (let k = 0; k < count; k++) skipItem(cursor);
    return null;
  };
}

// A view for isUtf8 costs more than looking at the bytes of a usual string.
function skipString(cursor: Cursor): null {
  const size = readLong(cursor);
  const from = cursor.at;
  const to = take(cursor, size);
  const { bytes } = cursor;
  for (let at = from; at < to; at++) {
    if (bytes[at]! < 0x80) continue;
    if (isUtf8(bytes.subarray(at, to))) return null;
    throw new AvroFault('utf8', 'invalid UTF-8 sequence in a string');
  }
  return null;
}
