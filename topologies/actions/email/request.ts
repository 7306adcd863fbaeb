// Builds the messages of one e-mail command: a pure function of command, connection and time.
//
// Invariant: sender, envelope and Message-ID come from connection and command; no value can add a recipient or a header.
// One command gives one message, unless merge parts the rows among recipients: then every distinct set of rows is one
// message, so that each recipient gets exactly one.
import { createHash } from 'node:crypto';
import type { Command, SmtpConnection } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import type { Row } from '../../domain/formats/columns.ts';
import { parseDomain, parseMailbox, parseSender } from '../../domain/formats/mailbox.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { MailMessage } from '../../ports/mail.ts';
import { contentOf } from './content.ts';
import { renderHeaders } from './headers.ts';
import { type EmailParams, recipientTemplates } from './params.ts';
import { renderRecipients } from './recipients.ts';

/** Bytes of one message as it travels; larger ones are refused by common servers. */
export const messageMaxBytes = 25 * 1024 * 1024;
const subjectMaxLength = 255;

export interface EmailMessages {
  readonly messages: readonly MailMessage[];
  readonly warnings: readonly string[];
}

/** Throws TemplateError when a template cannot be rendered. */
export function emailMessages(
  command: Command,
  params: EmailParams,
  connection: SmtpConnection,
  now: number,
): EmailMessages | Failed {
  const groups = groupsOf(command, params, connection, now);
  if (isFailed(groups)) return groups;
  const warnings = new Set(groups.warnings);
  const messages: MailMessage[] = [];
  for (const group of groups.list) {
    const id =
      groups.list.length === 1 ? command.command_id : `${command.command_id}.${digest(group.to.join(','))}`;
    const built = messageOf(command, params, connection, group, id, now);
    if (isFailed(built)) return built;
    messages.push(built.message);
    for (const warning of built.warnings) warnings.add(warning);
  }
  return { messages, warnings: [...warnings] };
}

interface Group {
  readonly to: readonly string[];
  readonly rows: readonly Row[];
  readonly merged: boolean;
}

/** Whether bodies are rendered per row: merge was asked for, there is a set to merge, and run once does not win. */
function merges(command: Command, params: EmailParams): boolean {
  const runOnce = params.is_once === true || command.run_once === true;
  return params.merge === true && !runOnce && command.mode === 'all';
}

function groupsOf(
  command: Command,
  params: EmailParams,
  connection: SmtpConnection,
  now: number,
): { readonly list: readonly Group[]; readonly warnings: readonly string[] } | Failed {
  const templates = recipientTemplates(params.to);
  const rows = rowsOf(command);
  if (!merges(command, params)) {
    const to = renderRecipients(templates, viewsOf(command, { now }), connection.allowed_domains);
    if (isFailed(to)) return to;
    if (to.addresses.length === 0)
      return failed('invalid_recipient', 'no recipient is left after the tokens were filled in');
    return { list: [{ to: to.addresses, rows, merged: false }], warnings: to.warnings };
  }
  const warnings: string[] = [];
  const rowsFor = new Map<string, number[]>();
  for (const [index, row] of rows.entries()) {
    const to = renderRecipients(templates, viewsOf(command, { now, row }), connection.allowed_domains);
    if (isFailed(to)) return to;
    warnings.push(...to.warnings);
    if (to.addresses.length === 0) warnings.push(`row ${index} names no recipient and was left out`);
    for (const address of to.addresses) rowsFor.set(address, [...(rowsFor.get(address) ?? []), index]);
  }
  const bySet = new Map<string, string[]>();
  for (const [address, indexes] of rowsFor) {
    const key = indexes.join();
    bySet.set(key, [...(bySet.get(key) ?? []), address]);
  }
  if (bySet.size === 0)
    return failed('invalid_recipient', 'no recipient is left after the tokens were filled in');
  const list = [...bySet].map(([key, to]) => ({
    to,
    rows: key.split(',').map((index) => rows[Number(index)] as Row),
    merged: true,
  }));
  return { list, warnings };
}

function messageOf(
  command: Command,
  params: EmailParams,
  connection: SmtpConnection,
  group: Group,
  id: string,
  now: number,
): { readonly message: MailMessage; readonly warnings: readonly string[] } | Failed {
  const sender = parseSender(connection.from);
  if (sender === null)
    return failed('invalid_params', `connection ${connection.id}: from is not a mail address`, 'pause');
  const replyTo = connection.reply_to === undefined ? undefined : parseMailbox(connection.reply_to);
  if (replyTo === null)
    return failed('invalid_params', `connection ${connection.id}: reply_to is not a mail address`, 'pause');
  const domain = parseDomain(
    connection.message_id_domain ?? sender.address.slice(sender.address.indexOf('@') + 1),
  );
  if (domain === null)
    return failed(
      'invalid_params',
      `connection ${connection.id}: message_id_domain is not a host name`,
      'pause',
    );
  const views = viewsOf(command, group.merged ? { now, row: group.rows[0] ?? {} } : { now });
  const subject = subjectOf(command, params, views);
  const headers = renderHeaders(params.headers ?? [], views);
  if (isFailed(headers)) return headers;
  const content = contentOf(command, params, group.rows, group.merged, now);
  const message: MailMessage = {
    envelope: { from: sender.address, to: group.to },
    from: sender.header,
    to: group.to,
    ...(replyTo === undefined ? {} : { replyTo }),
    subject: subject.text,
    messageId: `<${id}@${domain}>`,
    date: now,
    text: content.text,
    ...(content.html === undefined ? {} : { html: content.html }),
    // RFC 3834: nobody's holiday notice should answer.
    headers: [['Auto-Submitted', 'auto-generated'], ...headers.lines],
    attachments: content.attachments,
  };
  const bytes = sizeOf(message);
  if (bytes > messageMaxBytes)
    return failed('too_large', `the message has ${bytes} bytes, more than ${messageMaxBytes}`);
  return { message, warnings: [...subject.warnings, ...headers.warnings, ...content.warnings] };
}

function subjectOf(
  command: Command,
  params: EmailParams,
  views: ReturnType<typeof viewsOf>,
): { readonly text: string; readonly warnings: readonly string[] } {
  const rendered = renderText(params.subject, views, 'header');
  const warnings = warningsOf('subject', rendered);
  const chars = [...rendered.text.trim()];
  if (chars.length === 0) {
    warnings.push('subject: empty after its tokens were filled in; the name of the rule stands in');
    return {
      text: command.rule?.name ?? command.rule?.id ?? command.action.name ?? command.action.id,
      warnings,
    };
  }
  if (chars.length <= subjectMaxLength) return { text: chars.join(''), warnings };
  return { text: `${chars.slice(0, subjectMaxLength - 1).join('')}…`, warnings };
}

// Attachments and long text travel as base64: four bytes for three and a line break every 76.
function sizeOf(message: MailMessage): number {
  const raw =
    Buffer.byteLength(message.text) +
    Buffer.byteLength(message.html ?? '') +
    message.attachments.reduce((sum, { content }) => sum + content.length, 0);
  return Math.ceil((raw * 4 * 78) / (3 * 76)) + 4096;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
