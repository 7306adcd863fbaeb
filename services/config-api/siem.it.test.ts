// SIEM integrations over the API: the flat body of the guide and the nested one of the reference, each one sink and one connection.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { findSink } from '@tocsin/topologies/sinks/registry.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
});
afterAll(() => api.close());

const root = '/api/integrations/siem';
const create = (body: object) => api.call({ method: 'POST', url: root, body });
// "Configure Syslog Output" of the guide.
const guide = {
  type: 'syslog',
  protocol: 'tcp_tls',
  host: 'siem.example.com',
  port: 6514,
  format: 'cef',
  events: ['finding.new', 'scan.completed'],
};

async function documents(id: string) {
  const sink = (await api.dependencies.store.get('sink', id))?.document;
  const connection = (await api.dependencies.store.get('connection', id))?.document;
  expect(findSink(String(sink?.type))?.check((sink?.params ?? {}) as never)).toEqual([]);
  return { sink, connection };
}

it('B47a: the flat body of the guide is a syslog sink with a connection of its own', async () => {
  const answer = await create(guide);
  expect(answer.statusCode, answer.body).toBe(201);
  const { data, warnings } = answer.json();
  const { type, events, ...config } = guide;
  expect(data).toMatchObject({
    id: expect.stringMatching(/^siem-/),
    type,
    events,
    config,
    name: 'SIEM syslog',
    active: true,
  });
  expect(warnings).toEqual([]);
  const { sink, connection } = await documents(data.id);
  expect(sink).toMatchObject({
    type: 'syslog',
    filters: { events },
    params: { format: 'cef' },
    topics: ['findings', 'events'],
  });
  expect(connection).toMatchObject({
    type: 'syslog',
    protocol: 'tcp_tls',
    host: 'siem.example.com',
    port: 6514,
  });
});

it('B47a: the nested body of the reference, with a certificate in base64', async () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const answer = await create({
    type: 'syslog',
    name: 'QRadar',
    config: {
      host: 'qradar.example.com',
      port: 514,
      protocol: 'tcp_tls',
      format: 'leef',
      facility: 'local3',
      tls: { ca_cert: Buffer.from(pem).toString('base64'), verify: false },
    },
    filters: { min_severity: 'high', exclude: ['finding.info'] },
  });
  expect(answer.statusCode, answer.body).toBe(201);
  const { data, warnings } = answer.json();
  expect(warnings.map(({ path }: { path: string }) => path)).toEqual(['/tls/verify', '/port']);
  const { sink, connection } = await documents(data.id);
  expect(connection?.tls).toEqual({ verify: false, ca: pem });
  expect(sink).toMatchObject({
    name: 'QRadar',
    params: { format: 'leef', facility: 'local3' },
    filters: { min_severity: 'high', exclude: ['finding.info'] },
  });
});

it.each<[string, object, object, object]>([
  [
    'qradar',
    { type: 'qradar', host: 'q.example.com' },
    { type: 'syslog', params: { format: 'leef' } },
    { type: 'syslog', host: 'q.example.com' },
  ],
  [
    'splunk_hec',
    {
      type: 'splunk_hec',
      config: {
        url: 'https://splunk.example.com:8088/services/collector/event',
        token: 'c0ffee00-token',
        index: 'security',
      },
    },
    { type: 'splunk-hec', params: { index: 'security', path: '/services/collector/event' } },
    { type: 'http', host: 'splunk.example.com', port: 8088, auth: { type: 'splunk' } },
  ],
  [
    'elasticsearch',
    {
      type: 'elasticsearch',
      config: {
        url: 'https://elasticsearch.example.com:9200',
        user: 'elastic',
        password: 'c0ffee00-password',
        index: 's4e-events-%{+YYYY.MM}',
      },
    },
    { type: 'elasticsearch', params: { index: 's4e-events-%{+YYYY.MM}' } },
    { type: 'http', port: 9200, auth: { type: 'basic', username: 'elastic' } },
  ],
  [
    'webhook',
    {
      type: 'webhook',
      config: { url: 'https://siem.example.com/api/events', secret: 'c0ffee00-hmac-secret' },
    },
    { type: 'webhook', params: { path: '/api/events' } },
    { type: 'http', host: 'siem.example.com' },
  ],
])('%s is the sink of its type, and shows no credential', async (_, body, sink, connection) => {
  const answer = await create(body);
  expect(answer.statusCode, answer.body).toBe(201);
  expect(answer.body).not.toContain('c0ffee00');
  const { data } = answer.json();
  const stored = await documents(data.id);
  expect(stored.sink).toMatchObject(sink);
  expect(stored.connection).toMatchObject(connection);
  expect((await api.call({ url: `${root}/${data.id}` })).json().data.state).toMatchObject({
    status: 'running',
    waiting: 0,
    last_error: null,
  });
});

