// Rows as a CSV file (RFC 4180: CRLF, header row, quotes doubled), UTF-8. The one place that imports csv-stringify.
//
// Invariant: no text cell can start a formula in a spreadsheet (CWE-1236); numbers stay numbers.
// Surprise: the library's own escape_formulas looks at the first character only; spreadsheets also skip leading
// spaces and quotes, so cells are neutralised here.
import { stringify } from 'csv-stringify/sync';
import { cellText, columnsOf, type Row } from './columns.ts';

export interface CsvOptions {
  /** Bytes of the whole file; rows beyond it are left out and counted in a last row. Default 10 MiB. */
  readonly maxBytes?: number;
}

export interface CsvFile {
  readonly content: Buffer;
  readonly rows: number;
  /** Rows that did not fit. */
  readonly leftOut: number;
}

export const csvMaxBytes = 10 * 1024 * 1024;
const chunkRows = 200;

/** The CSV file of `rows`; the header row holds the union of their fields in first-seen order. */
export function csvOf(rows: readonly Row[], options: CsvOptions = {}): CsvFile {
  const maxBytes = options.maxBytes ?? csvMaxBytes;
  const columns = columnsOf(rows);
  const parts = [Buffer.from(csvHeader(columns))];
  let bytes = parts[0]?.length ?? 0;
  let done = 0;
  while (done < rows.length) {
    const chunk = rows.slice(done, done + chunkRows);
    const part = Buffer.from(csvRecords(chunk, columns));
    if (bytes + part.length > maxBytes) {
      for (const row of chunk) {
        const one = Buffer.from(csvRecords([row], columns));
        if (bytes + one.length > maxBytes) break;
        parts.push(one);
        bytes += one.length;
        done += 1;
      }
      break;
    }
    parts.push(part);
    bytes += part.length;
    done += chunk.length;
  }
  const leftOut = rows.length - done;
  // The marker has as many fields as the header, as RFC 4180 section 2.4 wants of every record.
  if (leftOut > 0)
    parts.push(
      Buffer.from(
        recordsOf([columns.map((_, index) => (index === 0 ? `... ${leftOut} more rows left out` : ''))]),
      ),
    );
  return { content: Buffer.concat(parts), rows: done, leftOut };
}

/** One record: the names themselves. For files that are written as they grow. */
export function csvHeader(columns: readonly string[]): string {
  return recordsOf([columns.map(neutralise)]);
}

/** The records of some rows of such a file. */
export function csvRecords(rows: readonly Row[], columns: readonly string[]): string {
  return rows.length === 0 ? '' : recordsOf(rows.map((row) => cellsOf(row, columns)));
}

function cellsOf(row: Row, columns: readonly string[]): string[] {
  return columns.map((column) => {
    const text = cellText(row, column);
    const value = row[column];
    return typeof value === 'number' || typeof value === 'bigint' ? text : neutralise(text);
  });
}

// Spreadsheets start a formula at = + - @ (also their full-width forms), tab and carriage return, and skip spaces and quotes before.
function neutralise(text: string): string {
  return /^[\s"']*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text;
}

function recordsOf(records: readonly (readonly string[])[]): string {
  return stringify(records as string[][], { record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}
