// Connections and their secrets: write-only, bound to the destination they were given for.
import { runnerOf } from '@tocsin/adapters/postgres/sql-runner.ts';
import { parseKeyring } from '@tocsin/adapters/secrets/keyring.ts';
import { resolveSecret } from '@tocsin/adapters/secrets/postgres-store.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';
import { checkKeyring } from './vault.ts';

const canary = 'canary-5b1f0f9e-token';
let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
});
afterAll(() => api.close());

const web = { type: 'http', host: 'hooks.example.org', auth: { type: 'bearer' } };

async function make(id: string, fields: object = {}) {
  const body = { id, ...web, secrets: { token: { value: canary } }, ...fields };
  const response = await api.call({ method: 'POST', url: '/api/connections', body });
  expect(response.statusCode, response.body).toBe(201);
  return response;
}

function put(id: string, body: object, revision = 1) {
  return api.call({
    method: 'PUT',
    url: `/api/connections/${id}`,
    body,
    headers: { 'if-match': `"${revision}"` },
  });
}

it('T19 T21 never gives a value back, in any answer, record or audit row', async () => {
  const created = await make('shown');
  expect(created.json().document.secrets).toEqual({
    token: { secret: 'connection.shown.token', version: 1 },
  });
  const seen = [created.body];
  for (const url of [
    '/api/connections',
    '/api/connections/shown',
    '/api/connections/shown/revisions',
    '/api/secrets/connection.shown.token',
  ])
    seen.push((await api.call({ url })).body);
  for (const table of ['config_revisions', 'outbox', 'audit', 'idempotency_keys'] as const)
    seen.push(JSON.stringify(await api.db.selectFrom(table).selectAll().execute()));
  expect(seen.join('\n')).not.toContain(canary);
  expect((await api.call({ url: '/api/secrets/connection.shown.token' })).json()).toMatchObject({
    set: true,
    version: 1,
  });
});

it('stores what an executor can decrypt, and nobody can read', async () => {
  await make('sealed');
  const runner = runnerOf(api.db);
  const value = await resolveSecret(runner, api.secretKeys, {
    secret: 'connection.sealed.token',
    version: 1,
  });
  expect(value.reveal()).toBe(canary);
  const { rows } = await runner.query('select * from secret_versions');
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows)
    for (const cell of Object.values(row))
      expect(Buffer.isBuffer(cell) ? cell.toString('latin1') : String(cell)).not.toContain(canary);
});

it('takes the value back when the connection is refused', async () => {
  const secrets = { token: { value: canary } };
  const body = { id: 'refused', ...web, host: '169.254.169.254', secrets };
  expect((await api.call({ method: 'POST', url: '/api/connections', body })).statusCode).toBe(422);
  expect((await api.call({ url: '/api/secrets/connection.refused.token' })).statusCode).toBe(404);
});

it('a keyring that does not fit the database is noticed', async () => {
  const db = api.db;
  await checkKeyring(db, api.secretKeys);
  await checkKeyring(db, api.secretKeys);
  const other = parseKeyring(
    JSON.stringify({ active: 'k1', keys: { k1: Buffer.alloc(32, 7).toString('base64') } }),
  );
  await expect(checkKeyring(db, other)).rejects.toThrow('SECRETS_KEY_FILE');
});

it('keeps the hash of a replayable request useless for guessing', async () => {
  const headers = { 'idempotency-key': 'c-1' };
  const body = { id: 'idem', ...web, secrets: { token: { value: canary } } };
  const first = await api.call({ method: 'POST', url: '/api/connections', body, headers });
  const second = await api.call({ method: 'POST', url: '/api/connections', body, headers });
  expect([first.statusCode, second.statusCode, second.body]).toEqual([201, 201, first.body]);
  expect((await api.call({ url: '/api/secrets/connection.idem.token' })).json().version).toBe(1);
});