it.each<[string, number, object, string]>([
  ['no type', 400, { host: 'x.example.com' }, '/type'],
  ['another type', 400, { type: 'graylog' }, '/type'],
  ['an unknown field', 400, { ...guide, hots: 'x' }, '/hots'],
  ['both forms', 422, { type: 'syslog', host: 'a.example.com', config: { host: 'b.example.com' } }, '/host'],
  ['a setting of another type', 422, { ...guide, token: 'x' }, '/token'],
  ['no host', 422, { type: 'syslog' }, '/host'],
  ['no host in config', 422, { type: 'syslog', config: {} }, '/config/host'],
  ['a port as text', 422, { ...guide, port: '6514' }, '/port'],
  ['a format that is none', 422, { ...guide, format: 'xml' }, '/format'],
  ['a URL as host', 422, { ...guide, host: 'https://siem.example.com' }, '/host'],
  ['TLS options over UDP', 422, { ...guide, protocol: 'udp', tls: { verify: true } }, '/tls'],
  ['rubbish as certificate', 422, { ...guide, tls: { ca_cert: 'AAAA' } }, '/tls/ca_cert'],
  ['no token', 422, { type: 'splunk_hec', config: { url: 'https://s.example.com' } }, '/config/token'],
  [
    'a mask as token',
    422,
    { type: 'splunk_hec', config: { url: 'https://s.example.com', token: '********' } },
    '/config/token',
  ],
  [
    'http',
    422,
    { type: 'splunk_hec', config: { url: 'http://s.example.com', token: 'abcdefgh' } },
    '/config/url',
  ],
  [
    'an index that cannot be',
    422,
    { type: 'elasticsearch', config: { url: 'https://e.example.com', index: 'UPPER' } },
    '/config/index',
  ],
  [
    'a user without password',
    422,
    { type: 'elasticsearch', config: { url: 'https://e.example.com', user: 'elastic' } },
    '/config/password',
  ],
  [
    'a short secret',
    422,
    { type: 'webhook', config: { url: 'https://w.example.com', secret: 'x' } },
    '/config/secret',
  ],
])('refuses %s with %i and names the field', async (_, status, body, path) => {
  const answer = await create(body);
  expect([answer.statusCode, answer.json().error?.issues[0]?.path], answer.body).toEqual([status, path]);
});

it('is listed, changed under its ETag, and deleted', async () => {
  const made = await create({
    type: 'splunk_hec',
    config: { url: 'https://splunk.example.com:8088/', token: 'abcdefgh' },
    events: ['finding.new'],
  });
  const { id } = made.json().data;
  const url = `${root}/${id}`;
  expect(
    (await api.call({ url: `${root}?limit=200` })).json().data.map((each: { id: string }) => each.id),
  ).toContain(id);
  const patched = await api.call({
    method: 'PATCH',
    url,
    body: { active: false, filters: { min_severity: 'low' } },
  });
  expect(patched.json().data).toMatchObject({
    active: false,
    events: ['finding.new'],
    filters: { min_severity: 'low' },
  });
  const body = { type: 'splunk_hec', config: { url: 'https://splunk.example.com:8088/', index: 'other' } };
  expect((await api.call({ method: 'PUT', url, body })).statusCode).toBe(428);
  const put = await api.call({
    method: 'PUT',
    url,
    body,
    headers: { 'if-match': String(patched.headers.etag) },
  });
  expect(put.json().data, put.body).toMatchObject({
    config: { index: 'other' },
    credentials: ['token'],
    active: true,
  });
  const moved = { ...body, config: { ...body.config, url: 'https://evil.example.com:8088/' } };
  const refused = await api.call({
    method: 'PUT',
    url,
    body: moved,
    headers: { 'if-match': String(put.headers.etag) },
  });
  expect([refused.statusCode, refused.json().error.code, refused.json().error.issues[0].path]).toEqual([
    422,
    'secret_required',
    '/config/token',
  ]);
  const other = await api.call({
    method: 'PUT',
    url,
    body: guide,
    headers: { 'if-match': String(put.headers.etag) },
  });
  expect([other.statusCode, other.json().error.issues[0].path]).toEqual([422, '/type']);
  expect((await api.call({ method: 'DELETE', url })).statusCode).toBe(204);
  expect((await api.call({ url })).statusCode).toBe(404);
});
