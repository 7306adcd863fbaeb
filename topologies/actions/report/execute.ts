// Carries out one report command: builds its files, stores them, then mails them.
//
// Invariant: the output names files that are where it says, by their SHA-256. Surprise: stored first, because a file of the same
// name may be written again and again, a message not; what a failed mail leaves in the folder the next attempt replaces.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { PreviewContext } from '../../domain/action/define-action.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Json, Outcome } from '../../domain/action/outcome.ts';
import { putFiles } from '../../domain/action/put-files.ts';
import { sendMessage, serverOf } from '../../domain/mail/send.ts';
import type { MailMessage, SmtpServer } from '../../ports/mail.ts';
import { manifest } from './manifest.ts';
import { checkReport, delivers, type ReportParams } from './params.ts';
import { type Built, type ReportFile, reportFiles, reportMail } from './request.ts';

/** Characters of each file that a preview shows. */
const previewChars = 2000;

export const report = checked({
  manifest,
  check: (params) => checkReport(params as ReportParams),
  checkConnection: (_params, connection) =>
    connection.type === 'smtp' ? [] : [{ path: '', message: 'needs an SMTP connection' }],
  needsConnection: (params) => delivers(params as ReportParams, 'mail'),
  preview(command, context): Outcome {
    const planned = planOf(command, context);
    if (isFailed(planned)) return planned;
    const { built, mail, warnings } = planned;
    return {
      status: 'done',
      output: {
        title: built.title,
        files: built.files.map((file) => ({
          ...filedOf(file),
          beginning: file.content.toString().slice(0, previewChars).toWellFormed(),
        })),
        ...(mail === null
          ? {}
          : { mail: { to: [...mail.message.to], subject: mail.message.subject, from: mail.message.from } }),
      },
      ...(warnings.length === 0 ? {} : { warnings }),
    };
  },
  async execute(command, context): Promise<Outcome> {
    const planned = planOf(command, context);
    if (isFailed(planned)) return planned;
    const { built, mail, warnings } = planned;
    if (delivers(command.params as ReportParams, 'store')) {
      if (context.ports.files === undefined) throw new TypeError('report needs the file store port');
      const refused = await putFiles(context.ports.files, built.files, 'report');
      if (refused !== null) return refused;
    }
    const output: Record<string, Json> = {
      sha256: built.files[0]?.sha256 ?? '',
      bytes: built.files.reduce((sum, { content }) => sum + content.length, 0),
      files: built.files.map(filedOf),
    };
    const name = built.files[0]?.name ?? '';
    if (mail === null) return { status: 'done', ref: name, output, warnings };
    const { mail: port } = context.ports;
    if (port === undefined) throw new TypeError('report needs the mail port');
    const sent = await sendMessage(port, mail.server, mail.message);
    if (sent.status === 'failed') return sent;
    return {
      ...sent,
      ref: name,
      output: { ...output, message_id: sent.ref ?? '', ...(sent.output as { [key: string]: Json }) },
      warnings: [...warnings, ...(sent.undelivered ?? []).map(({ detail }) => detail)],
    };
  },
});

interface Planned {
  readonly built: Built;
  readonly mail: { readonly message: MailMessage; readonly server: SmtpServer } | null;
  readonly warnings: readonly string[];
}

/** Everything that can be known before something is written or sent. */
function planOf(command: Command, { connection, now }: PreviewContext): Planned | Failed {
  const params = command.params as ReportParams;
  const built = withTemplates(() => reportFiles(command, params, now));
  if (isFailed(built)) return built;
  if (!delivers(params, 'mail')) return { built, mail: null, warnings: built.warnings };
  const config = connection?.config;
  if (config?.type !== 'smtp') return failed('unknown_connection', 'the report has no SMTP connection');
  const server = serverOf(config, connection);
  if (isFailed(server)) return server;
  const mail = withTemplates(() => reportMail(command, params, built, config, now));
  if (isFailed(mail)) return mail;
  return {
    built,
    mail: { message: mail.message, server },
    warnings: [...new Set([...built.warnings, ...mail.warnings])],
  };
}

function filedOf({ name, format, content, sha256 }: ReportFile): { [key: string]: Json } {
  return { name, format, bytes: content.length, sha256 };
}
