// Typed fields of incidents: what a definition makes of a value.
//
// Surprise: a value that does not fit is no reason to lose an incident, and values come from whoever is attacking: it is left out,
// and the incident says so.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../action/outcome.ts';
import { decimalOf } from '../formats/decimal.ts';
import { readInstant } from '../rules/instant.ts';
import { textOf } from '../templates/escape.ts';

export interface FieldDefinition {
  readonly type: 'text' | 'number' | 'boolean' | 'time' | 'list';
  readonly required?: boolean;
}

export type FieldDefinitions = Readonly<Record<string, FieldDefinition>>;

/** UTF-16 units of a text, items of a list. */
export const fieldLimits = { text: 8_192, items: 100, fields: 50 } as const;

export const definitionsParam: JsonSchema = {
  type: 'object',
  maxProperties: fieldLimits.fields,
  propertyNames: { pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$' },
  description: 'Fields that incidents have, by name: their type, and whether a value is required.',
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    required: ['type'],
    properties: {
      type: { enum: ['text', 'number', 'boolean', 'time', 'list'] },
      required: { type: 'boolean', default: false },
    },
  },
};

/** The value as the field keeps it, null for none, or why it does not fit. */
export function fieldValue({ type }: FieldDefinition, value: unknown): { readonly value: Json } | string {
  if (value === null || value === undefined || value === '') return { value: null };
  switch (type) {
    case 'text': {
      const text = textOf(value);
      return text.length > fieldLimits.text
        ? `is longer than ${fieldLimits.text} characters`
        : { value: text };
    }
    case 'number': {
      const number = decimalOf(value);
      return number === null ? 'is no number' : { value: number };
    }
    case 'boolean':
      if (value === true || value === 'true') return { value: true };
      if (value === false || value === 'false') return { value: false };
      return 'is neither true nor false';
    case 'time': {
      const at = readInstant(value);
      return at === undefined || at < 0 || at > latest
        ? 'is no time such as 2026-04-28T12:00:00Z'
        : { value: new Date(at).toISOString() };
    }
    case 'list': {
      const items = (Array.isArray(value) ? value : [value]).map(textOf);
      if (items.length > fieldLimits.items) return `has more than ${fieldLimits.items} items`;
      return items.some((item) => item.length > fieldLimits.text)
        ? `has an item of more than ${fieldLimits.text} characters`
        : { value: items };
    }
  }
}

const latest = Date.UTC(9999, 11, 31);

/** Fields that are set without a definition, and required ones that are not set. */
export function checkFields(
  definitions: FieldDefinitions,
  fields: Readonly<Record<string, unknown>>,
  path: string,
): Issue[] {
  const issues = Object.keys(fields)
    .filter((name) => !Object.hasOwn(definitions, name))
    .map((name) => ({ path: `${path}/${name}`, message: 'is not in field_definitions' }));
  for (const [name, { required }] of Object.entries(definitions))
    if (required === true && !Object.hasOwn(fields, name))
      issues.push({ path: `${path}/${name}`, message: 'is required by field_definitions' });
  return issues;
}
