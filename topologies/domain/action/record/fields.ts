// Additional fields and local parameters: names that the author of an action chose, with values from the event or the rows.
//
// The value `none` copies the field of the row that has the name itself; {"literal": "none"} is the word.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { checkTemplate } from '../../templates/check.ts';
import { renderJson } from '../../templates/json-template.ts';
import { lookup, type Views } from '../../templates/lookup.ts';
import { warningsOf } from '../../templates/render.ts';
import { viewsOf } from '../../templates/view.ts';
import type { Json } from '../outcome.ts';
import type { Writer } from '../ticket/render.ts';

export type FieldTemplates = Readonly<Record<string, string | { readonly literal: string }>>;

/** Bytes of one value as JSON; values of rows that are copied from a set. */
export const fieldMaxBytes = 8_192;
const copiedValues = 100;

const namePattern = '^[^\\u0000-\\u001f\\u007f{}/~]{1,128}$';

export const additionalFieldsParam: JsonSchema = {
  type: 'object',
  maxProperties: 50,
  propertyNames: { pattern: namePattern },
  description:
    'Further fields by name: a template, none to copy the field of that name from the row, or {"literal": text}.',
  additionalProperties: {
    oneOf: [
      { type: 'string', maxLength: 4096 },
      {
        type: 'object',
        additionalProperties: false,
        required: ['literal'],
        properties: { literal: { type: 'string', maxLength: 4096 } },
      },
    ],
  },
};

export const localParams: JsonSchema = {
  type: 'object',
  maxProperties: 50,
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_-]{0,63}$' },
  description:
    'Names for the templates of this action, which outrank all others. Their own templates see the event or row, not each other.',
  additionalProperties: { type: 'string', maxLength: 4096 },
};

/** Template problems, and names that the record has itself. */
export function checkAdditional(
  fields: FieldTemplates | undefined,
  taken: ReadonlySet<string>,
  path = '/additional_fields',
): Issue[] {
  return Object.entries(fields ?? {}).flatMap(([name, value]) => {
    const at = `${path}/${name}`;
    if (taken.has(name)) return [{ path: at, message: `${name} is a field of its own` }];
    if (name === '__proto__') return [{ path: at, message: 'is not allowed as a name' }];
    return typeof value === 'string' ? checkTemplate(value, 'json', at) : [];
  });
}

export function checkLocals(locals: Readonly<Record<string, string>> | undefined): Issue[] {
  return Object.entries(locals ?? {}).flatMap(([name, value]) =>
    checkTemplate(value, 'json', `/local_params/${name}`),
  );
}

/** A writer whose templates see the local parameters first. `now`: epoch ms of this attempt. Throws TemplateError. */
export function writerWithLocals(
  command: Command,
  locals: Readonly<Record<string, string>> | undefined,
  now: number,
  row?: Readonly<Record<string, unknown>>,
): Writer {
  const only = row === undefined ? {} : { row };
  if (locals === undefined) return { views: viewsOf(command, { now, ...only }), warnings: [] };
  const rendered = renderJson(locals, viewsOf(command, { now, ...only }));
  return {
    views: viewsOf(command, { now, ...only, locals: rendered.value as Readonly<Record<string, Json>> }),
    warnings: warningsOf('local_params', rendered),
  };
}

/** The values; one that is missing or too large is left out with a warning. `rows`: of which `none` copies. */
export function writeAdditional(
  writer: Writer,
  fields: FieldTemplates | undefined,
  rows: readonly Readonly<Record<string, unknown>>[],
  field = 'additional_fields',
): Readonly<Record<string, Json>> {
  const written: [string, Json][] = [];
  for (const [name, template] of Object.entries(fields ?? {})) {
    const value = fieldOf(writer, `${field}/${name}`, name, template, rows);
    if (value === undefined) continue;
    if (Buffer.byteLength(JSON.stringify(value)) > fieldMaxBytes)
      writer.warnings.push(`${field}/${name}: is larger than ${fieldMaxBytes} bytes and was left out`);
    else written.push([name, value]);
  }
  return Object.fromEntries(written);
}

function fieldOf(
  writer: Writer,
  at: string,
  name: string,
  template: FieldTemplates[string],
  rows: readonly Readonly<Record<string, unknown>>[],
): Json | undefined {
  if (typeof template !== 'string') return template.literal;
  if (template === 'none') {
    const value = copied(name, rows);
    if (value === undefined) writer.warnings.push(`${at}: no row has the field ${name}; it was left out`);
    return value;
  }
  const rendered = renderJson(template, writer.views);
  writer.warnings.push(...warningsOf(at, rendered));
  return rendered.value ?? undefined;
}

/** The field of the rows: its one value, or the list of its different values in the order of the rows. */
export function copied(name: string, rows: readonly Readonly<Record<string, unknown>>[]): Json | undefined {
  const values = new Map<string, Json>();
  for (const row of rows) {
    const value = lookup(name, [row] satisfies Views);
    if (value === undefined || value === null) continue;
    values.set(JSON.stringify(value), value as Json);
    if (values.size === copiedValues) break;
  }
  return values.size < 2 ? [...values.values()][0] : [...values.values()];
}
