// The receivers of the demo: a webhook receiver that verifies signatures, a mail catcher, a Splunk HEC receiver.
import { randomBytes } from 'node:crypto';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';

export interface Receivers {
  readonly webhook: WebhookReceiver;
  readonly mail: SmtpReceiver;
  readonly hec: HecReceiver;
  /** Secret values by the connection secret that they stand for. */
  readonly secrets: { readonly hmac: string; readonly token: string };
  close(): Promise<void>;
}

export async function startReceivers(): Promise<Receivers> {
  const secrets = {
    hmac: `whsec_${randomBytes(32).toString('base64')}`,
    token: randomBytes(16).toString('hex'),
  };
  const webhook = await startWebhookReceiver({ secret: secrets.hmac });
  const mail = await startSmtpReceiver();
  const hec = await startHecReceiver({ token: secrets.token, indexes: ['security'] });
  return {
    webhook,
    mail,
    hec,
    secrets,
    close: async () => void (await Promise.all([webhook.close(), mail.close(), hec.close()])),
  };
}

/**
 * An example connection, pointed at the local receiver of its kind. What an administrator would set for a receiver on
 * the same machine is set here: plain HTTP and the loopback range.
 */
export function localConnection(
  document: Record<string, unknown>,
  receivers: Receivers,
): Record<string, unknown> {
  const { webhook, mail, hec, secrets } = receivers;
  const local = { host: '127.0.0.1', allow_cidrs: ['127.0.0.0/8'] };
  if (document['type'] === 'smtp') {
    const { secrets: _, username: __, ...rest } = document;
    return { ...rest, ...local, port: mail.port, security: 'none' };
  }
  const splunk = (document['auth'] as { type?: string } | undefined)?.type === 'splunk';
  return {
    ...document,
    ...local,
    protocol: 'http',
    allow_insecure: true,
    port: splunk ? hec.port : webhook.port,
    secrets: { token: { value: secrets.token }, ...(splunk ? {} : { hmac: { value: secrets.hmac } }) },
  };
}
