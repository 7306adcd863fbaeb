// Checks of connections, with every port in memory: what each kind does and says, and that nothing secret is in it.
import type { Connection } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { actions } from '../actions/registry.ts';
import { emptyConfig } from '../domain/config/config-table.ts';
import type { StoredCheck } from '../ports/check-store.ts';
import { DatabaseFailure } from '../ports/database.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeDatabase } from '../ports/fakes/database.ts';
import { fakeHttp } from '../ports/fakes/http.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMail } from '../ports/fakes/mail.ts';
import { fakeScriptHost } from '../ports/fakes/script-host.ts';
import { fakeSecrets } from '../ports/fakes/secrets.ts';
import { fakeSyslog } from '../ports/fakes/syslog.ts';
import { HttpFailure } from '../ports/http.ts';
import { MailFailure } from '../ports/mail.ts';
import { ScriptHostFailure } from '../ports/script-host.ts';
import { SyslogFailure } from '../ports/syslog.ts';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { createConnectionChecks } from './connection-checks.ts';

const common = { kind: 'connection', id: 'c', host: 'host.example' } as const;
const secrets = { token: { env: 'SECRET' }, password: { env: 'SECRET' } };
const http: Connection = { ...common, type: 'http', auth: { type: 'bearer' }, secrets };
const smtp: Connection = { ...common, type: 'smtp', from: 'a@host.example', username: 'u', secrets };
const database: Connection = {
  ...common,
  type: 'database',
  engine: 'postgres',
  database: 'd',
  user: 'u',
  secrets,
};
const agent: Connection = { ...common, type: 'script-host', secrets };
const syslog: Connection = { ...common, type: 'syslog', secrets: { tls_key: { env: 'SECRET' } } };
const secret = 'the-secret-value';

function world(connection: Connection | null, types: readonly string[] = []) {
  const clock = fakeClock();
  const ports = {
    http: fakeHttp(),
    mail: fakeMail(),
    database: fakeDatabase(),
    syslog: fakeSyslog(),
    scripts: fakeScriptHost(),
  };
  const logger = fakeLogger();
  const stored: (StoredCheck & { request: string })[] = [];
  const connections = new Map(
    connection === null ? [] : [[connection.id, { document: connection, revision: 2 }]],
  );
  const documents = types.map((type) => ({ kind: 'action', id: type, type, connection: 'c', params: {} }));
  const checks = createConnectionChecks({
    table: () => ({
      ...emptyConfig,
      connections,
      actions: new Map(documents.map((document) => [document.id, { document, revision: 1 }])) as never,
    }),
    secrets: fakeSecrets({ SECRET: secret }),
    ports,
    store: { write: async (request, _connection, _at, check) => void stored.push({ request, ...check }) },
    actions,
    worker: 'worker-1',
    clock,
    logger,
  });
  const request = { v: 1, id: 'a'.repeat(32), connection: 'c', revision: 2, at: clock.now(), by: 'user:a' };
  return {
    ...ports,
    ports,
    clock,
    logger,
    stored,
    connections,
    checks,
    async ask(over: object = {}) {
      const assignment = assignmentOf();
      await checks.onBatch(batchOf([JSON.stringify({ ...request, ...over })]), assignment);
      await clock.advance(0);
      return stored[0];
    },
  };
}

test.each<[string, Connection, Partial<StoredCheck>]>([
  ['smtp', smtp, { authenticated: true, did: 'EHLO, AUTH and QUIT' }],
  ['smtp without a user', { ...common, type: 'smtp', from: 'a@b.example' }, { authenticated: null }],
  ['database', database, { authenticated: true, did: 'login and SELECT 1' }],
  ['script host', agent, { authenticated: true, did: 'a question to the agent' }],
  ['syslog', syslog, { authenticated: null, did: 'TLS handshake' }],
])('%s: all is well', async (_, connection, expected) => {
  const answer = await world(connection).ask();
  expect(answer).toMatchObject({ ok: true, reachable: true, code: 'ok', worker: 'worker-1', ...expected });
});

