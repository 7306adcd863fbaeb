// Builds the write of a database command: a pure function of command, table and time.
//
// Invariant: a row goes in whole or the command fails; the only thing ever left out is a field that is no column, with a warning.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed } from '../../domain/action/fail.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { rowId } from '../../domain/action/row-id.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import { lookup, type Views } from '../../domain/templates/lookup.ts';
import { warningsOf } from '../../domain/templates/render.ts';
import { type Row, rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { ColumnShape, DatabaseEngine, Statement, TableShape } from '../../ports/database.ts';
import { type Dialect, dialects } from './dialects.ts';
import { type DatabaseParams, pathOf, tableOf } from './params.ts';
import { buildStatements, type SqlRow } from './statements.ts';
import { toColumn } from './values.ts';

export interface DatabaseWrite {
  readonly statements: readonly Statement[];
  /** Rows that go to the table. */
  readonly rows: number;
  readonly warnings: readonly string[];
}

export interface WriteOptions {
  readonly engine: DatabaseEngine;
  /** null when nothing is known of the table: nothing is left out and types are not checked. */
  readonly shape: TableShape | null;
  /** Epoch ms of this attempt. */
  readonly now: number;
}

/** Throws TemplateError when a template cannot be rendered. */
export function databaseWrite(
  command: Command,
  params: DatabaseParams,
  { engine, shape, now }: WriteOptions,
): DatabaseWrite | Failed {
  const { operation = 'insert', key_columns: keys = [], command_id_column: idColumn } = params;
  const dialect = dialects[engine];
  const unfit = shape === null ? null : checkShape(params, shape);
  if (unfit !== null) return failed('db_object', unfit);
  const warnings = new Set<string>();
  const byKey = new Map<string, SqlRow>();
  for (const [index, row] of rowsOf(command).entries()) {
    const fields = fieldsOf(command, params, row, now, warnings);
    const id: [string, Json][] = idColumn === undefined ? [] : [[idColumn, rowId(command, index)]];
    const taken = takeRow(new Map([...fields, ...id]), params, shape, dialect);
    const where = command.mode === 'all' ? `row ${index}: ` : '';
    if ('failure' in taken) return failed(taken.failure, `${where}${taken.detail}`);
    for (const name of taken.dropped)
      warnings.add(`columns: ${shown(name)} is no column of ${params.table} and was left out`);
    const empty = keys.find((name) => (taken.row.get(name) ?? null) === null);
    if (empty !== undefined) return failed('db_value', `${where}key column ${empty} has no value`);
    // One statement cannot change a row twice: of rows with one key the last counts.
    const key = keys.length === 0 ? String(index) : JSON.stringify(keys.map((name) => taken.row.get(name)));
    if (byKey.delete(key)) warnings.add('key_columns: of rows with the same key only the last was written');
    byKey.set(key, taken.row);
  }
  const rows = [...byKey.values()];
  const plan = {
    table: tableOf(params),
    operation,
    keys,
    once: operation === 'insert' ? (idColumn ?? null) : null,
    rows,
  };
  return { statements: buildStatements(plan, dialect), rows: rows.length, warnings: [...warnings] };
}

function fieldsOf(
  command: Command,
  params: DatabaseParams,
  row: Row,
  now: number,
  warnings: Set<string>,
): [string, Json][] {
  const { columns = 'from_row' } = params;
  if (columns === 'from_row') return Object.entries(row) as [string, Json][];
  const views = viewsOf(command, command.subject.rows === undefined ? { now } : { now, row });
  return Object.entries(columns).map(([name, value]) => [name, fieldValue(value, views, warnings)]);
}

function fieldValue(value: Json, views: Views, warnings: Set<string>): Json {
  const path = pathOf(value);
  if (path !== null) {
    const found = lookup(path, views);
    if (found === undefined) warnings.add(`columns: {{${path}}} has no value and was left empty`);
    return (found ?? null) as Json;
  }
  const rendered = renderJson(value, views);
  for (const warning of warningsOf('columns', rendered)) warnings.add(warning);
  return rendered.value;
}

type Taken =
  | { readonly row: SqlRow; readonly dropped: readonly string[] }
  | { readonly failure: 'db_object' | 'db_value'; readonly detail: string };

function takeRow(
  fields: ReadonlyMap<string, Json>,
  params: DatabaseParams,
  shape: TableShape | null,
  dialect: Dialect,
): Taken {
  const columns = new Map<string, ColumnShape>(shape?.columns.map((column) => [column.name, column]));
  const row = new Map<string, string | null>();
  const dropped: string[] = [];
  for (const [name, value] of fields) {
    const column = columns.get(name) ?? null;
    if (shape !== null && column === null) {
      if (params.unknown_columns === 'refuse')
        return { failure: 'db_object', detail: `${params.table} has no column ${shown(name)}` };
      dropped.push(name);
      continue;
    }
    const converted = toColumn(value, column, dialect);
    if (converted !== null && typeof converted === 'object')
      return { failure: 'db_value', detail: `column ${shown(name)} ${converted.problem}` };
    row.set(name, converted);
  }
  const besides = [...row.keys()].filter((name) => name !== params.command_id_column);
  const others = params.operation === 'update' ? besides.filter((name) => !isKey(params, name)) : besides;
  if (others.length === 0)
    return { failure: 'db_object', detail: `no field is a column of ${params.table} that could be written` };
  return { row, dropped };
}

function isKey(params: DatabaseParams, name: string): boolean {
  return params.key_columns?.includes(name) ?? false;
}

/** What is named in the parameters and the table does not have; null when all is there. */
function checkShape(params: DatabaseParams, shape: TableShape): string | null {
  const { columns = 'from_row', key_columns: keys = [], command_id_column: idColumn, operation } = params;
  const names = new Set(shape.columns.map(({ name }) => name));
  const named = [...(columns === 'from_row' ? [] : Object.keys(columns)), ...keys];
  const missing = [...named, ...(idColumn === undefined ? [] : [idColumn])].find((name) => !names.has(name));
  if (missing !== undefined) return `${params.table} has no column ${missing}`;
  const isUnique = (wanted: readonly string[]): boolean =>
    shape.uniqueKeys.some(
      (key) => key.length === wanted.length && key.every((name) => wanted.includes(name)),
    );
  if (operation === 'upsert' && !isUnique(keys))
    return `${params.table} has no unique index on ${keys.join(', ')}, which upsert needs`;
  if ((operation ?? 'insert') === 'insert' && idColumn !== undefined && !isUnique([idColumn]))
    return `${params.table} has no unique index on ${idColumn}, so that a repeat would add the row again`;
  return null;
}

// Names of fields are data: they go into warnings quoted and short.
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 80));
}
