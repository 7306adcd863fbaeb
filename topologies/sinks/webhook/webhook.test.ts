// The webhook sink: payloads, signatures, verdicts, and when it stops sending.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { bodySignature } from '../../domain/delivery/sign.ts';
import type { DeliveryNote, SinkWire } from '../../domain/sink/define-sink.ts';
import { createMarks } from '../../domain/sink/splice-check.ts';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { type FakeAnswer, fakeHttp } from '../../ports/fakes/http.ts';
import { HttpFailure, type HttpRequest } from '../../ports/http.ts';
import { batchOf } from '../../testing/batches.ts';
import { findingNew, httpConnection } from '../../testing/fixtures.ts';
import { awkward, commonContract, frameAll } from '../contract.ts';
import type { WebhookSinkParams } from './manifest.ts';
import { webhook } from './sink.ts';

commonContract('webhook', webhook, ['parcel.ts', 'shapes.ts', 'request.ts', 'receiver.ts', 'health.ts']);

const host = { name: 'sensor.example.com', onCut: (): void => undefined };
const secret = 'your-hmac-secret';

function open(
  params: WebhookSinkParams,
  connection: ResolvedConnection = httpConnection({}, { hmac: secret }),
) {
  return webhook.open({ ...params }, connection, host);
}

function receiverOf(wire: SinkWire, answer: FakeAnswer | ((request: HttpRequest) => FakeAnswer) = 204) {
  const http = fakeHttp(answer);
  const clock = fakeClock();
  const notes: DeliveryNote[] = [];
  const receiver = wire.receiver(
    { http },
    {
      clock,
      random: () => 0.5,
      signal: new AbortController().signal,
      inFlight: 8,
      onResent: () => undefined,
      onRetry: () => undefined,
      onDelivery: (note) => void notes.push(note),
    },
  );
  const send = (value: unknown) =>
    receiver.send(frameAll(wire, [typeof value === 'string' ? value : JSON.stringify(value)]), 1);
  return { http, clock, notes, receiver, send };
}

const headersOf = (request: HttpRequest | undefined): Record<string, string> =>
  Object.fromEntries(request?.headers ?? []);
const bodyOf = (request: HttpRequest | undefined): string => String(request?.body);