test('UDP proves nothing, and sends nothing', async () => {
  const one = world({ ...syslog, protocol: 'udp' });
  expect(await one.ask()).toMatchObject({ ok: true, reachable: null, authenticated: null });
  expect(one.syslog.datagramsSent).toEqual([]);
});

test('a syslog receiver is sent nothing', async () => {
  const one = world(syslog);
  await one.ask();
  expect(one.syslog.connections.map((each) => [each.received().length, each.isOver()])).toEqual([[0, true]]);
});

const failures = [
  ['denied', false, null],
  ['dns', false, null],
  ['connect', false, null],
  ['tls', true, null],
  ['auth', true, false],
  ['timeout', null, null],
] as const;
test.each(
  failures.flatMap(([code, reachable, authenticated]) => [
    [code, 'smtp', smtp, reachable, authenticated] as const,
    [code, 'database', database, reachable, authenticated] as const,
    [code, 'script-host', agent, reachable, authenticated] as const,
    ...(code === 'auth'
      ? []
      : [
          [code, 'syslog', syslog, reachable, authenticated] as const,
          [code, 'http', http, reachable, authenticated] as const,
        ]),
  ]),
)('%s of %s', async (code, type, connection, reachable, authenticated) => {
  const one = world(connection);
  // What the other side says may repeat what it was given.
  const said = `no: ${secret} ${Buffer.from(secret).toString('base64')}\r\nnext line`;
  const http = code as HttpFailure['failure'];
  if (type === 'smtp') one.mail.fail(new MailFailure(code, said));
  else if (type === 'database') one.database.fail(new DatabaseFailure(code, said));
  else if (type === 'script-host') one.scripts.answer(new ScriptHostFailure(code, said, { begun: false }));
  else if (type === 'syslog') one.syslog.failure = new SyslogFailure(code as 'denied', said);
  else one.http.answer(new HttpFailure(http, said, { sent: false }));
  const answer = await one.ask();
  expect(answer).toMatchObject({ ok: false, code, reachable, authenticated });
  expect(answer?.detail).toContain('no: [redacted] [redacted] next line');
  expect(JSON.stringify([answer, one.logger.entries])).not.toContain(secret);
});

test('a server that refuses the account in another phase is refusing the login', async () => {
  const one = world(smtp);
  // RFC 4954 section 6: 530 Authentication required.
  one.mail.fail(new MailFailure('permanent', '530 5.7.0 Authentication required', { code: 530 }));
  expect(await one.ask()).toMatchObject({ code: 'auth', authenticated: false });
});

test.each<[string, Connection, readonly string[], string]>([
  ['its own path', { ...http, base_path: '/x', check_path: '/health?full=1' }, ['jira'], '/x/health?full=1'],
  ['who Jira says one is', http, ['jira'], '/rest/api/2/myself'],
  ['the root without an action', http, [], '/'],
  ['the root with actions of two products', http, ['jira', 'gitlab'], '/'],
  ['the root with an action that is none of a product', http, ['jira', 'webhook'], '/'],
  [
    'the root, never the address that is a credential',
    { ...common, type: 'http', secrets: { secret_path: { env: 'SECRET' } } },
    ['slack'],
    '/',
  ],
])('HTTP is asked for %s', async (_, connection, types, path) => {
  const one = world(connection, types);
  await one.ask();
  expect(one.http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
    `GET https://host.example${path}`,
  ]);
});

