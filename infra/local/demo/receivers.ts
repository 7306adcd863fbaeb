// The receivers of the demo: webhooks with verified signatures, mail, Slack, Jira, and the three kinds of SIEM.
import { randomBytes } from 'node:crypto';
import { type BulkReceiver, startBulkReceiver } from '@tocsin/testing/receivers/bulk.ts';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type JiraReceiver, startJiraReceiver } from '@tocsin/testing/receivers/jira.ts';
import { type SlackReceiver, startSlackReceiver } from '@tocsin/testing/receivers/slack.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { type SyslogReceiver, startSyslogReceiver } from '@tocsin/testing/receivers/syslog.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';

export interface Receivers {
  readonly webhook: WebhookReceiver;
  readonly mail: SmtpReceiver;
  readonly slack: SlackReceiver;
  readonly jira: JiraReceiver;
  readonly hec: HecReceiver;
  readonly bulk: BulkReceiver;
  readonly syslog: SyslogReceiver;
  /** Secret values by the connection secret that they stand for. */
  readonly secrets: { readonly hmac: string; readonly token: string };
  close(): Promise<void>;
}

export async function startReceivers(): Promise<Receivers> {
  const secrets = {
    hmac: `whsec_${randomBytes(32).toString('base64')}`,
    token: randomBytes(16).toString('hex'),
  };
  const { token } = secrets;
  const started = {
    webhook: await startWebhookReceiver({ secret: secrets.hmac }),
    mail: await startSmtpReceiver(),
    slack: await startSlackReceiver({ token, channels: ['#security-alerts'] }),
    jira: await startJiraReceiver(),
    hec: await startHecReceiver({ token, indexes: ['security'] }),
    bulk: await startBulkReceiver({ apiKey: token }),
    syslog: await startSyslogReceiver(),
  };
  const close = async (): Promise<void> => {
    for (const receiver of Object.values(started)) await receiver.close();
  };
  return { ...started, secrets, close };
}

/** Receivers of the HTTP connections in docs/examples by their ids. */
const httpReceivers = {
  elastic: 'bulk',
  jira: 'jira',
  slack: 'slack',
  'soc-webhook': 'webhook',
  'splunk-hec': 'hec',
} as const;

/**
 * An example connection, pointed at the local receiver that stands for its host. What an administrator would set for a receiver on
 * the same machine is set here: no TLS and the loopback range.
 */
export function localConnection(
  document: Record<string, unknown>,
  receivers: Receivers,
): Record<string, unknown> {
  const { hmac, token } = receivers.secrets;
  const local = { host: '127.0.0.1', allow_cidrs: ['127.0.0.0/8'] };
  const { secrets = {}, username, ...rest } = document;
  if (document['type'] === 'smtp') return { ...rest, ...local, port: receivers.mail.port, security: 'none' };
  if (document['type'] === 'syslog')
    return { ...rest, ...local, port: receivers.syslog.port, protocol: 'tcp' };
  const receiver = httpReceivers[document['id'] as keyof typeof httpReceivers];
  const { port } = receivers[receiver];
  const given = 'hmac' in (secrets as object) ? { hmac: { value: hmac } } : {};
  return {
    ...rest,
    ...local,
    protocol: 'http',
    allow_insecure: true,
    port,
    secrets: { token: { value: token }, ...given },
  };
}