describe('T05 a stored credential goes to no other destination', () => {
  beforeAll(() => make('bound', { allow_cidrs: ['10.0.0.0/8'] }));
  it.each([
    ['host', { host: 'evil.example' }],
    ['port', { port: 8443 }],
    ['protocol', { protocol: 'http', allow_insecure: true }],
    ['certificate check', { tls: { verify: false } }],
    ['certificate authority', { tls: { ca: '-----BEGIN CERTIFICATE-----' } }],
  ])('%s', async (_title, change) => {
    for (const secrets of [undefined, { token: { secret: 'connection.bound.token', version: 1 } }]) {
      const response = await put('bound', {
        ...web,
        ...change,
        ...(secrets === undefined ? {} : { secrets }),
      });
      expect([response.statusCode, response.json().error.code]).toEqual([422, 'secret_required']);
      expect(response.json().error.issues[0].path).toBe('/secrets/token');
    }
    expect((await api.call({ url: '/api/connections/bound' })).json()).toMatchObject({
      revision: 1,
      document: { host: web.host },
    });
  });
  it('the default port written out, other case and other fields need nothing again', async () => {
    const response = await put('bound', { ...web, host: 'HOOKS.example.org', port: 443, concurrency: 2 });
    expect([response.statusCode, response.json().document.secrets.token.version]).toEqual([200, 1]);
  });
  it('a new value goes with a new destination', async () => {
    const response = await put(
      'bound',
      { ...web, host: 'new.example.org', secrets: { token: { value: 'another-value' } } },
      2,
    );
    expect([response.statusCode, response.json().document.secrets.token.version]).toEqual([200, 2]);
  });
  it('another connection cannot name it, nor the same id after a deletion', async () => {
    const secrets = { token: { secret: 'connection.bound.token' } };
    const thief = await api.call({
      method: 'POST',
      url: '/api/connections',
      body: { id: 'thief', ...web, host: 'evil.example', secrets },
    });
    expect([thief.statusCode, thief.json().error.issues[0].path]).toEqual([422, '/secrets/token/secret']);
    await api.call({ method: 'DELETE', url: '/api/connections/bound' });
    const reborn = await api.call({
      method: 'POST',
      url: '/api/connections',
      body: { id: 'bound', ...web, host: 'evil.example', secrets },
    });
    expect(reborn.statusCode).toBe(422);
  });
  it('a key without write:secrets cannot point a connection at a named secret', async () => {
    await api.call({ method: 'PUT', url: '/api/secrets/shared', body: { value: 'shared-value' } });
    const limited = { name: 'net', scopes: ['write:connections', 'read:connections'] };
    const { key } = (await api.call({ method: 'POST', url: '/api/keys', body: limited })).json();
    for (const token of [{ secret: 'shared' }, { env: 'PATH' }, { file: '/etc/passwd' }]) {
      const body = { id: 'limited', ...web, host: 'evil.example', secrets: { token } };
      expect((await api.call({ method: 'POST', url: '/api/connections', body, key })).statusCode).toBe(403);
    }
  });
});

it('keeps a secret that is not mentioned and clears one that is null', async () => {
  await make('fields', {
    tls: { cert: '-----BEGIN CERTIFICATE-----' },
    secrets: { token: { value: canary }, tls_key: { value: '-----BEGIN PRIVATE KEY-----\nx\n' } },
  });
  const tls = { cert: '-----BEGIN CERTIFICATE-----' };
  const kept = await put('fields', { ...web, tls, name: 'n' });
  expect(Object.keys(kept.json().document.secrets).sort()).toEqual(['tls_key', 'token']);
  const cleared = await put('fields', { type: 'http', host: web.host, tls, secrets: { token: null } }, 2);
  expect(cleared.statusCode, cleared.body).toBe(200);
  expect(Object.keys(cleared.json().document.secrets)).toEqual(['tls_key']);
  const needed = await put('fields', { ...web, tls }, 3);
  expect([needed.statusCode, needed.json().error.issues[0].path]).toEqual([422, '/secrets/token']);
});

describe('T20 what is no secret', () => {
  it.each([
    '********',
    '****',
    '••••••',
    '[secret]',
    '<redacted>',
    'xxxxxxxx',
    '',
    'two\nlines',
    'a'.repeat(65 * 1024),
  ])('%s', async (value) => {
    const inline = await api.call({
      method: 'POST',
      url: '/api/connections',
      body: { ...web, secrets: { token: { value } } },
    });
    expect([inline.statusCode, inline.json().error.issues[0].path]).toEqual([422, '/secrets/token/value']);
    const named = await api.call({ method: 'PUT', url: '/api/secrets/named', body: { value } });
    expect([named.statusCode, named.json().error.issues[0].path]).toEqual([422, '/value']);
  });
  it('1 MB is refused before it is read', async () => {
    const named = await api.call({
      method: 'PUT',
      url: '/api/secrets/named',
      body: { value: 'a'.repeat(1_000_000) },
    });
    expect(named.statusCode).toBe(413);
  });
  it('a bare string in place of {value}', async () => {
    const response = await api.call({
      method: 'POST',
      url: '/api/connections',
      body: { ...web, secrets: { token: canary } },
    });
    expect(response.statusCode).toBe(400);
    expect(response.body).not.toContain(canary);
  });
});

it('a named secret of a connection is set through the connection', async () => {
  const response = await api.call({
    method: 'PUT',
    url: '/api/secrets/connection.shown.token',
    body: { value: 'other-value' },
  });
  expect(response.statusCode).toBe(422);
});

it('refuses an action whose parameters contradict its connection, also through the `with` of a rule', async () => {
  await make('strict');
  const headers = [{ name: 'Authorization', value: 'other' }];
  const action = (params: object) => ({ id: 'contradiction', type: 'webhook', connection: 'strict', params });
  const refused = await api.call({ method: 'POST', url: '/api/actions', body: action({ headers }) });
  expect(refused.statusCode).toBe(422);
  expect(refused.json().error.issues).toEqual([
    { path: '/params/headers/0/name', message: 'Authorization is already set by the connection' },
  ]);
  const accepted = await api.call({ method: 'POST', url: '/api/actions', body: action({}) });
  expect(accepted.statusCode, accepted.body).toBe(201);
  const rule = await api.call({
    method: 'POST',
    url: '/api/rules',
    body: { id: 'by-rule', match_all: true, then: [{ action: 'contradiction', with: { headers } }] },
  });
  expect(rule.statusCode).toBe(422);
  expect(rule.json().error.issues[0]?.path).toBe('/then/0/with/headers/0/name');
});

