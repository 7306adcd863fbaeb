// The webhook receiver judges signatures as the Standard Webhooks specification says; signatures here are made with node:crypto.
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startWebhookReceiver, type WebhookReceiver } from './webhook.ts';

const key = Buffer.alloc(32, 7);
const secret = `whsec_${key.toString('base64')}`;
let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await startWebhookReceiver({ secret });
});
afterEach(() => receiver.close());

function signed(body: string, options: { id?: string; at?: number; key?: Buffer } = {}): RequestInit {
  const id = options.id ?? 'msg_1';
  const at = String(options.at ?? Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', options.key ?? key)
    .update(`${id}.${at}.${body}`)
    .digest('base64');
  return {
    method: 'POST',
    body,
    headers: { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${signature}` },
  };
}

it('accepts a right signature and refuses a wrong key, a changed body and an old timestamp', async () => {
  const now = Math.floor(Date.now() / 1000);
  await fetch(receiver.url, signed('{"a":"é"}'));
  await fetch(receiver.url, signed('{}', { key: Buffer.alloc(32, 8) }));
  await fetch(receiver.url, { ...signed('{}'), body: '{ }' });
  await fetch(receiver.url, signed('{}', { at: now - 301 }));
  await fetch(receiver.url, { method: 'POST', body: '{}' });
  expect(receiver.requests.map((request) => request.verified)).toEqual([true, false, false, false, false]);
  expect(receiver.requests[0]).toMatchObject({
    method: 'POST',
    path: '/',
    id: 'msg_1',
    problem: null,
    body: Buffer.from('{"a":"é"}'),
  });
  expect([...receiver.duplicates()]).toEqual([['msg_1', 4]]);
});

it('answers what the script says, then what is usual', async () => {
  receiver.answerWith({ status: 200, body: 'ok' });
  receiver.script({ status: 500 }, { redirect: 'http://127.0.0.1:1/' }, 'html', 'reset', {
    status: 429,
    headers: { 'retry-after': '2' },
    delayMs: 100,
  });
  const send = () => fetch(receiver.url, { ...signed('{}'), redirect: 'manual' });
  expect((await send()).status).toBe(500);
  const moved = await send();
  expect([moved.status, moved.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/']);
  expect(await (await send()).text()).toContain('sign in');
  await expect(send()).rejects.toThrow();
  const started = performance.now();
  const slow = await send();
  expect([slow.status, slow.headers.get('retry-after')]).toEqual([429, '2']);
  expect(performance.now() - started).toBeGreaterThan(90);
  expect(await (await send()).text()).toBe('ok');
  await receiver.waitFor(6);
  await expect(receiver.waitFor(7, 50)).rejects.toThrow('6 of 7 requests');
});

it('hangs and drips until the caller gives up, and closes all the same', async () => {
  receiver.script('hang', 'drip');
  await expect(fetch(receiver.url, { ...signed('{}'), signal: AbortSignal.timeout(100) })).rejects.toThrow();
  const dripping = await fetch(receiver.url, { ...signed('{}'), signal: AbortSignal.timeout(300) });
  expect(dripping.status).toBe(200);
  await expect(dripping.text()).rejects.toThrow();
});
