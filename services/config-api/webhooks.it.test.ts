// Webhooks over the API, with the bodies of the SIEM guide: on PostgreSQL, with a receiver that verifies signatures, and sinks that
// read their records from Kafka.

import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createDeliveryStore } from '@tocsin/adapters/postgres/delivery-store.ts';
import { runnerOf } from '@tocsin/adapters/postgres/sql-runner.ts';
import { resolveSecret } from '@tocsin/adapters/secrets/postgres-store.ts';
import type { Connection, Delivery, SinkConfig } from '@tocsin/schemas/types.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { kafkaBrokers, newDatabase, uniqueName } from '@tocsin/testing/servers.ts';
import { emptyConfig } from '@tocsin/topologies/domain/config/config-table.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import type { LogClient, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { createSinkRequests } from '@tocsin/topologies/run/sink-requests.ts';
import { assignmentOf, batchOf } from '@tocsin/topologies/testing/batches.ts';
import { findingNew } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
let api: TestApi;
let client: LogClient;
let receiver: WebhookReceiver;
let isDown = false;
const http = createHttpClient({ egress: createEgressPolicy({ mode: 'open' }) });

// What the sinks service does with a request: the newest documents, the secrets of the store, the guarded client.
async function sinks(records: readonly OutRecord[]): Promise<void> {
  if (isDown) return;
  const table = { ...emptyConfig, sinks: new Map(), connections: new Map() };
  for (const kind of ['sink', 'connection'] as const)
    for (const { document, revision } of await api.dependencies.store.list(kind, { limit: 1000 }))
      (kind === 'sink' ? table.sinks : table.connections).set(document.id, {
        document: document as unknown as SinkConfig & Connection,
        revision,
      });
  const store = createDeliveryStore(api.db);
  const requests = createSinkRequests({
    client,
    table: () => table,
    ports: { http },
    hostName: 'test',
    secrets: { resolve: (ref) => resolveSecret(runnerOf(api.db), api.secretKeys, ref as never) },
    decode: createSinkDecode(null),
    clock: systemClock,
    random: Math.random,
    logger: fakeLogger(),
    news: {
      send: (told) => store.write(told.map(({ value }) => JSON.parse(String(value)) as Delivery)),
    },
  });
  await requests.onBatch(batchOf(records.map(({ value }) => String(value))), assignmentOf());
}

beforeAll(async () => {
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'webhooks-test',
  });
  api = await openTestApi(
    await newDatabase(),
    { producer: { send: async (records) => void sinks(records) } },
    { testWaitMs: 8_000 },
  );
  receiver = await startWebhookReceiver({ secret });
});

afterAll(async () => {
  await api.close();
  await receiver.close();
  await http.close();
});

// "Step 1" of the guide.
const guide = {
  name: 'SIEM Forwarder',
  url: 'https://siem.example.com/api/events',
  events: ['finding.new', 'scan.completed', 'action.completed'],
  secret: 'your-hmac-secret',
  active: true,
};
const create = (body: object) => api.call({ method: 'POST', url: '/api/webhooks', body });
const created = async (body: object): Promise<{ id: string; etag: string }> => {
  const answer = await create(body);
  expect(answer.statusCode, answer.body).toBe(201);
  return { id: answer.json().data.id, etag: String(answer.headers.etag) };
};
const local = (more: object = {}) => ({
  ...guide,
  url: `${receiver.url}/api/events`,
  allow_insecure: true,
  allow_cidrs: ['127.0.0.0/8'],
  secret,
  ...more,
});
const paths = (answer: { json(): { error: { issues: { path: string }[] } } }): string[] =>
  answer.json().error.issues.map(({ path }) => path);

