// Rows as a grid: the union of their fields in the order in which they are first seen, and the text of each cell.
import { textOf } from '../templates/escape.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Field names of all rows, each once. */
export function columnsOf(rows: readonly Row[]): string[] {
  const columns = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) columns.add(name);
  return [...columns];
}

/** Text of one cell; a field that the row does not have is empty, nested values are JSON. */
export function cellText(row: Row, column: string): string {
  return Object.hasOwn(row, column) ? textOf(row[column]) : '';
}
