// Puts the named types that an Avro schema takes from other registered schemas into its own text.
// Invariant: the result defines each name once, where it is first used in reading order, as Avro parsers want it.
type Named = { readonly name: string; readonly namespace?: string };
type Json = unknown;

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

/** One self-contained schema text; null when one of the texts is not JSON. A name nobody defines stays as it is. */
export function inlineReferences(schema: string, referenced: readonly string[]): string | null {
  const definitions = new Map<string, Json>();
  try {
    for (const text of referenced) collect(JSON.parse(text), '', definitions);
    return JSON.stringify(inline(JSON.parse(schema), '', definitions, new Set()));
  } catch {
    return null;
  }
}

function isNamed(node: Json): node is Named & Record<string, Json> {
  return (
    typeof node === 'object' && node !== null && typeof (node as Named).name === 'string' && 'type' in node
  );
}

function fullName(node: Named, around: string): string {
  return qualify(node.name, node.namespace ?? around);
}

function qualify(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function namespaceOf(full: string): string {
  return full.slice(0, Math.max(0, full.lastIndexOf('.')));
}

// Every named type inside, each with its full name, so that it means the same wherever it is put.
function collect(node: Json, around: string, into: Map<string, Json>): void {
  if (Array.isArray(node)) for (const branch of node) collect(branch, around, into);
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
  const object = node as Record<string, Json>;
  let inside = around;
  if (isNamed(node) && ['record', 'error', 'enum', 'fixed'].includes(String(object['type']))) {
    const full = fullName(node, around);
    inside = namespaceOf(full);
    if (!into.has(full)) into.set(full, { ...object, name: full });
  }
  for (const part of ['items', 'values', 'type']) collect(object[part], inside, into);
  if (Array.isArray(object['fields']))
    for (const field of object['fields'] as Record<string, Json>[]) collect(field['type'], inside, into);
}

function inline(node: Json, around: string, definitions: Map<string, Json>, done: Set<string>): Json {
  if (typeof node === 'string') {
    if (primitives.has(node)) return node;
    const full = qualify(node, around);
    const definition = definitions.get(full) ?? definitions.get(node);
    if (definition === undefined || done.has(full) || done.has(node)) return node;
    return inline(definition, around, definitions, done);
  }
  if (Array.isArray(node)) return node.map((branch) => inline(branch, around, definitions, done));
  if (typeof node !== 'object' || node === null) return node;
  const object = { ...(node as Record<string, Json>) };
  let inside = around;
  if (isNamed(node) && ['record', 'error', 'enum', 'fixed'].includes(String(object['type']))) {
    const full = fullName(node, around);
    if (done.has(full)) return full;
    done.add(full);
    inside = namespaceOf(full);
  } else if (typeof object['type'] !== 'string' || !['array', 'map'].includes(object['type'])) {
    object['type'] = inline(object['type'], inside, definitions, done);
  }
  for (const part of ['items', 'values'])
    if (part in object) object[part] = inline(object[part], inside, definitions, done);
  if (Array.isArray(object['fields']))
    object['fields'] = (object['fields'] as Record<string, Json>[]).map((field) => ({
      ...field,
      type: inline(field['type'], inside, definitions, done),
    }));
  return object;
}
