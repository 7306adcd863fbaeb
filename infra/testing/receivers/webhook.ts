// A webhook receiver as a customer would run it: verifies the Standard Webhooks signature with the reference library, records
// requests, and answers what the test scripts.
// Invariant: every request is recorded before it is answered, the broken ones included.
import { Webhook } from 'standardwebhooks';
import { type Answer, giveAnswer } from './answers.ts';
import { createWaiter, listen, readBody } from './http-server.ts';

export interface WebhookRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** The webhook-id header, or ''. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Epoch ms at which the whole request was there. */
  readonly at: number;
  /** Whether the signature fits the secret and the timestamp is within five minutes; null without a secret. */
  readonly verified: boolean | null;
  /** What the library says about a signature that does not fit. */
  readonly problem: string | null;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly WebhookRequest[];
  /** Ids seen more than once, with their counts. */
  duplicates(): ReadonlyMap<string, number>;
  /** These answers are given first, one per request; then the default again. */
  script(...answers: readonly Answer[]): void;
  /** What is answered when the script is empty; 204 at the start. */
  answerWith(answer: Answer | ((request: WebhookRequest) => Answer)): void;
  /** Resolves when `count` requests have come; rejects after `timeoutMs`. */
  waitFor(count: number, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface WebhookOptions {
  /** `whsec_` + base64 of 24 to 64 bytes (Standard Webhooks 1.0.0). */
  readonly secret?: string;
  readonly port?: number;
  readonly tls?: { cert: string; key: string };
  readonly maxBodyBytes?: number;
}

export async function startWebhookReceiver(options: WebhookOptions = {}): Promise<WebhookReceiver> {
  const requests: WebhookRequest[] = [];
  const scripted: Answer[] = [];
  const waiter = createWaiter();
  const webhook = options.secret === undefined ? null : new Webhook(options.secret);
  let usual: Answer | ((request: WebhookRequest) => Answer) = { status: 204 };

  const server = await listen(
    async (incoming, response) => {
      const body = await readBody(incoming, options.maxBodyBytes ?? 16 * 1024 * 1024).catch(() => undefined);
      if (body === undefined) return;
      if (body === null) {
        giveAnswer(incoming, response, { status: 413 });
        return;
      }
      const headers = Object.fromEntries(
        Object.entries(incoming.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
      );
      const problem = webhook === null ? null : signatureProblem(webhook, body, headers);
      const request: WebhookRequest = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        id: headers['webhook-id'] ?? '',
        headers,
        body,
        at: Date.now(),
        verified: webhook === null ? null : problem === null,
        problem,
      };
      requests.push(request);
      waiter.changed();
      const fallback = typeof usual === 'function' ? usual(request) : usual;
      giveAnswer(incoming, response, scripted.shift() ?? fallback);
    },
    {
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    },
  );

  return {
    ...server,
    requests,
    duplicates() {
      const counts = new Map<string, number>();
      for (const { id } of requests) counts.set(id, (counts.get(id) ?? 0) + 1);
      for (const [id, count] of counts) if (count < 2) counts.delete(id);
      return counts;
    },
    script: (...answers) => {
      scripted.push(...answers);
    },
    answerWith(answer) {
      usual = answer;
    },
    waitFor: (count, timeoutMs = 10_000) =>
      waiter.until(
        () => requests.length >= count,
        timeoutMs,
        () => `${requests.length} of ${count} requests`,
      ),
  };
}

function signatureProblem(webhook: Webhook, body: Buffer, headers: Record<string, string>): string | null {
  try {
    webhook.verify(body, headers);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