const asked = { ...http, check_path: '/me' } as const;
test.each<[string, Connection, readonly string[], number, string | undefined, object]>([
  ['2xx at a path that asks', asked, [], 204, undefined, { ok: true, authenticated: true }],
  ['2xx at the root', http, [], 200, undefined, { ok: true, authenticated: null }],
  [
    '2xx without a credential',
    { ...common, type: 'http', check_path: '/me' },
    [],
    200,
    undefined,
    { ok: true, authenticated: null },
  ],
  ['401', http, [], 401, undefined, { ok: false, code: 'auth', authenticated: false }],
  ['403', asked, [], 403, undefined, { ok: false, code: 'http_401_403', authenticated: null }],
  ['404 at a path that asks', asked, [], 404, undefined, { ok: false, code: 'http_4xx' }],
  ['404 at the root', http, [], 404, undefined, { ok: true, code: 'ok', authenticated: null }],
  ['a redirect', asked, [], 302, undefined, { ok: false, code: 'http_3xx' }],
  ['5xx', http, [], 503, undefined, { ok: false, code: 'http_5xx' }],
  ['200 of Slack for a valid token', http, ['slack'], 200, '{"ok":true}', { ok: true, authenticated: true }],
  [
    '200 of Slack for another',
    http,
    ['slack'],
    200,
    '{"ok":false,"error":"invalid_auth"}',
    { code: 'auth', authenticated: false },
  ],
  ['200 of somebody else', http, ['slack'], 200, '<html>', { code: 'auth', authenticated: false }],
])('HTTP: %s', async (_, connection, types, status, body, expected) => {
  const one = world(connection, types);
  one.http.answer({ status, ...(body === undefined ? {} : { body }) });
  expect(await one.ask()).toMatchObject({ reachable: true, ...expected });
});

test('limits of the check, where those of the connection are longer', async () => {
  const one = world({ ...smtp, timeout_ms: 60_000 });
  await one.ask();
  const other = world({ ...smtp, timeout_ms: 500 });
  await other.ask();
  expect([one.mail.greeted[0]?.timeoutMs, other.mail.greeted[0]?.timeoutMs]).toEqual([10_000, 500]);
});

test('a port that never answers is a timeout', async () => {
  const one = world(database);
  one.ports.database.ping = () => new Promise(() => undefined);
  await one.ask();
  await one.clock.advance(11_000);
  expect(one.stored).toMatchObject([{ ok: false, code: 'timeout', latency_ms: 11_000 }]);
});

test('a defect is an answer, and is told in the log', async () => {
  const one = world(database);
  one.ports.database.ping = () => Promise.reject(new TypeError(secret));
  expect(await one.ask()).toMatchObject({ ok: false, code: 'bug' });
  expect(one.logger.entries).toMatchObject([
    { level: 'error', fields: { connection: 'c', error: 'TypeError' } },
  ]);
});

test('a secret that cannot be had is named, not shown', async () => {
  const answer = await world({ ...http, secrets: { token: { env: 'OTHER' } } }).ask();
  expect(answer).toMatchObject({ ok: false, code: 'secret', reachable: null, did: 'nothing' });
  expect(answer?.detail).toContain('secret token');
});

test('a connection that is switched off is checked all the same', async () => {
  expect(await world({ ...smtp, enabled: false }).ask()).toMatchObject({ ok: true });
});

test('waits for the revision that was asked for', async () => {
  const one = world(null);
  await one.ask();
  await one.clock.advance(1_000);
  one.connections.set('c', { document: smtp, revision: 1 });
  await one.clock.advance(1_000);
  expect(one.stored).toEqual([]);
  one.connections.set('c', { document: smtp, revision: 2 });
  await one.clock.advance(1_000);
  expect(one.stored).toMatchObject([{ ok: true }]);
});

test('says so when it does not come', async () => {
  const one = world(null);
  await one.ask();
  await one.clock.advance(5_100);
  expect(one.stored).toMatchObject([{ ok: false, detail: 'the worker does not have revision 2 yet' }]);
});

test('an older revision is never checked in its place', async () => {
  const one = world(null);
  one.connections.set('c', { document: smtp, revision: 1 });
  await one.ask();
  await one.clock.advance(5_100);
  expect([one.stored[0]?.code, one.mail.greeted]).toEqual(['invalid_params', []]);
});

test.each([
  ['too old', { at: 0 }],
  ['not one', { v: 2 }],
])('a request that is %s opens nothing', async (_, over) => {
  const one = world(smtp);
  expect(await one.ask(over)).toBeUndefined();
  expect([one.mail.greeted, one.logger.entries.map(({ level }) => level)]).toEqual([[], ['warn']]);
});
