// API keys: shape, storage, the first one, expiry, revocation, floods of wrong ones, and a database that goes away.
import { createHmac } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createFirstKey } from '@tocsin/adapters/postgres/bootstrap-key.ts';
import { breakableServer } from '@tocsin/adapters/postgres/breakable-server.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let port: number;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await api.http.listen({ host: '127.0.0.1', port: 0 });
  port = (api.http.server.address() as AddressInfo).port;
});
afterAll(() => api.close());

it('makes the first key once, in a file for its owner alone', async () => {
  expect(api.adminKey).toMatch(/^tocsin_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/);
  expect((await stat(api.keyFile)).mode & 0o777).toBe(0o600);
  const again = await createFirstKey(api.db, api.dependencies.pepper, api.keyFile);
  expect(again).toBeNull();
  expect((await readFile(api.keyFile, 'utf8')).trim()).toBe(api.adminKey);
  expect((await api.call({ url: '/api/rules' })).statusCode).toBe(200);
});

it('makes one first key when many start at once, and none after all keys are revoked', async () => {
  const other = await openTestApi(await newDatabase());
  await other.db.deleteFrom('api_keys').execute();
  const made = await Promise.all(
    Array.from({ length: 5 }, () => createFirstKey(other.db, other.dependencies.pepper, other.keyFile)),
  );
  expect(made.filter((id) => id !== null)).toHaveLength(1);
  await other.db.updateTable('api_keys').set({ revoked_at: new Date() }).execute();
  expect(await createFirstKey(other.db, other.dependencies.pepper, other.keyFile)).toBeNull();
  await other.close();
});

it('stores a keyed hash and never the key', async () => {
  const made = (
    await api.call({ method: 'POST', url: '/api/keys', body: { name: 'ci', role: 'viewer' } })
  ).json();
  const rows = await api.db.selectFrom('api_keys').selectAll().execute();
  const row = rows.find((each) => each.id === made.id);
  expect(row?.hmac).toEqual(createHmac('sha256', api.dependencies.pepper).update(made.key).digest());
  const everything = JSON.stringify([rows, await api.db.selectFrom('outbox').selectAll().execute()]);
  expect(everything).not.toContain(made.key.slice(16));
  const list = (await api.call({ url: '/api/keys' })).body;
  expect(list).toContain(made.id);
  expect(list).not.toContain(made.key.slice(16));
});

it.each([
  null,
  '',
  'x',
  'tocsin_aaaaaaaa_bbb',
  `tocsin_aaaaaaaa_${'A'.repeat(43)}`,
  `tocsin_aaaaaaaa_${'A'.repeat(44)}`,
])('refuses the key %s', async (key) => {
  const response = await api.call({ url: '/api/rules', key });
  expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer realm="tocsin"']);
});

it('refuses a key with one other character, another scheme, and a key in the URL', async () => {
  const last = api.adminKey.at(-2) === 'A' ? 'B' : 'A';
  const forged = `${api.adminKey.slice(0, -2)}${last}${api.adminKey.at(-1)}`;
  expect((await api.call({ url: '/api/rules', key: forged })).statusCode).toBe(401);
  const basic = `Basic ${Buffer.from(`x:${api.adminKey}`).toString('base64')}`;
  expect(
    (await api.call({ url: '/api/rules', key: null, headers: { authorization: basic } })).statusCode,
  ).toBe(401);
  expect((await api.call({ url: `/api/rules?key=${api.adminKey}`, key: null })).statusCode).toBe(401);
  expect(
    (await api.call({ url: '/docs/json', key: null, headers: { authorization: basic } })).statusCode,
  ).toBe(200);
  const lower = { authorization: `bearer ${api.adminKey}` };
  expect((await api.call({ url: '/api/rules', key: null, headers: lower })).statusCode).toBe(200);
});

it('refuses an expired key', async () => {
  const made = (
    await api.call({ method: 'POST', url: '/api/keys', body: { name: 'old', role: 'viewer' } })
  ).json();
  expect((await api.call({ url: '/api/rules', key: made.key })).statusCode).toBe(200);
  await api.db
    .updateTable('api_keys')
    .set({ expires_at: new Date(Date.now() - 1_000) })
    .where('id', '=', made.id)
    .execute();
  await expect.poll(async () => (await api.call({ url: '/api/rules', key: made.key })).statusCode).toBe(401);
});