describe('a webhook', () => {
  it('is created by the body of the guide, and is one sink and one connection', async () => {
    const answer = await create(guide);
    expect(answer.statusCode).toBe(201);
    const { data } = answer.json();
    const { secret: _, ...shown } = guide;
    expect(data).toMatchObject({
      id: expect.stringMatching(/^wh-/),
      ...shown,
      secret_set: true,
      headers: {},
    });
    expect(answer.body).not.toContain('your-hmac-secret');
    expect(answer.headers.location).toBe(`/api/webhooks/${data.id}`);
    const sink = await api.dependencies.store.get('sink', data.id);
    const connection = await api.dependencies.store.get('connection', data.id);
    expect(sink?.document).toMatchObject({
      type: 'webhook',
      connection: data.id,
      filters: { events: guide.events },
      topics: ['findings', 'events'],
    });
    expect(connection?.document).toMatchObject({
      host: 'siem.example.com',
      secrets: { hmac: { secret: `connection.${data.id}.hmac`, version: 1 } },
    });
    const outbox = await api.db
      .selectFrom('outbox')
      .select(['topic', 'key'])
      .where('key', 'like', `%/${data.id}`)
      .execute();
    expect(
      outbox
        .filter(({ topic }) => topic === 'config')
        .map(({ key }) => key)
        .sort(),
    ).toEqual([`connection/${data.id}`, `sink/${data.id}`]);
  });

  it('takes the Splunk and the filter example of the guide; headers are never shown', async () => {
    const splunk = await create({
      name: 'Splunk HEC',
      url: 'https://splunk.example.com:8088/services/collector/event',
      headers: { Authorization: 'Splunk YOUR_HEC_TOKEN' },
      events: ['finding.new', 'scan.completed'],
      transform: 'splunk_hec',
      active: true,
    });
    expect(splunk.statusCode).toBe(201);
    expect(splunk.json().data).toMatchObject({
      transform: 'splunk_hec',
      headers: { Authorization: '[secret]' },
    });
    expect(splunk.body).not.toContain('YOUR_HEC_TOKEN');
    const filtered = await create({
      name: 'Critical Only SIEM',
      url: 'https://siem.example.com/api/events',
      events: ['finding.new'],
      filters: { min_severity: 'high' },
      active: true,
    });
    expect(filtered.json().data).toMatchObject({
      events: ['finding.new'],
      filters: { min_severity: 'high' },
    });
  });

  it.each<[string, number, object, string]>([
    ['no events', 400, { events: [] }, '/events'],
    ['an event twice', 400, { events: ['finding.new', 'finding.new'] }, '/events'],
    ['an unknown transform', 400, { transform: 'xml' }, '/transform'],
    ['an unknown field', 400, { naem: 'x' }, '/naem'],
    ['active as text', 400, { active: 'true' }, '/active'],
    ['a short secret', 422, { secret: 'x' }, '/secret'],
    ['an empty secret', 422, { secret: '' }, '/secret'],
    ['a mask as secret', 422, { secret: '****************' }, '/secret'],
    ['a mask as header', 422, { headers: { Authorization: '[secret]' } }, '/headers/Authorization'],
    ['the header Host', 422, { headers: { Host: 'x.example.com' } }, '/headers/Host'],
    ['a signature header', 422, { headers: { 'webhook-signature': 'v1,x' } }, '/headers'],
    ['a line break in a header', 422, { headers: { 'X-A': 'a\r\nX-B: b' } }, '/headers/X-A'],
    ['http', 422, { url: 'http://siem.example.com/' }, '/url'],
    ['a user in the URL', 422, { url: 'https://u:p@siem.example.com/' }, '/url'],
    ['a file', 422, { url: 'file:///etc/passwd' }, '/url'],
    ['a backslash', 422, { url: 'https://siem.example.com\\@evil.example/' }, '/url'],
    ['a fragment', 422, { url: 'https://siem.example.com/#@evil.example' }, '/url'],
    ['port 0', 422, { url: 'https://siem.example.com:0/' }, '/url'],
    ['T01: the metadata address', 422, { url: 'https://169.254.169.254/' }, '/url'],
    ['elasticsearch without _doc', 422, { transform: 'elasticsearch' }, '/url'],
    ['filters that nothing passes', 422, { filters: { events: ['asset.created'] } }, '/filters/events'],
  ])('refuses %s with %i and names the field', async (_, status, more, path) => {
    const answer = await create({ ...guide, ...more });
    expect([answer.statusCode, ...paths(answer)]).toEqual([status, path]);
  });

  it('says what is likely to be a mistake', async () => {
    const answer = await create({
      ...guide,
      events: ['finding.nwe', 'finding.*'],
      filters: { exclude: ['finding.*'] },
    });
    expect(answer.json().warnings.map(({ path }: { path: string }) => path)).toEqual([
      '/events',
      '/filters/exclude',
    ]);
  });

  it('409 for an id that exists; the same Idempotency-Key is the same webhook', async () => {
    const id = `wh-${uniqueName('a')}`;
    await created({ ...guide, id });
    expect((await create({ ...guide, id })).statusCode).toBe(409);
    const headers = { 'idempotency-key': uniqueName('k') };
    const twice = [1, 2].map(() => api.call({ method: 'POST', url: '/api/webhooks', body: guide, headers }));
    const [first, second] = await Promise.all(twice);
    expect(second?.json().data.id).toBe(first?.json().data.id);
  });

  it('is changed under its ETag, in parts or whole, and secrets stay', async () => {
    const { id, etag } = await created({ ...guide, headers: { 'X-Key': 'abcdefgh' } });
    const url = `/api/webhooks/${id}`;
    const { secret: _, ...body } = guide;
    expect((await api.call({ method: 'PUT', url, body })).statusCode).toBe(428);
    expect((await api.call({ method: 'PUT', url, body, headers: { 'if-match': '"9-9"' } })).statusCode).toBe(
      412,
    );
    const put = await api.call({
      method: 'PUT',
      url,
      body: { ...body, name: 'Other' },
      headers: { 'if-match': etag },
    });
    expect(put.json().data).toMatchObject({
      name: 'Other',
      secret_set: true,
      headers: { 'X-Key': '[secret]' },
    });
    const off = await api.call({ method: 'PATCH', url, body: { active: false } });
    expect(off.json().data).toMatchObject({ name: 'Other', active: false, events: guide.events });
    expect((await api.call({ url })).json().data.state).toMatchObject({ status: 'inactive' });
    const bare = await api.call({ method: 'PATCH', url, body: { headers: null, secret: null } });
    expect(bare.json().data).toMatchObject({ secret_set: false, headers: {} });
  });

  it('T05: another host gets no secret that was given for this one', async () => {
    const { id } = await created({ ...guide, headers: { 'X-Key': 'abcdefgh' } });
    const url = `/api/webhooks/${id}`;
    const moved = await api.call({
      method: 'PATCH',
      url,
      body: { url: 'https://evil.example.com/api/events' },
    });
    expect([moved.statusCode, moved.json().error.code]).toEqual([422, 'secret_required']);
    expect(paths(moved).sort()).toEqual(['/headers', '/secret']);
    const path = await api.call({ method: 'PATCH', url, body: { url: 'https://siem.example.com/other' } });
    expect(path.statusCode).toBe(200);
  });

  it('is listed, deleted, and unknown afterwards', async () => {
    const { id } = await created(guide);
    const page = (await api.call({ url: '/api/webhooks?limit=200' })).json();
    expect(page.data.map((each: { id: string }) => each.id)).toContain(id);
    expect((await api.call({ method: 'DELETE', url: `/api/webhooks/${id}` })).statusCode).toBe(204);
    for (const [method, more] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/test'],
      ['GET', '/deliveries'],
      ['POST', '/resume'],
    ] as const)
      expect((await api.call({ method, url: `/api/webhooks/${id}${more}` })).statusCode).toBe(404);
    expect(await api.dependencies.store.get('connection', id)).toBeNull();
  });

  it('needs write:webhooks, which is enough', async () => {
    const key = (
      await api.call({
        method: 'POST',
        url: '/api/keys',
        body: { name: 'hooks', scopes: ['write:webhooks'] },
      })
    ).json();
    await api.keyring.refresh();
    const answer = await api.call({ method: 'POST', url: '/api/webhooks', body: guide, key: key.key });
    expect(answer.statusCode, answer.body).toBe(201);
    const other = await api.call({ method: 'POST', url: '/api/sinks', body: {}, key: key.key });
    expect(other.statusCode).toBe(403);
  });
});

