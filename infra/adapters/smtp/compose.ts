// Renders a mail message as the bytes that go after DATA.
// Invariant: nothing that arrives here can add a header, a recipient or a file: addresses and names are checked, access to files
// and URLs is off, and the envelope is not derived from the headers.
// Surprise: nodemailer rewrites the case of header names and keeps them only through `normalizeHeaderKey`; a receiver's rule may
// depend on the spelling it was given.
import { MailFailure, type MailMessage } from '@tocsin/topologies/ports/mail.ts';
import MailComposer from 'nodemailer/lib/mail-composer';

/** Rejects with MailFailure 'permanent' for an address, header or id that could not be sent as one. */
export async function composeMessage(message: MailMessage): Promise<Buffer> {
  checkMessage(message);
  const exact = new Map(message.headers.map(([name]) => [name.toLowerCase(), name]));
  const composer = new MailComposer({
    from: message.from,
    to: [...message.to],
    ...(message.replyTo === undefined ? {} : { replyTo: message.replyTo }),
    subject: message.subject,
    messageId: message.messageId,
    date: new Date(message.date),
    text: message.text,
    ...(message.html === undefined ? {} : { html: message.html }),
    headers: message.headers.map(([key, value]) => ({ key, value })),
    attachments: message.attachments.map(({ filename, contentType, content }) => ({
      filename,
      contentType,
      content,
    })),
    normalizeHeaderKey: (key: string) => exact.get(key.toLowerCase()) ?? key,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

// RFC 5321 4.5.3.1: 254 characters of path. One mailbox without comments, quotes, routes or groups.
const mailbox = /^[^\s<>()[\]\\,;:@"]{1,64}@[^\s<>()[\]\\,;:@"]{1,253}$/;
const headerName = /^[!-9;-~]{1,76}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not stand in a header.
const controls = /[\x00-\x08\x0a-\x1f\x7f]/;

function checkMessage(message: MailMessage): void {
  const { from, to } = message.envelope;
  if (to.length === 0) throw refuse('the envelope has no recipient');
  for (const address of from === '' ? to : [from, ...to]) {
    if (address.length > 254 || !mailbox.test(address))
      throw refuse(`${JSON.stringify(address.slice(0, 320))} is not one plain mailbox`);
  }
  if (!/^<[!-;=?-~]{3,250}>$/.test(message.messageId))
    throw refuse('the message id is not of the form <left@right>');
  for (const text of [message.from, ...message.to, message.replyTo ?? '', message.subject]) {
    if (controls.test(text)) throw refuse('an address or the subject holds a control character');
  }
  for (const [name, value] of message.headers) {
    if (!headerName.test(name)) throw refuse(`${JSON.stringify(name.slice(0, 100))} is not a header name`);
    if (controls.test(value)) throw refuse(`the header ${name} holds a control character`);
    // nodemailer would drop Bcc and replace others that it sets itself; silence is worse than refusal.
    if (ownHeaders.has(name.toLowerCase())) throw refuse(`the header ${name} is set by the mailer`);
  }
}

const ownHeaders = new Set([
  'from',
  'sender',
  'to',
  'cc',
  'bcc',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
]);

function refuse(why: string): MailFailure {
  return new MailFailure('permanent', why);
}