describe('payloads', () => {
  it("are the guide's, with an id in front and everything else as it came", async () => {
    const { http, send } = receiverOf(open({ path: '/api/events' }));
    const text = JSON.stringify(findingNew, null, 1).replace('9.8', '9.800000000000000001');
    await send(text);
    const [request] = http.requests;
    expect(request).toMatchObject({ method: 'POST', url: 'https://siem.example.com/api/events' });
    const id = headersOf(request)['webhook-id'];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(bodyOf(request)).toBe(text.replace('{', `{"id":"${id}",`));
    expect(Object.keys(JSON.parse(bodyOf(request)))).toEqual(['id', 'event', 'timestamp', 'data']);
  });

  it.each(awkward)('%j stays the same event', async (text) => {
    const { http, send } = receiverOf(open({}));
    await send(text);
    const { id: _, ...event } = JSON.parse(bodyOf(http.requests[0]));
    expect(event).toEqual(JSON.parse(text));
  });

  it('keep an id of their own, which is the webhook-id where a header can hold it', async () => {
    const { http, send } = receiverOf(open({}));
    await send({ id: 'evt-8a3b9c2d', event: 'x' });
    await send({ id: 'a.b\n', event: 'x' });
    await send({ id: 7, event: 'x' });
    expect(http.requests.map(bodyOf)).toEqual([
      '{"id":"evt-8a3b9c2d","event":"x"}',
      '{"id":"a.b\\n","event":"x"}',
      '{"id":7,"event":"x"}',
    ]);
    const ids = http.requests.map((request) => headersOf(request)['webhook-id']);
    expect(ids[0]).toBe('evt-8a3b9c2d');
    for (const id of ids.slice(1)) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(3);
  });

  it('two records without an id have different ids, one record always the same', async () => {
    const wire = open({});
    const idAt = (offset: number, timestamp = 5): string => {
      const batch = batchOf(['{}'], { offset, timestamp });
      const out = Buffer.alloc(1000);
      const marks = createMarks();
      const end = wire.frame(out, 0, batch.buffer, batch.valueStart[0]!, batch.valueEnd[0]!, marks, batch, 0);
      return /"id":"([0-9a-f]{32})"/.exec(out.toString('latin1', 0, end))?.[1] ?? '';
    };
    expect(idAt(1)).toBe(idAt(1));
    expect(new Set([idAt(1), idAt(2), idAt(1, 6)]).size).toBe(3);
  });

  it('splunk_hec: the envelope of the guide, the scheme of the token added', async () => {
    const guide = JSON.parse(
      readFileSync(new URL('./fixtures/splunk-envelope.json', import.meta.url), 'utf8'),
    );
    const { http, send } = receiverOf(
      open(
        {
          path: '/services/collector/event',
          transform: 'splunk_hec',
          splunk: { index: 'security' },
          secret_headers: ['Authorization'],
        },
        httpConnection({}, { headers: '{"Authorization":"11111111-2222-3333-4444-555555555555"}' }),
      ),
      { status: 200, body: '{"text":"Success","code":0}' },
    );
    expect(await send(findingNew)).toMatchObject({ class: 'delivered' });
    const { time, host: asset, ...envelope } = JSON.parse(bodyOf(http.requests[0]));
    expect(envelope).toEqual({ ...guide, event: findingNew });
    expect([time, asset]).toEqual([Date.parse('2026-04-28T12:00:00Z') / 1000, 'api.example.com']);
    expect(headersOf(http.requests[0])).toMatchObject({
      Authorization: 'Splunk 11111111-2222-3333-4444-555555555555',
    });
  });

  it('splunk_hec: a 200 that says otherwise is no delivery', async () => {
    const { send } = receiverOf(open({ transform: 'splunk_hec' }), { status: 200, body: '{"code":9}' });
    expect((await send(findingNew)).class).not.toBe('delivered');
  });

  it('elasticsearch: one document under its id, 409 says that it is there', async () => {
    const { http, send } = receiverOf(open({ path: '/s4e-events/_doc', transform: 'elasticsearch' }), 201);
    http.answer(201, 409);
    const event = { id: 'e/1', ...findingNew };
    expect(await send(event)).toMatchObject({ class: 'delivered' });
    expect(await send(event)).toMatchObject({ class: 'delivered', repeated: 1 });
    expect(http.requests[0]?.url).toBe('https://siem.example.com/s4e-events/_create/e%2F1');
    expect(JSON.parse(bodyOf(http.requests[0]))).toEqual({ '@timestamp': findingNew.timestamp, ...event });
  });

  it('elasticsearch: many to a _bulk request, judged item by item', async () => {
    const wire = open({ path: '/_bulk', transform: 'elasticsearch' });
    expect(wire.mostEvents).toBeUndefined();
    const { http, receiver } = receiverOf(wire, {
      status: 200,
      body: '{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"x"}}}]}',
    });
    const values = [findingNew, { ...findingNew, timestamp: '2026-05-01T00:00:00Z' }];
    const verdict = await receiver.send(
      frameAll(
        wire,
        values.map((value) => JSON.stringify(value)),
      ),
      2,
    );
    expect(verdict).toMatchObject({ class: 'per-event', events: [{ index: 1, class: 'transient' }] });
    const lines = bodyOf(http.requests[0])
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.create?._index)).toEqual([
      's4e-events-2026.04',
      undefined,
      's4e-events-2026.05',
      undefined,
    ]);
  });
});