describe('a test and the delivery log', () => {
  it('sends a signed test event past the filters, also when it is not active, and logs it', async () => {
    const { id } = await created(
      local({ active: false, filters: { min_severity: 'critical' }, headers: { 'X-Key': 'abcdefgh' } }),
    );
    receiver.script({ status: 202, body: 'thank you, abcdefgh' });
    const answer = await api.call({ method: 'POST', url: `/api/webhooks/${id}/test?event=finding.new` });
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.json().data).toMatchObject({
      delivered: true,
      status_code: 202,
      response: 'thank you, [secret]',
      event: 'finding.new',
      sent_by: 'test',
    });
    const sent = receiver.requests.at(-1);
    expect(sent).toMatchObject({ verified: true, path: '/api/events', headers: { 'x-key': 'abcdefgh' } });
    expect(JSON.parse(String(sent?.body))).toMatchObject({ event: 'finding.new', test: true, id: sent?.id });
    const log = (await api.call({ url: `/api/webhooks/${id}/deliveries` })).json();
    expect(log.data).toHaveLength(1);
    const one = await api.call({ url: `/api/webhooks/${id}/deliveries/${log.data[0].id}` });
    expect(one.json().data).toEqual(log.data[0]);
    const viewer = (
      await api.call({ method: 'POST', url: '/api/keys', body: { name: 'v', role: 'viewer' } })
    ).json();
    await api.keyring.refresh();
    const seen = await api.call({ url: `/api/webhooks/${id}/deliveries`, key: viewer.key });
    expect(seen.json().data[0]).not.toHaveProperty('response');
  });

  it('H05, H18: says why it was not delivered', async () => {
    const { id } = await created(local());
    receiver.script({ redirect: 'http://169.254.169.254/latest/' });
    const redirected = await api.call({ method: 'POST', url: `/api/webhooks/${id}/test` });
    expect(redirected.json().data).toMatchObject({ delivered: false, status_code: 302, code: 'http_3xx' });
    receiver.script('reset');
    const reset = await api.call({ method: 'POST', url: `/api/webhooks/${id}/test` });
    expect(reset.json().data).toMatchObject({ delivered: false, code: 'reset' });
    const state = (await api.call({ url: `/api/webhooks/${id}` })).json().data.state;
    expect(state).toMatchObject({ status: 'running', last_error: { code: 'reset' } });
  });

  it('a receiver on a private address that nobody allowed gets no connection', async () => {
    const before = receiver.requests.length;
    const { id } = await created({ ...local(), allow_cidrs: [] });
    const answer = await api.call({ method: 'POST', url: `/api/webhooks/${id}/test` });
    expect(answer.json().data).toMatchObject({ delivered: false, code: 'denied' });
    expect(receiver.requests).toHaveLength(before);
  });

  it('T22: more than five in a minute are refused; without sinks it says so', async () => {
    const { id } = await created(local());
    const url = `/api/webhooks/${id}/test`;
    for (let k = 0; k < 5; k++) expect((await api.call({ method: 'POST', url })).statusCode).toBe(200);
    const refused = await api.call({ method: 'POST', url });
    expect([refused.statusCode, refused.json().error.code]).toEqual([429, 'rate_limited']);
    isDown = true;
    const other = await created(local());
    const answer = await api.call({ method: 'POST', url: `/api/webhooks/${other.id}/test` });
    isDown = false;
    expect([answer.statusCode, answer.json().data.delivered]).toEqual([202, null]);
  });

  it('sends the record of a delivery again, under the same id; 409 for a test', async () => {
    const topic = uniqueName('findings');
    const admin = client.admin();
    await admin.ensureTopics([{ name: topic, partitions: 1, replicationFactor: 1, config: {} }]);
    await admin.close();
    const producer = client.producer();
    await producer.send(
      [7, 8, 9].map((n) => ({ topic, key: 'a', value: JSON.stringify({ id: `evt-${n}`, ...findingNew }) })),
    );
    await producer.close();
    const { id } = await created(local());
    const attempt = {
      v: 1,
      kind: 'attempt',
      sink: id,
      at: Date.now(),
      by: 'sink',
      events: 1,
      attempt: 1,
      status: 'delivered',
      latency_ms: 3,
    } as const;
    const place = { topic, partition: 0 };
    await createDeliveryStore(api.db).write([
      { ...attempt, id: 'a'.repeat(32), event_id: 'evt-8', source: { ...place, offset: 1 } },
      { ...attempt, id: 'b'.repeat(32), event_id: 'evt-x', source: { ...place, offset: 77 } },
      { ...attempt, id: 'c'.repeat(32), events: 40, source: { ...place, offset: 1 } },
    ]);
    const again = (delivery: string) =>
      api.call({ method: 'POST', url: `/api/webhooks/${id}/deliveries/${delivery.repeat(32)}/redeliver` });
    const answer = await again('a');
    expect(answer.json().data).toMatchObject({ delivered: true, event_id: 'evt-8', sent_by: 'redeliver' });
    expect(receiver.requests.at(-1)).toMatchObject({ id: 'evt-8', verified: true });
    expect((await again('b')).json().data).toMatchObject({ delivered: false, code: 'gone' });
    expect((await again('c')).statusCode).toBe(409);
    expect((await again('d')).statusCode).toBe(404);
  });

  it('keeps the last 1,000 of each webhook, and the same record once', async () => {
    const sink = uniqueName('wh');
    const store = createDeliveryStore(api.db);
    const record = (n: number): Delivery => ({
      v: 1,
      kind: 'attempt',
      id: n.toString(16).padStart(32, '0'),
      sink,
      at: n,
      by: 'sink',
      events: 1,
      attempt: 1,
      status: 'delivered',
      latency_ms: 1,
      response: 'a\u0000b',
    });
    const all = Array.from({ length: 1_500 }, (_, n) => record(n));
    await store.write(all.slice(0, 900));
    await store.write(all.slice(800));
    await store.write(all.slice(1_400));
    const rows = await store.list(sink, { limit: 5_000 });
    expect(rows).toHaveLength(1_000);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(1_000);
    expect(rows[0]?.at.getTime()).toBe(1_499);
  });

  it('shows a pause until the webhook is saved again', async () => {
    const { id } = await created(local());
    const url = `/api/webhooks/${id}`;
    await createDeliveryStore(api.db).write([
      {
        v: 1,
        kind: 'state',
        id: 'e'.repeat(32),
        sink: id,
        at: Date.now() + 1_000,
        paused: true,
        code: 'http_410',
        detail: 'gone',
      },
    ]);
    expect((await api.call({ url })).json().data.state).toMatchObject({ status: 'paused', code: 'http_410' });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await api.call({ method: 'POST', url: `${url}/resume` })).statusCode).toBe(200);
    expect((await api.call({ url })).json().data.state).toMatchObject({ status: 'running' });
  });
});

