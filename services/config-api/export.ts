// Files of many rows, written as they are read: CSV that no spreadsheet takes for formulas, or one JSON object a line.
import { Readable } from 'node:stream';
import { csvHeader, csvRecords } from '@tocsin/topologies/domain/formats/csv.ts';
import type { FastifyReply } from 'fastify';

export type ExportFormat = 'csv' | 'ndjson';

export const formatQuery = { enum: ['csv', 'ndjson'], description: 'Default ndjson.' } as const;

type Row = Readonly<Record<string, unknown>>;

/** `pages` are read one after the other, as fast as the receiver takes them. Nested values are JSON text in CSV. */
export function sendRows(
  reply: FastifyReply,
  format: ExportFormat,
  file: string,
  columns: readonly string[],
  pages: AsyncIterable<readonly Row[]>,
): FastifyReply {
  const type = format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson';
  reply
    .header('content-type', type)
    .header('content-disposition', `attachment; filename="${file}.${format}"`);
  return reply.send(Readable.from(linesOf(format, columns, pages)));
}

async function* linesOf(
  format: ExportFormat,
  columns: readonly string[],
  pages: AsyncIterable<readonly Row[]>,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHeader(columns);
  for await (const rows of pages) {
    const shown = rows.map((row) => Object.fromEntries(columns.map((name) => [name, plain(row[name])])));
    const text =
      format === 'csv' ? csvRecords(shown, columns) : shown.map((row) => `${JSON.stringify(row)}\n`).join('');
    if (text !== '') yield text;
  }
}

function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : (value ?? null);
}