describe('databases', () => {
  const host = 'db.example.org';
  const fields = { type: 'database', engine: 'postgres', host, database: 'soc', user: 'tocsin' };
  const secrets = { password: { value: canary } };
  const post = (body: object) => api.call({ method: 'POST', url: '/api/connections', body });

  it.each([
    ['no-password', fields, '/secrets/password'],
    ['no-engine', { ...fields, engine: undefined, secrets }, '/engine'],
    ['plain', { ...fields, security: 'none', secrets }, '/allow_insecure'],
    ['twice', { ...fields, url: `jdbc:postgresql://${host}/soc`, secrets }, '/engine'],
    [
      'told',
      { type: 'database', url: `jdbc:postgresql://u:${canary}@${host}/soc`, user: 'u', secrets },
      '/url',
    ],
    ['inside', { ...fields, host: '169.254.169.254', secrets }, '/host'],
    ['by-url', { type: 'database', url: 'jdbc:postgresql://169.254.169.254/x', user: 'u', secrets }, '/url'],
    ['keyless', { ...fields, tls: { cert: 'PEM' }, secrets }, '/secrets/tls_key'],
  ])('refuses %s and names the field', async (id, body, path) => {
    const response = await post({ id, ...body });
    expect(response.statusCode, response.body).toBe(422);
    expect(response.body).toContain(`"${path}"`);
    expect(response.body).not.toContain(canary);
  });

  it('binds the password to the server: whoever changes the place gives it again', async () => {
    expect((await post({ id: 'soc-db', ...fields, secrets })).statusCode).toBe(201);
    const { host: _, engine: __, database: ___, ...rest } = fields;
    for (const change of [
      { ...fields, host: 'other.example.org' },
      { ...fields, engine: 'mysql' },
      { ...fields, security: 'none', allow_insecure: true },
      { ...rest, url: 'jdbc:postgresql://other.example.org/soc' },
    ]) {
      const response = await put('soc-db', change);
      expect(response.statusCode, response.body).toBe(422);
      expect(response.json().code ?? response.body).toContain('secret_required');
    }
    expect((await put('soc-db', { ...fields, user: 'tocsin', statement_timeout_ms: 1_000 })).statusCode).toBe(
      200,
    );
  });

  it('an action of a database needs such a connection', async () => {
    const action = {
      id: 'rows',
      type: 'database',
      connection: 'soc-db',
      params: { table: 'x"; drop table y;--' },
    };
    const made = (body: object) => api.call({ method: 'POST', url: '/api/actions', body });
    expect((await made(action)).statusCode).toBe(422);
    expect((await made({ ...action, params: { table: 'x' } })).statusCode).toBe(201);
    await make('not-a-database');
    const other = await made({
      ...action,
      id: 'others',
      connection: 'not-a-database',
      params: { table: 'x' },
    });
    expect(other.statusCode).toBe(422);
  });
});

describe('syslog receivers', () => {
  const fields = { type: 'syslog', host: 'siem.example.org' };
  const secrets = { tls_key: { value: canary } };
  const tls = { cert: 'PEM' };
  const post = (body: object) => api.call({ method: 'POST', url: '/api/connections', body });

  it.each([
    ['plain-tls', { ...fields, protocol: 'tcp', tls: {} }, '/tls'],
    ['relp-lines', { ...fields, protocol: 'relp', framing: 'lf' }, '/framing'],
    ['keyless-log', { ...fields, tls }, '/secrets/tls_key'],
    ['inside-log', { ...fields, host: '169.254.169.254' }, '/host'],
    ['address', { ...fields, host: 'tcp://siem.example.org' }, '/host'],
  ])('refuses %s and names the field', async (id, body, path) => {
    const response = await post({ id, ...body });
    expect(response.statusCode, response.body).toBe(422);
    expect(response.body).toContain(`"${path}"`);
  });

  it('binds the client key to the place, its port included; a sink takes the connection and no other', async () => {
    expect((await post({ id: 'siem-log', ...fields, tls, secrets })).statusCode).toBe(201);
    for (const change of [{ host: 'other.example.org' }, { port: 443 }, { protocol: 'relp_tls' }]) {
      const response = await put('siem-log', { ...fields, tls, ...change });
      expect([response.statusCode, response.json().error.code]).toEqual([422, 'secret_required']);
    }
    const sink = (id: string, connection: string, params: object) =>
      api.call({ method: 'POST', url: '/api/sinks', body: { id, type: 'syslog', connection, params } });
    expect((await sink('siem-cef', 'siem-log', {})).statusCode).toBe(201);
    await make('web-log');
    expect((await sink('wrong-kind', 'web-log', {})).statusCode).toBe(422);
    const refused = await sink('no-key', 'siem-log', { fields: { asset: 'data.asset.name' } });
    expect(refused.statusCode, refused.body).toBe(422);
    expect(refused.body).toContain('"/params/fields/asset"');
  });
});
