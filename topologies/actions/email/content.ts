// Text, HTML and file of one message. Order: body, time, table, signature.
//
// Surprise: with merge the body is rendered once for every row and joined; without it once for the whole command.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Row } from '../../domain/formats/columns.ts';
import { csvMaxBytes, csvOf } from '../../domain/formats/csv.ts';
import { looksLikeHtml, textOfHtml } from '../../domain/formats/html-text.ts';
import { htmlTable, textTable } from '../../domain/formats/table.ts';
import { escapeHeader, escapeHtml, jsonText } from '../../domain/templates/escape.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import type { MailMessage } from '../../ports/mail.ts';
import type { EmailParams } from './params.ts';

export interface Content {
  readonly text: string;
  readonly html?: string;
  readonly attachments: MailMessage['attachments'];
  readonly warnings: readonly string[];
}

/** Content about `rows`. Throws TemplateError. `now` is epoch ms of this attempt, never of an earlier one. */
export function contentOf(
  command: Command,
  params: EmailParams,
  rows: readonly Row[],
  merged: boolean,
  now: number,
): Content {
  const warnings: string[] = [];
  const views = merged ? viewsOf(command, { now, row: rows[0] ?? {} }) : viewsOf(command, { now });
  const html = params.html === true;
  const add = (field: string, template: string, over: Views): string => {
    const rendered = renderText(template, over, html ? 'html' : 'text');
    warnings.push(...warningsOf(field, rendered));
    return rendered.text;
  };
  const body = params.body ?? '';
  const bodies = merged
    ? rows.map((row) => add('body', body, viewsOf(command, { now, row })))
    : [add('body', body, views)];
  const sign = params.sign === undefined ? '' : add('sign', params.sign, views);
  const time = params.enable_time === true ? `Sent at: ${new Date(now).toISOString()}` : '';
  const table = params.enable_table === true;
  const attachments = params.send_file === true ? [fileOf(params, rows, views, warnings)] : [];
  const textPart = paragraphs([
    ...bodies.map((part) => (html ? textOfHtml(part) : part.trimEnd())),
    time,
    table ? textTable(rows) : '',
    // RFC 3676 section 4.3: the separator line ends with a space.
    sign === '' ? '' : `-- \n${html || looksLikeHtml(sign) ? textOfHtml(sign) : sign}`,
  ]);
  const distinct = [...new Set(warnings)];
  if (!html) return { text: textPart, attachments, warnings: distinct };
  const htmlPart = [
    '<!DOCTYPE html>',
    '<html><head><meta charset="utf-8"></head><body>',
    ...bodies.map((part) => (merged ? `<div>${part}</div>` : part)),
    ...(time === '' ? [] : [`<p>${escapeHtml(time)}</p>`]),
    ...(table ? [htmlTable(rows)] : []),
    ...(sign === '' ? [] : [`<div>${sign}</div>`]),
    '</body></html>',
  ].join('\n');
  return { text: textPart, html: htmlPart, attachments, warnings: distinct };
}

function paragraphs(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function fileOf(
  params: EmailParams,
  rows: readonly Row[],
  views: Views,
  warnings: string[],
): MailMessage['attachments'][number] {
  const type = params.file_type ?? 'csv';
  const rendered = renderText(params.file_name ?? 'results', views, 'none');
  warnings.push(...warningsOf('file_name', rendered));
  const filename = safeFileName(rendered.text, type);
  if (type === 'json') {
    const { content, leftOut } = jsonOf(rows);
    if (leftOut > 0) warnings.push(`${filename}: ${leftOut} rows left out, the file would be too large`);
    return { filename, contentType: 'application/json', content };
  }
  const { content, leftOut } = csvOf(rows);
  if (leftOut > 0) warnings.push(`${filename}: ${leftOut} rows left out, the file would be too large`);
  return { filename, contentType: 'text/csv; charset=utf-8', content };
}

function jsonOf(rows: readonly Row[]): { readonly content: Buffer; readonly leftOut: number } {
  const parts: string[] = [];
  let bytes = 4;
  for (const row of rows) {
    const text = jsonText(row);
    bytes += Buffer.byteLength(text) + 2;
    if (bytes > csvMaxBytes) break;
    parts.push(text);
  }
  const leftOut = rows.length - parts.length;
  if (leftOut > 0) parts.push(jsonText({ left_out_rows: leftOut }));
  return { content: Buffer.from(`[\n${parts.join(',\n')}\n]\n`), leftOut };
}

/** A file name without folders, controls or characters that some system gives a meaning, at most 100 characters. */
export function safeFileName(name: string, extension: string): string {
  const clean = escapeHeader(name)
    .replace(/[/\\:*?"<>|;]/g, '_')
    // Direction marks can make `gpj.exe` look like `exe.jpg`.
    .replace(/\p{Cf}/gu, '')
    .replace(/^[.\s_]+/, '')
    .trim();
  const dotted = clean.toLowerCase().endsWith(`.${extension}`)
    ? clean.slice(0, -extension.length - 1)
    : clean;
  const stem = [...dotted].slice(0, 90).join('').trim();
  return `${stem === '' ? 'results' : stem}.${extension}`;
}
