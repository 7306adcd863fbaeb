// Builds the files of one report: a pure function of command, parameters and time. Nothing is cut; what is too large is refused.
import { createHash } from 'node:crypto';
import type { Command, Report, ReportStep, SmtpConnection } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import type { Row } from '../../domain/formats/columns.ts';
import { csvOf } from '../../domain/formats/csv.ts';
import { textOfHtml } from '../../domain/formats/html-text.ts';
import { checkSize, mailHead, subjectOf } from '../../domain/mail/compose.ts';
import { recipientTemplates, renderRecipients } from '../../domain/mail/recipients.ts';
import { jsonText } from '../../domain/templates/escape.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import type { MailMessage } from '../../ports/mail.ts';
import { factsOf } from './facts.ts';
import { pageOf } from './page.ts';
import { type Format, formatsOf, type ReportParams } from './params.ts';

/** Bytes of one file. */
export const fileMaxBytes = 10 * 1024 * 1024;

export interface ReportFile {
  readonly name: string;
  readonly format: Format;
  readonly contentType: string;
  readonly content: Buffer;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
}

export interface Built {
  readonly title: string;
  readonly files: readonly ReportFile[];
  readonly warnings: readonly string[];
}

const contentTypes: Readonly<Record<Format, string>> = {
  html: 'text/html; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
};

/** The files, in the order of the formats. `now` is epoch ms of this attempt. Throws TemplateError. */
export function reportFiles(command: Command, params: ReportParams, now: number): Built | Failed {
  const views = viewsOf(command, { now });
  const title = subjectOf(params.title ?? '', views, nameOf(command));
  const stem = renderText(params.file_name ?? 'report', views, 'none');
  const { report, warnings } = factsOf(command, title.text, now);
  const files: ReportFile[] = [];
  for (const format of formatsOf(params)) {
    const content = contentOf(report, format);
    if (content === null || content.length > fileMaxBytes)
      return failed('too_large', `the report as ${format} has more than ${fileMaxBytes} bytes`);
    files.push({
      name: `${stemOf(stem.text)}-${command.command_id}.${format}`,
      format,
      contentType: contentTypes[format],
      content,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
  }
  const own =
    params.title === undefined ? [] : title.warnings.map((text) => text.replace('subject:', 'title:'));
  const distinct = new Set([...own, ...warningsOf('file_name', stem), ...warnings]);
  return { title: title.text, files, warnings: [...distinct] };
}

function nameOf({ subject, playbook, rule, action }: Command): string {
  const run = subject.context?.['run'] as { readonly name?: unknown } | null | undefined;
  const named = typeof run?.name === 'string' ? run.name : playbook?.id;
  return named ?? rule?.name ?? rule?.id ?? action.name ?? action.id;
}

/** First part of a file name: letters, digits, `.`, `_` and `-`, no folders, at most 80 characters. */
function stemOf(text: string): string {
  const plain = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 80);
  return plain === '' ? 'report' : plain;
}

/** null: more than fits. */
function contentOf(report: Report, format: Format): Buffer | null {
  if (format === 'html') return Buffer.from(pageOf(report));
  if (format === 'json') return Buffer.from(`${jsonText(report)}\n`);
  const { content, leftOut } = csvOf(tableOf(report), { maxBytes: fileMaxBytes });
  return leftOut > 0 ? null : content;
}

/** One row for every step; without a run the rows of the search, or the event as one row. */
function tableOf({ run, steps, rows, event, source }: Report): Row[] {
  if (run !== undefined)
    return (steps ?? []).map((step) => ({
      playbook: run.playbook,
      revision: run.revision,
      run: run.key,
      number: run.number,
      source: source.id,
      ...stepRow(step),
    }));
  if (rows !== undefined) return rows as Row[];
  const data = event?.['data'];
  const fields = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  return [{ event: event?.['event'], timestamp: event?.['timestamp'], ...fields }];
}

function stepRow({ started_at: start, ended_at: end, votes = [], ...step }: ReportStep): Row {
  return {
    step: step.path,
    name: step.name ?? '',
    kind: step.kind,
    type: step.type ?? '',
    status: step.status,
    started_at: start ?? '',
    ended_at: end ?? '',
    seconds: start === undefined || end === undefined ? '' : (Date.parse(end) - Date.parse(start)) / 1000,
    due: step.due ?? '',
    tries: step.tries ?? '',
    code: step.code ?? '',
    detail: step.detail ?? '',
    command_id: step.command_id ?? '',
    decisions: votes.map(({ actor, verdict, at = '' }) => [verdict, actor, at].join(' ').trim()).join('; '),
    comments: votes
      .flatMap(({ actor, comment }) => (comment === undefined ? [] : [`${actor}: ${comment}`]))
      .join('; '),
    outputs: step.outputs === undefined ? '' : jsonText(step.outputs),
  };
}

/** The message that carries the files. Throws TemplateError. */
export function reportMail(
  command: Command,
  params: ReportParams,
  { title, files }: Built,
  connection: SmtpConnection,
  now: number,
): { readonly message: MailMessage; readonly warnings: readonly string[] } | Failed {
  const views = viewsOf(command, { now });
  const to = renderRecipients(recipientTemplates(params.to ?? []), views, connection.allowed_domains);
  if (isFailed(to)) return to;
  if (to.addresses.length === 0)
    return failed('invalid_recipient', 'no recipient is left after the tokens were filled in');
  const head = mailHead(connection, command.command_id, to.addresses);
  if (isFailed(head)) return head;
  const subject =
    params.subject === undefined ? { text: title, warnings: [] } : subjectOf(params.subject, views, title);
  const page = files.find(({ format }) => format === 'html')?.content.toString();
  const attach = params.attach ?? true;
  const listed = files.map(({ name, sha256 }) => `${name}\n  SHA-256 ${sha256}`).join('\n');
  const inline = params.inline === true && page !== undefined;
  const message: MailMessage = {
    ...head,
    subject: subject.text,
    date: now,
    text: inline ? `${textOfHtml(page)}\n` : `${title}\n\n${listed}\n`,
    ...(inline ? { html: page } : {}),
    attachments: attach
      ? files.map(({ name, contentType, content }) => ({ filename: name, contentType, content }))
      : [],
  };
  return checkSize(message) ?? { message, warnings: [...to.warnings, ...subject.warnings] };
}
