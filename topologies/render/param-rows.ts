// The parameters of a manifest as rows: nested ones below the path of their parent, limits in words.
//
// Surprise: of alternatives (anyOf, oneOf) the type names all; members of those that are objects have rows as well.
import type { JsonSchema } from '@tocsin/schemas/codecs/validate.ts';

export interface ParamRow {
  /** a.b, a[].b for members of list items, a.<name> for members with free names. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  /** The default; undefined without one. */
  readonly fallback: unknown;
  readonly meaning: string;
}

/** Rows of an object schema, depth first, in its order. */
export function paramRows(schema: JsonSchema, below = ''): ParamRow[] {
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).flatMap(
    ([name, member]) => {
      const path = `${below}${name}`;
      return [
        {
          path,
          type: typeText(member),
          required: required.has(name),
          fallback: member['default'],
          meaning: String(member['description'] ?? ''),
        },
        ...membersOf(member, path),
      ];
    },
  );
}

function membersOf(schema: JsonSchema, path: string): ParamRow[] {
  const found = new Map<string, ParamRow>();
  for (const one of [schema, ...alternativesOf(schema)]) {
    const { items, additionalProperties: free } = one as {
      items?: JsonSchema;
      additionalProperties?: unknown;
    };
    for (const row of [
      ...paramRows(one, `${path}.`),
      ...(items === undefined ? [] : membersOf(items, `${path}[]`)),
      ...(typeof free === 'object' && free !== null ? membersOf(free as JsonSchema, `${path}.<name>`) : []),
    ])
      if (!found.has(row.path)) found.set(row.path, row);
  }
  return [...found.values()];
}

function alternativesOf(schema: JsonSchema): JsonSchema[] {
  return (schema['anyOf'] ?? schema['oneOf'] ?? []) as JsonSchema[];
}

/** The type with its limits, for people. */
export function typeText(schema: JsonSchema): string {
  const alternatives = alternativesOf(schema);
  if (schema['type'] === undefined && alternatives.length > 0)
    return [...new Set(alternatives.map(typeText))].join(' or ');
  if (schema['const'] !== undefined) return `\`${JSON.stringify(schema['const'])}\``;
  if (Array.isArray(schema['enum']))
    return schema['enum'].map((one) => `\`${JSON.stringify(one)}\``).join(', ');
  const { type = 'any', items } = schema as { type?: string | string[]; items?: JsonSchema };
  const name = Array.isArray(type) ? type.join(' or ') : type;
  const limits = limitsOf(schema);
  const text = limits.length === 0 ? name : `${name}, ${limits.join(', ')}`;
  return items === undefined ? text : `${text}; items: ${typeText(items)}`;
}

function limitsOf(schema: JsonSchema): string[] {
  const range = (low: unknown, high: unknown, unit: string): string[] => {
    if (low === undefined && high === undefined) return [];
    if (low === undefined) return [`at most ${high}${unit}`];
    if (high === undefined) return [`at least ${low}${unit}`];
    return [`${low} to ${high}${unit}`];
  };
  return [
    ...range(schema['minLength'], schema['maxLength'], ' characters'),
    ...range(schema['minItems'], schema['maxItems'], ' items'),
    ...range(schema['minProperties'], schema['maxProperties'], ' members'),
    ...range(schema['minimum'], schema['maximum'], ''),
    ...(schema['uniqueItems'] === true ? ['no item twice'] : []),
    ...(schema['format'] === undefined ? [] : [`format ${schema['format']}`]),
    ...(schema['pattern'] === undefined ? [] : [`matches \`${schema['pattern']}\``]),
  ];
}
