// The body schemas of the routes, made from schemas/documents so that API, OpenAPI and stored documents cannot drift.
//
// What differs from a stored document: kind and id may be left out (the path says them), and a secret of a connection
// may be given as a value (stored, never returned) or as null (removed).

import type { Kind } from '@tocsin/adapters/postgres/config-store.ts';
import { documentSchema, type JsonSchema } from '@tocsin/schemas/codecs/validate.ts';

type Node = Record<string, unknown>;

function resolve(reference: string, home: string): { node: Node; home: string } {
  const [file = '', pointer = ''] = reference.split('#');
  const name = file === '' ? home : file;
  let node = documentSchema(name as Parameters<typeof documentSchema>[0]) as Node;
  for (const part of pointer.split('/').slice(1)) node = node[part] as Node;
  return { node, home: name };
}

/** The same schema with every $ref replaced by what it names; those into `keep` stay, under names that tell whose they are. */
export function inlineSchema(value: unknown, home: string, keep: string | null = null): unknown {
  if (Array.isArray(value)) return value.map((item) => inlineSchema(item, home, keep));
  if (value === null || typeof value !== 'object') return value;
  const node = value as Node;
  if (typeof node.$ref === 'string') {
    if (keep === home && node.$ref.startsWith(local))
      return { $ref: `${local}${sharedName(home, node.$ref.slice(local.length))}` };
    const target = resolve(node.$ref, home);
    return inlineSchema(target.node, target.home, keep);
  }
  const kept = Object.entries(node).filter(([name]) => !['$id', '$schema', 'definitions'].includes(name));
  return Object.fromEntries(kept.map(([name, member]) => [name, inlineSchema(member, home, keep)]));
}

const local = '#/definitions/';

function sharedName(home: string, name: string): string {
  return `${home.replace('.json', '')}-${name}`;
}

/** Steps of a playbook hold steps: a schema without references would have no end. */
export const recursiveKinds: readonly Kind[] = ['playbook'];

/** What references of a stored document's schema name; they start at the root of the schema that it is put into. */
export function sharedDefinitions(kind: Kind): { readonly definitions?: Node } {
  if (!recursiveKinds.includes(kind)) return {};
  const home = `${kind}.json` as const;
  const { definitions } = documentSchema(home) as { definitions: Node };
  const inlined = Object.entries(inlineSchema(definitions, home, home) as Node);
  return { definitions: Object.fromEntries(inlined.map(([name, node]) => [sharedName(home, name), node])) };
}

export function storedSchema(kind: Kind): JsonSchema {
  const home = `${kind}.json` as const;
  return inlineSchema(documentSchema(home), home, recursiveKinds.includes(kind) ? home : null) as JsonSchema;
}

const secretValue = {
  type: 'object',
  additionalProperties: false,
  required: ['value'],
  properties: {
    value: { type: 'string', description: 'The secret itself: stored encrypted, never returned.' },
  },
};

export function bodySchema(kind: Kind): JsonSchema {
  const schema = storedSchema(kind) as Node;
  for (const variant of (schema.oneOf as Node[] | undefined) ?? [schema]) {
    variant.required = (variant.required as string[]).filter((name) => name !== 'kind' && name !== 'id');
    const secrets = (variant.properties as Record<string, Node>).secrets;
    if (secrets === undefined) continue;
    const reference = secrets.additionalProperties as { oneOf: Node[] };
    secrets.additionalProperties = { oneOf: [...reference.oneOf, secretValue, { type: 'null' }] };
  }
  return { ...schema, ...sharedDefinitions(kind) } as JsonSchema;
}