describe('headers and signatures', () => {
  it("fits the test vector of GitHub's documentation", () => {
    // docs.github.com, "Validating webhook deliveries", testing the webhook payload validation.
    expect(bodySignature(Buffer.from("It's a Secret to Everybody"), Buffer.from('Hello, World!'))).toBe(
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    );
  });

  it('are those asked for, over the bytes that are sent; none without a secret', async () => {
    const signed = receiverOf(open({ signatures: ['standard', 'github', 's4e'] }));
    await signed.send(findingNew);
    const headers = headersOf(signed.http.requests[0]);
    const plain = bodySignature(Buffer.from(secret), signed.http.requests[0]?.body as Buffer);
    expect(headers).toMatchObject({ 'x-hub-signature-256': plain, 'x-s4e-signature': plain });
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    const bare = receiverOf(open({}, httpConnection()));
    await bare.send(findingNew);
    expect(Object.keys(headersOf(bare.http.requests[0]))).toEqual([
      'content-type',
      'user-agent',
      'webhook-id',
      'webhook-timestamp',
    ]);
  });

  it('the id stays over attempts, the time does not', async () => {
    const { http, clock, send } = receiverOf(open({}), 500);
    await send(findingNew);
    await clock.advance(7_000);
    await send(findingNew);
    const [first, second] = http.requests.map(headersOf);
    expect(second?.['webhook-id']).toBe(first?.['webhook-id']);
    expect(Number(second?.['webhook-timestamp']) - Number(first?.['webhook-timestamp'])).toBe(7);
    expect(second?.['webhook-signature']).not.toBe(first?.['webhook-signature']);
  });

  it('both secrets sign until the old one is over', async () => {
    const connection = httpConnection({}, { hmac: secret, hmac_previous: 'the-secret-before-it' });
    const { http, clock, send } = receiverOf(open({ previous_until: '2026-04-28T12:00:10Z' }, connection));
    await send(findingNew);
    await clock.advance(10_000);
    await send(findingNew);
    expect(
      http.requests.map((request) => headersOf(request)['webhook-signature']?.split(' ').length),
    ).toEqual([2, 1]);
  });

  it.each<[WebhookSinkParams, string]>([
    [{ headers: [{ name: 'Host', value: 'x' }] }, '/headers/0/name'],
    [{ headers: [{ name: 'transfer-encoding', value: 'chunked' }] }, '/headers/0/name'],
    [{ secret_headers: ['Webhook-Signature'] }, '/secret_headers/0'],
    [{ headers: [{ name: 'X-A', value: 'a\r\nX-B: b' }] }, '/headers/0/value'],
    [{ headers: [{ name: 'X-A', value: 'a' }], secret_headers: ['x-a'] }, '/secret_headers/0'],
    [{ path: '/a/%2e%2e/b' }, '/path'],
    [{ transform: 'elasticsearch', path: '/api' }, '/path'],
    [{ transform: 'splunk_hec', path: '/services/collector/raw' }, '/path'],
    [{ splunk: { index: 'x' } }, '/splunk'],
    [{ transform: 'elasticsearch', path: '/x/_bulk', elasticsearch: { index: 'y' } }, '/elasticsearch/index'],
    [
      { transform: 'elasticsearch', path: '/_bulk', elasticsearch: { index: 'UPPER' } },
      '/elasticsearch/index',
    ],
    [{ previous_until: 'soon' }, '/previous_until'],
  ])('refuses %j at %s', (params, path) => {
    expect(webhook.check({ ...params }).map((issue) => issue.path)).toContain(path);
  });

  it('a credential comes from the connection or from a header, and secret headers need their secret', () => {
    const connection = httpConnection({ auth: { type: 'bearer' } }).config;
    const issues = webhook.checkConnection?.({ secret_headers: ['authorization'] }, connection) ?? [];
    expect(issues.map(({ path }) => path)).toEqual(['/secret_headers/0', '/secret_headers']);
  });

  it.each([
    ['no JSON', /no JSON object/],
    ['{"X-A":"x"}', /no text for Authorization/],
    ['{"Authorization":"a\\nb"}', /control character for Authorization/],
  ])('cannot be opened with the headers %s, and does not repeat them', (headers, message) => {
    const connection = httpConnection({}, { headers });
    expect(() => open({ secret_headers: ['Authorization'] }, connection)).toThrow(message);
  });

  it('a secret of 15 bytes signs nothing', () => {
    expect(() => open({}, httpConnection({}, { hmac: 'x'.repeat(15) }))).toThrow(/at least 16 bytes/);
  });

  it('the query of a secret address is sent and shown nowhere', async () => {
    const connection = httpConnection({}, { secret_path: '/api/events?token=c0ffee00c0ffee' });
    const { http, notes, send } = receiverOf(open({ path: '/api/events' }, connection), {
      status: 400,
      body: 'bad token c0ffee00c0ffee\u0000!',
    });
    await send(findingNew);
    expect(http.requests[0]?.url).toBe('https://siem.example.com/api/events?token=c0ffee00c0ffee');
    expect(notes[0]?.response).toBe('bad token [secret] !');
    expect(JSON.stringify({ ...notes[0], payload: '' })).not.toContain('c0ffee');
  });
});

