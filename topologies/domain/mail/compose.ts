// What every message has that an action sends: sender and reply address of the connection, a Message-ID, one line of subject, a size.
//
// Invariant: sender, domain and Message-ID come from connection and command; no value can change them.
import type { SmtpConnection } from '@tocsin/schemas/types.ts';
import type { MailMessage } from '../../ports/mail.ts';
import { failed } from '../action/fail.ts';
import type { Failed } from '../action/outcome.ts';
import { parseDomain, parseMailbox, parseSender } from '../formats/mailbox.ts';
import { escapeHeader } from '../templates/escape.ts';
import type { Views } from '../templates/lookup.ts';
import { renderText, warningsOf } from '../templates/render.ts';

/** Bytes of one message as it travels; larger ones are refused by common servers. */
export const messageMaxBytes = 25 * 1024 * 1024;
const subjectMaxLength = 255;

type Head = Pick<MailMessage, 'envelope' | 'from' | 'to' | 'replyTo' | 'messageId' | 'headers'>;

/** The parts of a message that its connection and its recipients decide. `id` is that of the message. */
export function mailHead(connection: SmtpConnection, id: string, to: readonly string[]): Head | Failed {
  const unfit = (what: string): Failed =>
    failed('invalid_params', `connection ${connection.id}: ${what}`, 'pause');
  const sender = parseSender(connection.from);
  if (sender === null) return unfit('from is not a mail address');
  const replyTo = connection.reply_to === undefined ? undefined : parseMailbox(connection.reply_to);
  if (replyTo === null) return unfit('reply_to is not a mail address');
  const domain = parseDomain(
    connection.message_id_domain ?? sender.address.slice(sender.address.indexOf('@') + 1),
  );
  if (domain === null) return unfit('message_id_domain is not a host name');
  return {
    envelope: { from: sender.address, to },
    from: sender.header,
    to,
    ...(replyTo === undefined ? {} : { replyTo }),
    messageId: `<${id}@${domain}>`,
    // RFC 3834: nobody's holiday notice should answer.
    headers: [['Auto-Submitted', 'auto-generated']],
  };
}

/** The subject, one line; `fallback` stands in for one that is empty. Throws TemplateError. */
export function subjectOf(
  template: string,
  views: Views,
  fallback: string,
): { readonly text: string; readonly warnings: readonly string[] } {
  const rendered = renderText(template, views, 'header');
  const warnings = warningsOf('subject', rendered);
  const chars = [...escapeHeader(rendered.text).trim()];
  if (chars.length === 0) {
    warnings.push('subject: empty after its tokens were filled in; the name of the rule stands in');
    return { text: fallback, warnings };
  }
  if (chars.length <= subjectMaxLength) return { text: chars.join(''), warnings };
  return { text: `${chars.slice(0, subjectMaxLength - 1).join('')}…`, warnings };
}

/** Why a message is not sent; null: it is small enough. */
export function checkSize(message: MailMessage): Failed | null {
  const bytes = sizeOf(message);
  return bytes > messageMaxBytes
    ? failed('too_large', `the message has ${bytes} bytes, more than ${messageMaxBytes}`)
    : null;
}

// Attachments and long text travel as base64: four bytes for three and a line break every 76.
function sizeOf(message: MailMessage): number {
  const raw =
    Buffer.byteLength(message.text) +
    Buffer.byteLength(message.html ?? '') +
    message.attachments.reduce((sum, { content }) => sum + content.length, 0);
  return Math.ceil((raw * 4 * 78) / (3 * 76)) + 4096;
}
