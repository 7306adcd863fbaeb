// The files of one export: records by day, as NDJSON or Parquet. Pure.
//
// Invariant: names and bytes are a function of the command, so that a command that is delivered again replaces its files by themselves.
// Surprise: records of several days are several files; there is no name but the id of the command in a folder of a day.
import { createHash } from 'node:crypto';
import type { Command } from '@tocsin/schemas/types.ts';
import { type ParquetColumn, parquetOf } from '../../domain/formats/parquet.ts';
import type { Refused } from '../../domain/sink/deliver-once.ts';
import { jsonText } from '../../domain/templates/escape.ts';
import { lookup } from '../../domain/templates/lookup.ts';
import type { FilesParams } from './params.ts';
import type { ExportRecord } from './records.ts';

export interface ExportFile {
  /** Below the export folder: `findings/dt=2026-11-28/<command id>.ndjson`. */
  readonly name: string;
  readonly records: number;
  readonly content: Buffer;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
}

interface Line {
  readonly record: ExportRecord;
  readonly json: string;
}

/** The files in the order of their days, and the records that are too large for one. */
export function exportFiles(
  command: Command,
  records: readonly ExportRecord[],
  params: FilesParams,
): { readonly files: readonly ExportFile[]; readonly refused: readonly Refused[] } {
  const { format = 'ndjson', folder = 'findings', date = 'event', max_event_bytes = 1_048_576 } = params;
  const days = new Map<string, Line[]>();
  const refused: Refused[] = [];
  records.forEach((record, index) => {
    const json = jsonText(record.envelope);
    const bytes = Buffer.byteLength(json);
    if (bytes > max_event_bytes) {
      refused.push({ index, why: 'too-large', detail: `${bytes} bytes, more than ${max_event_bytes}` });
      return;
    }
    const day = new Date(date === 'event' ? record.at : command.created_at).toISOString().slice(0, 10);
    const lines = days.get(day);
    if (lines === undefined) days.set(day, [{ record, json }]);
    else lines.push({ record, json });
  });
  const files = [...days].sort().map(([day, lines]) => {
    const content = format === 'ndjson' ? ndjsonOf(lines) : tableOf(command, lines, params);
    return {
      name: `${folder}/dt=${day}/${command.command_id}.${format}`,
      records: lines.length,
      content,
      sha256: createHash('sha256').update(content).digest('hex'),
    };
  });
  return { files, refused };
}

function ndjsonOf(lines: readonly Line[]): Buffer {
  return Buffer.from(lines.map(({ json }) => `${json}\n`).join(''));
}

/** Columns that queries ask for, and all of `data` as JSON. Text that is none stands in `data` alone. */
function tableOf(command: Command, lines: readonly Line[], { compression = 'snappy' }: FilesParams): Buffer {
  const text = (name: string, of: (record: ExportRecord) => unknown, nullable = true): ParquetColumn => ({
    name,
    type: 'text',
    nullable,
    values: lines.map(({ record }) => textOf(of(record))),
  });
  const field = (name: string, ...paths: readonly string[]): ParquetColumn =>
    text(name, ({ row }) => paths.map((path) => textOf(lookup(path, [row]))).find((value) => value !== null));
  return parquetOf(
    [
      text('id', ({ id }) => id, false),
      text('event', ({ envelope }) => envelope['event']),
      { name: 'timestamp', type: 'time', nullable: false, values: lines.map(({ record }) => record.at) },
      field('severity', 'severity'),
      field('asset', 'asset.name', 'asset', 'host.name', 'host'),
      field('asset_id', 'asset.id'),
      field('finding_id', 'finding_id'),
      field('title', 'title'),
      text('tenant', ({ envelope }) => envelope['tenant']),
      text('source', () => command.source.id, false),
      text('rule', () => command.rule?.id),
      text('command_id', () => command.command_id, false),
      text('data', ({ row }) => jsonText(row), false),
    ],
    compression,
  );
}

/** Text of a scalar; null for anything else. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
