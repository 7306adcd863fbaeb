// The webhook action through the real HTTP client to a receiver that verifies signatures and misbehaves as scripted.
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { webhook } from '@tocsin/topologies/actions/webhook/execute.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { eventCommand, findingNew, httpConnection } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from './receivers/answers.ts';
import { startWebhookReceiver, type WebhookReceiver } from './receivers/webhook.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const client = createHttpClient();
let receiver: WebhookReceiver;
let inside: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver({ secret });
  inside = await startWebhookReceiver();
});
afterAll(async () => {
  await Promise.all([client.close(), receiver.close(), inside.close()]);
});

function run(
  params: Record<string, unknown>,
  options: { port?: number; allow?: boolean } = {},
): Promise<Outcome> {
  const connection = httpConnection(
    {
      protocol: 'http',
      allow_insecure: true,
      host: '127.0.0.1',
      port: options.port ?? receiver.port,
      timeout_ms: 1000,
      ...(options.allow === false ? {} : { allow_cidrs: ['127.0.0.0/8'] }),
    },
    { hmac: secret },
  );
  return webhook.execute(eventCommand({ params }), {
    ports: { http: client },
    connection,
    now: Date.now(),
    attempt: 1,
    signal: new AbortController().signal,
  });
}

describe('webhook over HTTP', () => {
  it('arrives with every byte it was built with, and its signature verifies', async () => {
    const outcome = await run({
      path: '/a b/{{data.asset.name}}/ü',
      params: [
        { name: 'q', value: 'x&y=é' },
        { name: 'q', value: '' },
      ],
      headers: [
        { name: 'X-Title', value: 'Grüße {{data.title}}' },
        { name: 'User-Agent', value: 'mine/1.0' },
        { name: 'Cookie', value: 'a=1; b=2' },
      ],
    });
    expect(outcome).toEqual({ status: 'done', output: { status_code: 204 } });
    const request = receiver.requests.at(-1);
    expect(request).toMatchObject({
      method: 'POST',
      path: '/a%20b/api.example.com/%C3%BC?q=x%26y%3D%C3%A9&q=',
      verified: true,
    });
    expect(request?.headers).toMatchObject({
      'user-agent': 'mine/1.0',
      cookie: 'a=1; b=2',
      'content-type': 'application/json',
    });
    expect(Buffer.from(request?.headers['x-title'] ?? '', 'latin1').toString('utf8')).toBe(
      'Grüße SQL Injection in /api/login',
    );
    expect(JSON.parse(request?.body.toString() ?? '')).toEqual(findingNew);
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE'])('sends %s, signed', async (method) => {
    expect(await run({ method, path: '/x' })).toMatchObject({ status: 'done' });
    const request = receiver.requests.at(-1);
    expect(request).toMatchObject({ method, path: '/x' });
    expect(request?.headers['webhook-id']).toBe(eventCommand().command_id);
    expect(request?.body.length === 0).toBe(method === 'GET' || method === 'DELETE');
  });

  it.each<[Answer, Record<string, unknown>]>([
    ['hang', { status: 'failed', code: 'timeout', retry: 'backoff', uncertain: true }],
    ['reset', { status: 'failed', code: 'reset', retry: 'backoff', uncertain: true }],
    ['drip', { status: 'done' }],
    [
      { status: 500, body: 'x'.repeat(100_000) },
      { status: 'failed', code: 'http_5xx', retry: 'backoff' },
    ],
    [
      { status: 503, headers: { 'retry-after': '7' } },
      { status: 'failed', code: 'http_5xx', retry: { afterMs: 7000 } },
    ],
    [{ status: 401 }, { status: 'failed', code: 'http_401_403', retry: 'pause' }],
    [{ status: 410 }, { status: 'failed', code: 'http_410', retry: 'pause' }],
    [{ status: 422 }, { status: 'failed', code: 'http_4xx', retry: 'never' }],
  ])('judges %j', async (answer, expected) => {
    receiver.script(answer);
    expect(await run({})).toMatchObject(expected);
  });

  it('T02 does not follow a redirect to an inside address', async () => {
    receiver.script({ redirect: `http://127.0.0.1:${inside.port}/secret` });
    expect(await run({})).toMatchObject({ status: 'failed', code: 'http_3xx', retry: 'never' });
    expect(inside.requests).toEqual([]);
  });

  it('T01 does not reach an address that the policy refuses', async () => {
    const before = receiver.requests.length;
    expect(await run({}, { allow: false })).toMatchObject({
      status: 'failed',
      code: 'denied',
      retry: 'never',
    });
    expect(receiver.requests).toHaveLength(before);
  });

  it('tries again when nobody listens', async () => {
    const gone = await startWebhookReceiver();
    await gone.close();
    const outcome = await run({}, { port: gone.port });
    expect(outcome).toMatchObject({ status: 'failed', code: 'connect', retry: 'backoff' });
    expect(outcome).not.toHaveProperty('uncertain');
  });
});
