// One message over the SMTP server of a connection.
import type { SmtpConnection } from '@tocsin/schemas/types.ts';
import { MailFailure, type MailMessage, type MailPort, type SmtpServer } from '../../ports/mail.ts';
import type { ResolvedConnection } from '../action/define-action.ts';
import { failed } from '../action/fail.ts';
import { judgeMailFailure, judgeReceipt } from '../action/judge-smtp.ts';
import type { Failed, Outcome } from '../action/outcome.ts';

/** Hands one message to the server once and judges the answer. */
export async function sendMessage(
  mail: MailPort,
  server: SmtpServer,
  message: MailMessage,
): Promise<Outcome> {
  try {
    return judgeReceipt(await mail.send(server, message), message.messageId);
  } catch (error) {
    if (error instanceof MailFailure) return judgeMailFailure(error, `smtp ${server.host}:${server.port}`);
    throw error;
  }
}

/** The server of a connection with its password, or what is missing. */
export function serverOf(config: SmtpConnection, resolved: ResolvedConnection | null): SmtpServer | Failed {
  const password = resolved?.secrets['password']?.reveal();
  if (config.username !== undefined && password === undefined)
    return failed('secret', `connection ${config.id}: secrets.password is missing`, 'pause');
  return {
    host: config.host,
    port: config.port ?? 587,
    security: config.security ?? 'starttls',
    timeoutMs: config.timeout_ms ?? 60_000,
    ...(config.username === undefined
      ? {}
      : { auth: { user: config.username, password: password as string } }),
    ...(config.ca === undefined ? {} : { ca: config.ca }),
    ...(config.allow_cidrs === undefined ? {} : { allowCidrs: config.allow_cidrs }),
    ...(config.client_name === undefined ? {} : { clientName: config.client_name }),
  };
}
