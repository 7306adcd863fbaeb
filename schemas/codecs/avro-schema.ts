// Reads an Avro schema into a tree that the decoder compiles, and refuses schemas that a hostile record could abuse.
//
// Invariant: every value of an accepted schema has bounded depth, and every array item takes at least one byte, so the size
// of a decoded value is bounded by the size of its bytes.
// Surprise: avsc parses and checks the schema but does not decode with it here: its maps let a key named __proto__ replace
// the prototype, its arrays allocate what a five-byte record claims, and it has no limits (avro-decode.ts has).
import avro from 'avsc';
import type { AvroRefusal } from './avro.ts';

export type AvroType = avro.Type;

const maxDepth = 64;
/** Characters of a schema as text. */
const maxSchemaLength = 262_144;

/** Logical types that change how a value reads in JSON; the others read as their underlying type. */
export const timeTypes = ['timestamp-millis', 'timestamp-micros', 'date'] as const;

// avsc drops the annotation of a logical type that it does not know; these classes only keep it.
const markers = Object.fromEntries(
  timeTypes.map((name) => [name, class extends avro.types.LogicalType {}]),
) as unknown as Record<string, new (schema: avro.Schema, options?: unknown) => avro.types.LogicalType>;

/** The schema as a type tree, or why it is refused: `schema_type` (not an Avro schema) or `avro_limits`. */
export function readAvroSchema(text: string): { readonly ok: true; readonly type: AvroType } | AvroRefusal {
  if (text.length > maxSchemaLength)
    return refuse('avro_limits', `schema above ${maxSchemaLength} characters`);
  let type: AvroType;
  try {
    type = avro.Type.forSchema(JSON.parse(text) as avro.Schema, {
      logicalTypes: markers,
      omitRecordMethods: true,
    });
  } catch {
    return refuse('schema_type', 'not an Avro schema');
  }
  const fault = findFault(type);
  return fault === null ? { ok: true, type } : refuse('avro_limits', fault);
}

/** A type for encoding: unions take plain values. */
export function writerType(schema: unknown): AvroType {
  return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'auto' });
}

/** Whether `reader` reads what `writer` wrote (Avro 1.12, Schema Resolution); null, or the first mismatch. */
export function resolutionFault(reader: unknown, writer: unknown): string | null {
  try {
    writerType(reader).createResolver(writerType(writer));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function refuse(reason: 'schema_type' | 'avro_limits', detail: string): AvroRefusal {
  return { ok: false, reason, detail };
}

/** The types directly inside `type`. */
export function childrenOf(type: AvroType): readonly AvroType[] {
  if (type instanceof avro.types.LogicalType) return [type.underlyingType];
  if (type instanceof avro.types.RecordType) return type.fields.map((field) => field.type);
  if (type instanceof avro.types.ArrayType) return [type.itemsType];
  if (type instanceof avro.types.MapType) return [type.valuesType as AvroType];
  return branchesOf(type) ?? [];
}

/** The branches of a union; null for any other type. */
export function branchesOf(type: AvroType): readonly AvroType[] | null {
  return type.typeName.startsWith('union:') ? (type as avro.types.UnwrappedUnionType).types : null;
}

interface Measure {
  /** Fewest bytes that a value takes. */
  readonly least: number;
  readonly depth: number;
}

function findFault(root: AvroType): string | null {
  const measured = new Map<AvroType, Measure | 'open'>();
  let fault: string | null = null;
  measure(root, 1);
  return fault;

  function measure(type: AvroType, level: number): Measure {
    const known = measured.get(type);
    if (known === 'open') fault ??= `recursive type ${type.name ?? type.typeName}`;
    if (level > maxDepth) fault ??= `types nested deeper than ${maxDepth}`;
    if (fault !== null || known === 'open') return { least: 1, depth: 1 };
    if (known !== undefined) {
      if (level + known.depth - 1 > maxDepth) fault ??= `types nested deeper than ${maxDepth}`;
      return known;
    }
    measured.set(type, 'open');
    if (type instanceof avro.types.RecordType)
      for (const field of type.fields) if (field.name === '__proto__') fault ??= 'a field is named __proto__';
    const inner = childrenOf(type).map((child) => measure(child, level + 1));
    if (type instanceof avro.types.ArrayType && inner[0]!.least === 0)
      fault ??= 'array items that take no bytes';
    const result = {
      least: leastBytes(type, inner),
      depth: 1 + inner.reduce((most, child) => Math.max(most, child.depth), 0),
    };
    measured.set(type, result);
    return result;
  }
}

function leastBytes(type: AvroType, inner: readonly Measure[]): number {
  if (branchesOf(type) !== null)
    return 1 + inner.reduce((least, child) => Math.min(least, child.least), Infinity);
  if (type instanceof avro.types.RecordType || type instanceof avro.types.LogicalType)
    return inner.reduce((sum, child) => sum + child.least, 0);
  if (type instanceof avro.types.FixedType) return type.size;
  if (type.typeName === 'null') return 0;
  if (type.typeName === 'float') return 4;
  return type.typeName === 'double' ? 8 : 1;
}
