// Parameters of the database action as a type, and the checks that its JSON Schema cannot express.
//
// Invariant: no identifier comes from a value. Names in the parameters are plain names; fields of a row become columns only where
// the table has them.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import { parseTemplate } from '../../domain/templates/parse.ts';
import type { TableName } from '../../ports/database.ts';

export interface DatabaseParams {
  readonly table: string;
  readonly operation?: 'insert' | 'update' | 'upsert';
  readonly columns?: 'from_row' | { readonly [column: string]: Json };
  readonly key_columns?: readonly string[];
  readonly command_id_column?: string;
  readonly unknown_columns?: 'drop' | 'refuse';
}

// Everything is quoted in the statement as well; these are the names that people give to tables and columns.
const tableName = /^[\p{L}_#][\p{L}\p{M}\p{N}_$# -]*$/u;
const columnName = /^[\p{L}\p{N}_@#][\p{L}\p{M}\p{N}_$#@. -]*$/u;

/** `schema.table` or `table`, taken apart. */
export function tableOf(params: DatabaseParams): TableName {
  const [table = '', schema = null] = params.table.split('.').reverse();
  return { schema, table };
}

/** The path of {"$": "path"}; null for every other value. */
export function pathOf(value: Json): string | null {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, '$')) return null;
  const path = (value as { readonly $: Json }).$;
  return Object.keys(value).length === 1 && typeof path === 'string' ? path : null;
}

/** A repeat of these parameters changes nothing: it is recognised by the command id, or writes the same over the same row. */
export function isRepeatable(params: DatabaseParams): boolean {
  return (params.operation ?? 'insert') !== 'insert' || params.command_id_column !== undefined;
}

/** Issues of schema-valid parameters. */
export function checkDatabase(params: DatabaseParams): Issue[] {
  const {
    columns = 'from_row',
    key_columns: keys,
    command_id_column: idColumn,
    operation = 'insert',
  } = params;
  const issues: Issue[] = [];
  const parts = params.table.split('.');
  if (parts.length > 2 || !parts.every((part) => tableName.test(part) && part.trim() === part))
    issues.push({
      path: '/table',
      message: 'must be table or schema.table, of letters, digits, _ $ # - and spaces; not a template',
    });
  for (const [index, name] of (keys ?? []).entries())
    issues.push(...checkColumn(name, `/key_columns/${index}`));
  if (idColumn !== undefined) issues.push(...checkColumn(idColumn, '/command_id_column'));
  if (operation !== 'insert' && keys === undefined)
    issues.push({ path: '/key_columns', message: `is required for ${operation}` });
  if (operation === 'insert' && keys !== undefined)
    issues.push({ path: '/key_columns', message: 'cannot be set for insert' });
  if (columns === 'from_row') return issues;
  if (params.unknown_columns !== undefined)
    issues.push({ path: '/unknown_columns', message: 'can only be set with columns: from_row' });
  for (const [name, value] of Object.entries(columns)) {
    const at = `/columns/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    issues.push(...checkColumn(name, at), ...checkValue(value, at));
  }
  if (idColumn !== undefined && Object.hasOwn(columns, idColumn))
    issues.push({ path: '/command_id_column', message: 'is one of the columns already' });
  for (const [index, name] of (keys ?? []).entries())
    if (!Object.hasOwn(columns, name))
      issues.push({ path: `/key_columns/${index}`, message: 'is not one of the columns' });
  if (operation === 'update' && Object.keys(columns).every((name) => keys?.includes(name)))
    issues.push({ path: '/columns', message: 'holds nothing but keys, so that there is nothing to update' });
  return issues;
}

function checkColumn(name: string, path: string): Issue[] {
  if (columnName.test(name) && name.trim() === name) return [];
  return [
    { path, message: 'must be a column name of letters, digits, _ $ # @ . - and spaces; not a template' },
  ];
}

function checkValue(value: Json, path: string): Issue[] {
  const from = pathOf(value);
  if (from === null) return checkJsonTemplate(value, path);
  // A path is what a tag may name.
  if (/[{}]/.test(from)) return [{ path: `${path}/$`, message: 'must be a path such as data.title' }];
  try {
    const { nodes } = parseTemplate(`{{${from}}}`, { raw: false });
    if (nodes.length === 1 && nodes[0]?.kind === 'variable') return [];
  } catch {
    // Told below, in words about paths.
  }
  return [{ path: `${path}/$`, message: 'must be a path such as data.title' }];
}
