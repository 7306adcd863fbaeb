// Avro binary (Avro 1.12, Binary Encoding) to plain values as JSON.parse would give them.
//
// Invariant: no value is altered in silence. Integers beyond 2^53 - 1, NaN and infinities, invalid UTF-8, duplicate map keys,
// missing and surplus bytes are refused; the number of values is bounded by the number of bytes.
// Surprise: a record's nullable fields that are null are left out, so that a missing member looks the same in JSON and Avro;
// a null inside a map stays. bytes and fixed become strings of code points 0 to 255 (the specification's JSON encoding).
import { isUtf8 } from 'node:buffer';
import avro from 'avsc';
import { type AvroType, branchesOf } from './avro-schema.ts';

export type AvroFaultReason =
  | 'avro_decode'
  | 'avro_limits'
  | 'number_range'
  | 'duplicate_key'
  | 'too_many_keys'
  | 'utf8';

/** Thrown inside the decoder only; avro.ts turns it into a refusal. */
export class AvroFault extends Error {
  readonly reason: AvroFaultReason;
  constructor(reason: AvroFaultReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Where the decoder stands. `budget` is how many more record fields it may read. */
export interface Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  budget: number;
  dropped: string[] | null;
}

export type Read = (cursor: Cursor) => unknown;

const maxMapKeys = 2_000;

/** A reader for `type`, which readAvroSchema has accepted. */
export function compileReader(type: AvroType, known: Map<AvroType, Read> = new Map()): Read {
  const before = known.get(type);
  if (before !== undefined) return before;
  const read = build(type, (child) => compileReader(child, known));
  known.set(type, read);
  return read;
}

function build(type: AvroType, compile: (child: AvroType) => Read): Read {
  if (type instanceof avro.types.LogicalType) return buildTime(type, compile(type.underlyingType));
  if (type instanceof avro.types.RecordType) return buildRecord(type, compile);
  if (type instanceof avro.types.ArrayType) return buildArray(compile(type.itemsType));
  if (type instanceof avro.types.MapType) return buildMap(compile(type.valuesType as AvroType));
  if (type instanceof avro.types.FixedType) {
    const { size } = type;
    return (cursor) => cursor.bytes.toString('latin1', cursor.at, take(cursor, size));
  }
  if (type instanceof avro.types.EnumType) {
    const { symbols } = type;
    return (cursor) => pick(symbols, readLong(cursor), 'enum symbol');
  }
  const branches = branchesOf(type);
  if (branches !== null) {
    const reads = branches.map(compile);
    return (cursor) => pick(reads, readLong(cursor), 'union branch')(cursor);
  }
  const read = primitives[type.typeName];
  if (read === undefined) throw new AvroFault('avro_limits', `type ${type.typeName}`);
  return read;
}

const primitives: Readonly<Record<string, Read>> = {
  null: () => null,
  boolean: (cursor) => {
    const from = cursor.at;
    take(cursor, 1);
    const byte = cursor.bytes[from]!;
    if (byte > 1) throw new AvroFault('avro_decode', 'a boolean that is neither 0 nor 1');
    return byte === 1;
  },
  int: (cursor) => {
    const value = readLong(cursor);
    if (value !== (value | 0)) throw new AvroFault('avro_decode', 'an int above 32 bits');
    return value;
  },
  long: readLong,
  float: (cursor) => {
    const from = cursor.at;
    take(cursor, 4);
    return shortest(finite(cursor.bytes.readFloatLE(from)));
  },
  double: (cursor) => {
    const from = cursor.at;
    take(cursor, 8);
    return finite(cursor.bytes.readDoubleLE(from));
  },
  string: readString,
  bytes: (cursor) => {
    const size = readLong(cursor);
    return cursor.bytes.toString('latin1', cursor.at, take(cursor, size));
  },
};

function buildRecord(type: avro.types.RecordType, compile: (child: AvroType) => Read): Read {
  return buildRecordOf(type.fields.map((field) => ({ name: field.name, read: compile(field.type) })));
}

/** A reader of a record's fields in order; a field without name is read and left out. */
export function buildRecordOf(
  fields: readonly { readonly name: string | null; readonly read: Read }[],
): Read {
  const names = fields.map(({ name }) => name);
  const reads = fields.map(({ read }) => read);
  return (cursor) => {
    // Records of records, or of nulls, could multiply without using a byte.
    cursor.budget -= 1 + reads.length;
    if (cursor.budget < 0) throw new AvroFault('avro_limits', 'more values than its bytes justify');
    const value: Record<string, unknown> = {};
    for (let k = 0; k < reads.length; k++) {
      const member = reads[k]!(cursor);
      const name = names[k]!;
      if (member !== null && name !== null) value[name] = member;
    }
    return value;
  };
}

function buildArray(readItem: Read): Read {
  return (cursor) => {
    const value: unknown[] = [];
    for (let count = readBlock(cursor); count > 0; count = readBlock(cursor))
      for (let k = 0; k < count; k++) value.push(readItem(cursor));
    return value;
  };
}

function buildMap(readValue: Read): Read {
  return (cursor) => {
    const value: Record<string, unknown> = {};
    let keys = 0;
    let prototypes = 0;
    for (let count = readBlock(cursor); count > 0; count = readBlock(cursor)) {
      for (let k = 0; k < count; k++) {
        if (++keys > maxMapKeys)
          throw new AvroFault('too_many_keys', `more than ${maxMapKeys} keys in one map`);
        const key = readString(cursor);
        const member = readValue(cursor);
        if (key === '__proto__') {
          if (++prototypes > 1) throw new AvroFault('duplicate_key', 'the same map key twice');
          drop(cursor, key);
          continue;
        }
        if (Object.hasOwn(value, key)) throw new AvroFault('duplicate_key', 'the same map key twice');
        value[key] = member;
      }
    }
    const suspect = Object.hasOwn(value, 'constructor') ? value['constructor'] : null;
    if (typeof suspect === 'object' && suspect !== null && Object.hasOwn(suspect, 'prototype')) {
      delete value['constructor'];
      drop(cursor, 'constructor');
    }
    return value;
  };
}

function drop(cursor: Cursor, key: string): void {
  cursor.dropped ??= [];
  if (cursor.dropped.length < 16) cursor.dropped.push(key);
}

// A negative count is followed by the block's size in bytes. A count may claim anything: every item takes a byte, so the
// bytes end first.
export function readBlock(cursor: Cursor): number {
  const count = readLong(cursor);
  if (count >= 0) return count;
  readLong(cursor);
  return -count;
}

export function take(cursor: Cursor, size: number): number {
  if (size < 0 || size > cursor.end - cursor.at) throw new AvroFault('avro_decode', 'truncated');
  cursor.at += size;
  return cursor.at;
}

export function pick<T>(list: readonly T[], index: number, what: string): T {
  const found = list[index];
  if (found === undefined) throw new AvroFault('avro_decode', `no ${what} ${index}`);
  return found;
}

function readString(cursor: Cursor): string {
  const size = readLong(cursor);
  const from = cursor.at;
  const to = take(cursor, size);
  const text = cursor.bytes.toString('utf8', from, to);
  if (text.includes('\ufffd') && !isUtf8(cursor.bytes.subarray(from, to)))
    throw new AvroFault('utf8', 'invalid UTF-8 sequence in a string');
  return text;
}

// Zigzag, seven bits a byte, low bits first. Seven bytes are 49 bits, which a double holds with room to spare.
export function readLong(cursor: Cursor): number {
  const { bytes, end } = cursor;
  const from = cursor.at;
  let at = from;
  let zigzag = 0;
  let unit = 1;
  for (;;) {
    if (at >= end) throw new AvroFault('avro_decode', 'truncated');
    const byte = bytes[at++]!;
    zigzag += (byte & 0x7f) * unit;
    unit *= 128;
    if (byte < 0x80) break;
    if (at - from === 10) throw new AvroFault('avro_decode', 'an integer above 10 bytes');
  }
  cursor.at = at;
  if (at - from > 7) return wideLong(bytes, from, at);
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

function wideLong(bytes: Buffer, from: number, to: number): number {
  let zigzag = 0n;
  for (let at = to - 1; at >= from; at--) zigzag = (zigzag << 7n) | BigInt(bytes[at]! & 0x7f);
  if (zigzag >= 1n << 64n) throw new AvroFault('avro_decode', 'an integer above 64 bits');
  const value = Number((zigzag >> 1n) ^ -(zigzag & 1n));
  if (!Number.isSafeInteger(value)) throw new AvroFault('number_range', 'integer beyond 2^53 - 1');
  return value;
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new AvroFault('number_range', 'NaN or infinity');
}

// A float 9.8 is the double 9.800000190734863; the shortest decimal that gives the same float is what the producer wrote.
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

function buildTime(type: avro.types.LogicalType, read: Read): Read {
  if (type.typeName === 'logical:date')
    return (cursor) => isoTime((read(cursor) as number) * 86_400_000).slice(0, 10);
  if (type.typeName === 'logical:timestamp-millis') return (cursor) => isoTime(read(cursor) as number);
  return (cursor) => {
    const micros = read(cursor) as number;
    const rest = String(((micros % 1000) + 1000) % 1000).padStart(3, '0');
    return isoTime(Math.floor(micros / 1000)).replace('Z', `${rest}Z`);
  };
}

function isoTime(epochMs: number): string {
  const date = new Date(epochMs);
  if (Number.isNaN(date.getTime())) throw new AvroFault('number_range', 'a time outside the calendar');
  return date.toISOString();
}