describe('verdicts', () => {
  it.each([200, 201, 202, 204, 299])('%i is delivery, whatever the body', async (status) => {
    const { send } = receiverOf(open({}), { status, body: '<html>' });
    expect((await send(findingNew)).class).toBe('delivered');
  });

  it.each([400, 422])('H17: %i refuses the event', async (status) => {
    const { send } = receiverOf(open({}), status);
    expect(await send(findingNew)).toMatchObject({ class: 'event-fault', code: `http_${status}` });
  });

  it('H17: 404 pauses, or refuses the event where that is wanted', async () => {
    expect((await receiverOf(open({}), 404).send(findingNew)).class).toBe('sink-fault');
    expect((await receiverOf(open({ not_found: 'dead_letter' }), 404).send(findingNew)).class).toBe(
      'event-fault',
    );
  });

  it.each([301, 302, 307, 308, 401, 402, 403, 405, 406, 407, 415, 451, 600, 999])(
    'H05, H18: %i refuses the sink',
    async (status) => {
      const { send } = receiverOf(open({}), { status, headers: { location: 'http://169.254.169.254/' } });
      expect((await send(findingNew)).class).toBe('sink-fault');
    },
  );

  it('413 is too large', async () => {
    expect((await receiverOf(open({}), 413).send(findingNew)).class).toBe('too-large');
  });

  it.each([
    [408, '7', 7_000],
    [409, '', null],
    [423, '-5', 0],
    [425, 'Wed, 01 Jan 2020 00:00:00 GMT', 0],
    [429, '1000000000', 86_400_000],
    [500, '120', 120_000],
    [503, 'soon', null],
  ])('H19: %i with Retry-After %j comes again after %j', async (status, after, afterMs) => {
    const { send } = receiverOf(open({}), { status, headers: { 'retry-after': after } });
    expect(await send(findingNew)).toMatchObject({ class: 'transient', afterMs });
  });

  it.each([
    ['denied', 'sink-fault'],
    ['dns', 'sink-fault'],
    ['tls', 'sink-fault'],
    ['connect', 'transient'],
    ['timeout', 'transient'],
    ['reset', 'transient'],
  ] as const)('without an answer (%s): %s', async (failure, expected) => {
    const { send, notes } = receiverOf(open({}), new HttpFailure(failure, 'x', { sent: false }));
    expect((await send(findingNew)).class).toBe(expected);
    expect(notes[0]).toMatchObject({ code: failure, attempt: 1, events: 1 });
  });
});

describe('when it stops', () => {
  it('H24: after 410 nothing is sent and no probe says otherwise', async () => {
    const { http, send, receiver } = receiverOf(open({}), 204);
    http.answer(410);
    expect(await send(findingNew)).toMatchObject({ class: 'sink-fault', code: 'http_410' });
    expect(await receiver.probe()).toBe(false);
    expect(await send(findingNew)).toMatchObject({ class: 'sink-fault', code: 'http_410' });
    expect(http.requests).toHaveLength(1);
  });

  const limits = { pause_after_ms: 60_000, pause_after_failures: 3 };

  it('failures alone pause it when they are many and last, and an event that is taken ends that', async () => {
    const { http, clock, send, receiver } = receiverOf(open(limits), 503);
    for (let k = 0; k < 5; k++) expect((await send({ k })).class).toBe('transient');
    await clock.advance(60_000);
    expect(await send(findingNew)).toMatchObject({ class: 'sink-fault', code: 'failing' });
    expect(await receiver.probe()).toBe(true);
    expect((await send(findingNew)).class).toBe('sink-fault');
    http.answer(204);
    expect((await send(findingNew)).class).toBe('delivered');
    expect((await send(findingNew)).class).toBe('transient');
  });

  it('long ago is not many: one failure after a quiet night pauses nothing', async () => {
    const { clock, send } = receiverOf(open(limits), 503);
    await send({ k: 0 });
    await clock.advance(3_600_000);
    expect((await send({ k: 1 })).class).toBe('transient');
  });

  it('an event that breaks the receiver becomes a dead letter, and only while others are taken', async () => {
    const answer = (request: HttpRequest): FakeAnswer => (bodyOf(request).includes('poison') ? 500 : 204);
    const { clock, send } = receiverOf(open({ max_attempts: 3 }), answer);
    for (let k = 0; k < 4; k++) expect((await send({ id: 'poison' })).class).toBe('transient');
    await clock.advance(1_000);
    await send({ id: 'good' });
    expect(await send({ id: 'poison' })).toMatchObject({ class: 'event-fault', code: 'http_500' });
  });
});
