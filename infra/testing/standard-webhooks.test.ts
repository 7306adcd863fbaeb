// Signatures of the webhook action, verified by the reference library of Standard Webhooks.

import { webhook } from '@tocsin/topologies/actions/webhook/execute.ts';
import { fakeHttp } from '@tocsin/topologies/ports/fakes/http.ts';
import type { HttpRequest } from '@tocsin/topologies/ports/http.ts';
import { eventCommand, httpConnection } from '@tocsin/topologies/testing/fixtures.ts';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { expect, test } from 'vitest';

const current = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const previous = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const other = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

// The library compares with the system clock, five minutes each way, so the attempt happens now.
async function signed(
  secrets: Record<string, string>,
  attempt = 1,
): Promise<{ body: string; headers: Record<string, string> }> {
  const http = fakeHttp();
  const event = {
    event: 'finding.new',
    timestamp: '2026-04-28T12:00:00Z',
    data: { title: 'Grüße 😀 "quoted" \u2028' },
  };
  const outcome = await webhook.execute(eventCommand({ event }), {
    ports: { http },
    connection: httpConnection({}, secrets),
    now: Date.now(),
    attempt,
    signal: new AbortController().signal,
  });
  expect(outcome.status).toBe('done');
  const { body, headers } = http.requests[0] as HttpRequest;
  return { body: (body as Buffer).toString('utf8'), headers: Object.fromEntries(headers) };
}

test('the reference library accepts the signature', async () => {
  const { body, headers } = await signed({ hmac: current });
  expect(new Webhook(current).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(other).verify(body, headers)).toThrow(WebhookVerificationError);
  expect(() => new Webhook(current).verify(`${body} `, headers)).toThrow(WebhookVerificationError);
  expect(() => new Webhook(current).verify(body, { ...headers, 'webhook-id': 'x' })).toThrow(
    WebhookVerificationError,
  );
});

test('while a secret is replaced, receivers with the old and with the new one accept', async () => {
  const { body, headers } = await signed({ hmac: current, hmac_previous: previous });
  for (const secret of [current, previous])
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  const after = await signed({ hmac: current });
  expect(() => new Webhook(previous).verify(after.body, after.headers)).toThrow(WebhookVerificationError);
});

test('a raw secret signs as its own bytes', async () => {
  const raw = 'a raw secret of good length';
  const { body, headers } = await signed({ hmac: raw });
  expect(new Webhook(raw, { format: 'raw' }).verify(body, headers)).toEqual(JSON.parse(body));
});