it('a key revoked by another instance stops within 5 s on an open connection', async () => {
  const made = (
    await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', role: 'viewer' } })
  ).json();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      const options = { port, agent, path: '/api/rules', headers: { authorization: `Bearer ${made.key}` } };
      const sent = request(options, (answer) =>
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
      );
      sent
        .on('socket', (socket) => sockets.add(socket))
        .on('error', reject)
        .end();
    });
  expect(await ask()).toBe(200);
  await api.db.updateTable('api_keys').set({ revoked_at: new Date() }).where('id', '=', made.id).execute();
  await expect.poll(ask, { timeout: 5_000, interval: 50 }).toBe(401);
  expect(sockets.size).toBe(1);
  agent.destroy();
});

it('revokes over HTTP at once, and refuses unknown ids alike', async () => {
  const made = (
    await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', scopes: ['read:rules'] } })
  ).json();
  expect((await api.call({ url: '/api/rules', key: made.key })).statusCode).toBe(200);
  expect((await api.call({ url: '/api/actions', key: made.key })).statusCode).toBe(403);
  expect((await api.call({ method: 'DELETE', url: `/api/keys/${made.id}` })).statusCode).toBe(204);
  expect((await api.call({ url: '/api/rules', key: made.key })).statusCode).toBe(401);
  for (const id of ['zzzzzzzz', 'x', '..%2f']) {
    const response = await api.call({ method: 'DELETE', url: `/api/keys/${id}` });
    expect([response.statusCode, response.json().error.code]).toEqual([404, 'not_found']);
  }
});

it.each([
  [{ name: 'x' }, 400],
  [{ name: 'x', role: 'root' }, 400],
  [{ name: 'x', scopes: ['write:everything'] }, 400],
  [{ name: 'x', scopes: [] }, 400],
  [{ name: 'x', role: 'viewer', scopes: ['admin'] }, 400],
  [{ name: 'x', role: 'viewer', expires_in_days: 366 }, 400],
  [{ name: 'x', role: 'viewer', id: 'mine' }, 400],
])('%j makes no key', async (body, status) => {
  expect((await api.call({ method: 'POST', url: '/api/keys', body })).statusCode).toBe(status);
});

it('limits an address before it looks at keys, with Retry-After', async () => {
  const small = await openTestApi(await newDatabase(), {}, { rateLimit: 5 });
  const answers = [];
  for (let index = 0; index < 7; index += 1)
    answers.push(await small.call({ url: '/api/rules', key: 'wrong' }));
  expect(answers.map((each) => each.statusCode)).toEqual([401, 401, 401, 401, 401, 429, 429]);
  const last = answers.at(-1)!;
  expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
  expect(last.json().error).toMatchObject({
    code: 'rate_limited',
    retry_after: Number(last.headers['retry-after']),
  });
  await small.close();
});

it('checks a wrong key without the database, in well under a millisecond', () => {
  const wrong = `tocsin_${api.adminKey.slice(7, 15)}_${'A'.repeat(43)}`;
  const began = performance.now();
  for (let index = 0; index < 10_000; index += 1) expect(api.keyring.check(wrong)).toBeNull();
  expect((performance.now() - began) / 10_000).toBeLessThan(0.5);
});

it('answers 503 while the database is away and recovers by itself', async () => {
  const way = await breakableServer(await newDatabase());
  const far = await openTestApi(way.url);
  expect((await far.call({ url: '/api/rules' })).statusCode).toBe(200);
  await way.cut();
  const during = await far.call({ url: '/api/rules' });
  expect([during.statusCode, during.headers['retry-after'], during.json().error.code]).toEqual([
    503,
    '2',
    'unavailable',
  ]);
  expect(
    (await far.call({ method: 'POST', url: '/api/actions', body: { type: 'log', params: {} } })).statusCode,
  ).toBe(503);
  // Keys that cannot be looked up any more are not trusted for longer than the promise about revoked ones.
  await expect
    .poll(async () => (await far.call({ url: '/health', key: null })).statusCode, { timeout: 8_000 })
    .toBe(503);
  expect((await far.call({ url: '/api/action-types' })).statusCode).toBe(503);
  await way.mend();
  await expect
    .poll(async () => (await far.call({ url: '/api/rules' })).statusCode, { timeout: 8_000 })
    .toBe(200);
  expect((await far.call({ url: '/health', key: null })).statusCode).toBe(200);
  await far.close();
  await way.cut();
}, 40_000);
