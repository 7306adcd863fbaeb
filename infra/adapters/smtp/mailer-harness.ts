// What the tests of the mailer share: mail servers that close after each test, and a message to change.
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type RawReceiver, startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import { type SmtpOptions, type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import {
  MailFailure,
  type MailMessage,
  type MailReceipt,
  type SmtpServer,
} from '@tocsin/topologies/ports/mail.ts';
import { afterEach } from 'vitest';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { createMailer } from './mailer.ts';

export const authority = createAuthority();
const leaf = authority.issue(['IP:127.0.0.1', 'DNS:mail.example']);
export const mailer = createMailer({
  egress: createEgressPolicy({ mode: 'open' }),
  lookup: async () => [{ address: '127.0.0.1', family: 4 }],
});
export const open: { close(): Promise<void> }[] = [];
/** Call once per test file. */
export function closeReceiversAfterEach(): void {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((receiver) => receiver.close()));
  });
}

export async function start(options: SmtpOptions = {}): Promise<SmtpReceiver> {
  const receiver = await startSmtpReceiver({ tls: leaf, ...options });
  open.push(receiver);
  return receiver;
}
export async function raw(...[script, options]: Parameters<typeof startRawReceiver>): Promise<RawReceiver> {
  const receiver = await startRawReceiver(script, options);
  open.push(receiver);
  return receiver;
}

export function serverAt(receiver: { port: number }, extra: Partial<SmtpServer> = {}): SmtpServer {
  return {
    host: '127.0.0.1',
    port: receiver.port,
    security: 'none',
    timeoutMs: 5_000,
    allowCidrs: ['127.0.0.0/8'],
    ...extra,
  };
}
export function mail(extra: Partial<MailMessage> = {}): MailMessage {
  return {
    envelope: { from: 'tocsin@example.org', to: ['a@example.org'] },
    from: 'Tocsin <tocsin@example.org>',
    to: ['a@example.org'],
    subject: 'Finding',
    messageId: '<c0ffee@example.org>',
    date: Date.UTC(2026, 0, 2, 3, 4, 5),
    text: 'plain',
    headers: [],
    attachments: [],
    ...extra,
  };
}
export async function failureOf(sending: Promise<MailReceipt>): Promise<MailFailure> {
  const error = await sending.then(
    (receipt) => new Error(`accepted: ${receipt.response}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MailFailure)) throw error;
  return error;
}
