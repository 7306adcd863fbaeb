// Carries out one e-mail command: build its messages, hand each to the server once, judge the answers.
//
// Surprise: once the server has accepted one recipient of several, the command is done whatever happens to the others;
// a retry would reach the accepted ones twice. Each of the others becomes a dead letter, and a warning for people.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { PreviewContext } from '../../domain/action/define-action.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Done, Failed, Json, Outcome, Undelivered } from '../../domain/action/outcome.ts';
import { shownItems, shownText } from '../../domain/action/preview.ts';
import { sendMessage, serverOf } from '../../domain/mail/send.ts';
import type { MailMessage, MailPort, SmtpServer } from '../../ports/mail.ts';
import { manifest } from './manifest.ts';
import { checkEmail, type EmailParams } from './params.ts';
import { type EmailMessages, emailMessages } from './request.ts';

export const email = checked({
  manifest,
  check: (params) => checkEmail(params as unknown as EmailParams),
  checkConnection: (_params, connection) =>
    connection.type === 'smtp' ? [] : [{ path: '', message: 'needs an SMTP connection' }],
  modeOf: (params) => (params['is_once'] === true || params['merge'] === true ? 'all' : null),
  preview(command, context) {
    const built = build(command, context);
    if (isFailed(built)) return built;
    const { host, port, security } = built.server;
    return {
      status: 'done',
      output: {
        server: { host, port, security },
        messages: built.messages.slice(0, shownItems).map(shownMessage),
        total: built.messages.length,
      },
      ...(built.warnings.length > 0 ? { warnings: built.warnings } : {}),
    };
  },
  async execute(command, context): Promise<Outcome> {
    const { mail } = context.ports;
    if (mail === undefined) throw new TypeError('email needs the mail port');
    const built = build(command, context);
    if (isFailed(built)) return built;
    return sendAll(mail, built.server, built.messages, built.warnings);
  },
});

function build(
  command: Command,
  context: PreviewContext,
): (EmailMessages & { readonly server: SmtpServer }) | Failed {
  const config = context.connection?.config;
  if (config?.type !== 'smtp') return failed('unknown_connection', 'the action has no SMTP connection');
  const server = serverOf(config, context.connection);
  if (isFailed(server)) return server;
  const params = command.params as unknown as EmailParams;
  const built = withTemplates(() => emailMessages(command, params, config, context.now));
  return isFailed(built) ? built : { ...built, server };
}

/** A message as a dry run shows it; files by their names and sizes. */
function shownMessage(message: MailMessage): Json {
  const { from, to, replyTo, subject, messageId, headers, text, html, attachments } = message;
  return {
    from,
    to: [...to],
    ...(replyTo === undefined ? {} : { reply_to: replyTo }),
    subject,
    message_id: messageId,
    headers: headers.map(([name, value]) => [name, value]),
    text: shownText(text),
    ...(html === undefined ? {} : { html: shownText(html) }),
    attachments: attachments.map(({ filename, contentType, content }) => ({
      filename,
      content_type: contentType,
      bytes: content.length,
    })),
  };
}

async function sendAll(
  mail: MailPort,
  server: SmtpServer,
  messages: readonly MailMessage[],
  notes: readonly string[],
): Promise<Outcome> {
  const done: Done[] = [];
  const failures: Unsent[] = [];
  for (const message of messages) {
    const outcome = await sendMessage(mail, server, message);
    if (outcome.status === 'done') done.push(outcome);
    else {
      failures.push({ to: message.to, failure: outcome });
      // Nothing was accepted yet: a failure of the whole server may be tried again as a whole.
      if (done.length === 0 && outcome.retry !== 'never') return outcome;
    }
  }
  const first = done[0];
  if (first === undefined) return (failures[0] as (typeof failures)[number]).failure;
  const undelivered = [...done.flatMap((outcome) => outcome.undelivered ?? []), ...failures.flatMap(partsOf)];
  const warnings = [
    ...notes,
    ...done.flatMap((outcome) => outcome.warnings ?? []),
    ...undelivered.map(({ detail }) => detail),
  ];
  return {
    status: 'done',
    ...(first.ref === undefined ? {} : { ref: first.ref }),
    output: {
      messages: done.map(
        (outcome): Json => ({
          message_id: outcome.ref ?? '',
          ...(outcome.output as { [key: string]: Json }),
        }),
      ),
      ...(failures.length === 0
        ? {}
        : { undelivered: failures.map(({ to, failure }): Json => ({ to, code: failure.code })) }),
    },
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(undelivered.length === 0 ? {} : { undelivered }),
  };
}

interface Unsent {
  readonly to: readonly string[];
  readonly failure: Failed;
}

/** Everybody whom a message that failed was for. Where the server may have taken it, the words do not say that it did not. */
function partsOf({ to, failure }: Unsent): Undelivered[] {
  const what = failure.uncertain === true ? 'may not be delivered to' : 'not delivered to';
  return to.map((address) => ({
    to: address,
    code: failure.code,
    detail: `${what} ${address}: ${failure.detail}`.slice(0, 1024),
  }));
}