describe('rotation of the secret', () => {
  const signatures = async (id: string): Promise<number> => {
    await api.call({ method: 'POST', url: `/api/webhooks/${id}/test` });
    return receiver.requests.at(-1)?.headers['webhook-signature']?.split(' ').length ?? 0;
  };

  it('shows a new secret once; both sign for a while, and then the new one alone', async () => {
    const { id } = await created(local());
    const url = `/api/webhooks/${id}/secret/rotate`;
    const rotated = await api.call({ method: 'POST', url });
    expect(rotated.statusCode, rotated.body).toBe(200);
    const made = rotated.json().data.secret;
    expect(made).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect((await api.call({ url: `/api/webhooks/${id}` })).body).not.toContain(made);
    expect(await signatures(id)).toBe(2);
    // The receiver has the old secret.
    expect(receiver.requests.at(-1)?.verified).toBe(true);
    const short = await api.call({
      method: 'POST',
      url,
      body: { secret: 'another-long-secret', overlap_hours: 0.0001 },
    });
    expect(short.json().data).not.toHaveProperty('secret');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await signatures(id)).toBe(1);
    expect(receiver.requests.at(-1)?.verified).toBe(false);
  });

  it('refuses a short one', async () => {
    const { id } = await created(guide);
    const answer = await api.call({
      method: 'POST',
      url: `/api/webhooks/${id}/secret/rotate`,
      body: { secret: 'short' },
    });
    expect([answer.statusCode, ...paths(answer)]).toEqual([422, '/secret']);
  });
});
