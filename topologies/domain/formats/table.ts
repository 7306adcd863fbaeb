// Rows as a table for people: aligned text and HTML, cut at a number of rows and bytes with a line that says so.
import { escapeHeader, escapeHtml } from '../templates/escape.ts';
import { cellText, columnsOf, type Row } from './columns.ts';

export interface TableOptions {
  /** Rows shown; default 500. */
  readonly maxRows?: number;
  /** Columns shown; default 50. */
  readonly maxColumns?: number;
  /** Characters of one cell; default 200. */
  readonly maxCell?: number;
  /** Characters of the whole table; default 1 MiB. */
  readonly maxLength?: number;
}

interface Grid {
  readonly columns: readonly string[];
  readonly cells: readonly (readonly string[])[];
  /** Rows that are not shown. */
  readonly more: number;
  readonly moreColumns: number;
}

function gridOf(rows: readonly Row[], options: TableOptions): Grid {
  const { maxRows = 500, maxColumns = 50, maxCell = 200, maxLength = 1024 * 1024 } = options;
  const all = columnsOf(rows);
  const names = all.slice(0, maxColumns);
  const cells: string[][] = [];
  let length = 0;
  for (const row of rows.slice(0, maxRows)) {
    const line = names.map((name) => shorten(escapeHeader(cellText(row, name)), maxCell));
    length += line.reduce((sum, cell) => sum + cell.length + 20, 0);
    if (length > maxLength) break;
    cells.push(line);
  }
  return {
    columns: names.map((name) => shorten(escapeHeader(name), maxCell)),
    cells,
    more: rows.length - cells.length,
    moreColumns: all.length - names.length,
  };
}

/** Columns aligned with spaces, two between them, a rule under the header; empty text when no row has a field. */
export function textTable(rows: readonly Row[], options: TableOptions = {}): string {
  const grid = gridOf(rows, { maxCell: 60, ...options });
  if (grid.columns.length === 0) return '';
  const widths = grid.columns.map((name, index) =>
    grid.cells.reduce((width, line) => Math.max(width, lengthOf(line[index] as string)), lengthOf(name)),
  );
  const lineOf = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell + ' '.repeat((widths[index] as number) - lengthOf(cell)))
      .join('  ')
      .trimEnd();
  return [
    lineOf(grid.columns),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...grid.cells.map(lineOf),
    ...moreLines(grid),
  ].join('\n');
}

/** An HTML table with every name and value escaped; empty text when no row has a field. */
export function htmlTable(rows: readonly Row[], options: TableOptions = {}): string {
  const grid = gridOf(rows, options);
  if (grid.columns.length === 0) return '';
  const cell = (tag: 'th' | 'td', text: string): string =>
    `<${tag} align="left">${escapeHtml(text)}</${tag}>`;
  const lines = [
    '<table border="1" cellpadding="4" cellspacing="0">',
    `<thead><tr>${grid.columns.map((name) => cell('th', name)).join('')}</tr></thead>`,
    '<tbody>',
    ...grid.cells.map((line) => `<tr>${line.map((text) => cell('td', text)).join('')}</tr>`),
    '</tbody>',
    '</table>',
    ...moreLines(grid).map((line) => `<p>${escapeHtml(line)}</p>`),
  ];
  return lines.join('\n');
}

function moreLines(grid: Grid): string[] {
  return [
    ...(grid.more > 0 ? [`... ${grid.more} more rows`] : []),
    ...(grid.moreColumns > 0 ? [`... ${grid.moreColumns} more columns`] : []),
  ];
}

function lengthOf(text: string): number {
  return [...text].length;
}

function shorten(text: string, length: number): string {
  const chars = [...text];
  return chars.length <= length ? text : `${chars.slice(0, length - 1).join('')}…`;
}
