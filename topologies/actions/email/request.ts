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
import { checkSize, mailHead, subjectOf } from '../../domain/mail/compose.ts';
import { recipientTemplates, renderRecipients } from '../../domain/mail/recipients.ts';
import { rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { MailMessage } from '../../ports/mail.ts';
import { contentOf } from './content.ts';
import { renderHeaders } from './headers.ts';
import type { EmailParams } from './params.ts';

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
  const head = mailHead(connection, id, group.to);
  if (isFailed(head)) return head;
  const views = viewsOf(command, group.merged ? { now, row: group.rows[0] ?? {} } : { now });
  const fallback = command.rule?.name ?? command.rule?.id ?? command.action.name ?? command.action.id;
  const subject = subjectOf(params.subject, views, fallback);
  const headers = renderHeaders(params.headers ?? [], views);
  if (isFailed(headers)) return headers;
  const content = contentOf(command, params, group.rows, group.merged, now);
  const message: MailMessage = {
    ...head,
    subject: subject.text,
    date: now,
    text: content.text,
    ...(content.html === undefined ? {} : { html: content.html }),
    headers: [...head.headers, ...headers.lines],
    attachments: content.attachments,
  };
  const tooLarge = checkSize(message);
  if (tooLarge !== null) return tooLarge;
  return { message, warnings: [...subject.warnings, ...headers.warnings, ...content.warnings] };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
