// Tests of connections over the API against real servers: PostgreSQL keeps the outcome, and the workers' part runs beside it with the
// clients, secrets and egress rules of the actions.
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createDatabaseClient } from '@tocsin/adapters/database/client.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { createCheckStore } from '@tocsin/adapters/postgres/check-store.ts';
import { runnerOf } from '@tocsin/adapters/postgres/sql-runner.ts';
import { createScriptHosts } from '@tocsin/adapters/script-host/hosts.ts';
import { resolveSecret } from '@tocsin/adapters/secrets/postgres-store.ts';
import { createMailer } from '@tocsin/adapters/smtp/mailer.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import { freePort } from '@tocsin/local/ports.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type ListeningServer, listen } from '@tocsin/testing/receivers/http-server.ts';
import { type RawReceiver, startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { type Scratch, scratchFolder } from '@tocsin/testing/scratch.ts';
import { agentToken, startAgent, type TestAgent } from '@tocsin/testing/script-agent.ts';
import { newDatabase, uniqueName } from '@tocsin/testing/servers.ts';
import { type Sshd, sshKey, startSshd } from '@tocsin/testing/sshd.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { emptyConfig } from '@tocsin/topologies/domain/config/config-table.ts';
import { runIdPattern } from '@tocsin/topologies/domain/script/protocol.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { createConnectionChecks } from '@tocsin/topologies/run/connection-checks.ts';
import { assignmentOf, batchOf } from '@tocsin/topologies/testing/batches.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

const authority = createAuthority();
const stranger = createAuthority('Another Authority');
const leaf = authority.issue(['IP:127.0.0.1']);
const role = `checked_${randomBytes(4).toString('hex')}`;
const password = 'correct-horse-battery';
const logger = fakeLogger();
const egress = createEgressPolicy({ mode: 'open' });
const http = createHttpClient({ egress });
const database = createDatabaseClient({ egress });
let api: TestApi;
let databaseUrl: URL;
let smtp: SmtpReceiver;
let web: ListeningServer;
let tls: RawReceiver;
let silent: RawReceiver;
let sshd: Sshd;
let agent: TestAgent;
let scratch: Scratch;
let closedPort: number;
let isDown = false;
const paths: string[] = [];

async function workers(records: readonly OutRecord[]): Promise<void> {
  if (isDown) return;
  const connections = new Map();
  for (const { document, revision } of await api.dependencies.store.list('connection', { limit: 1000 }))
    connections.set(document.id, { document: document as unknown as Connection, revision });
  const checks = createConnectionChecks({
    table: () => ({ ...emptyConfig, connections }),
    secrets: { resolve: (ref) => resolveSecret(runnerOf(api.db), api.secretKeys, ref as never) },
    ports: {
      http,
      database,
      mail: createMailer({ egress }),
      syslog: createSyslogClient({ egress }),
      scripts: createScriptHosts({ http, egress }),
    },
    store: createCheckStore(api.db),
    actions,
    worker: 'worker-1',
    clock: systemClock,
    logger,
  });
  expect(records.map(({ topic }) => topic)).toEqual([topics.connectionChecks.name]);
  await checks.onBatch(batchOf(records.map(({ value }) => String(value))), assignmentOf());
}

beforeAll(async () => {
  const url = await newDatabase();
  databaseUrl = new URL(url);
  api = await openTestApi(
    url,
    { producer: { send: async (records) => void workers(records) } },
    { testWaitMs: 6_000 },
  );
  smtp = await startSmtpReceiver({ security: 'starttls', tls: leaf, auth: { user: 'mailer', password } });
  web = await listen(
    ({ url: path = '', headers }, response) => {
      paths.push(path);
      response.writeHead(path !== '/me' ? 404 : headers.authorization === `Bearer ${password}` ? 200 : 401);
      response.end(`you sent ${headers.authorization}`);
    },
    { tls: leaf },
  );
  tls = await startRawReceiver(() => undefined, { tls: leaf });
  silent = await startRawReceiver(() => undefined);
  scratch = scratchFolder('connection-test');
  sshd = await startSshd(scratch.path);
  agent = await startAgent(`${scratch.path}/agent`, { scripts: {} });
  closedPort = await freePort();
  await runnerOf(api.db).query(`create role ${role} login password '${password}'`);
});
afterAll(async () => {
  await runnerOf(api.db).query(`drop role ${role}`);
  await api.close();
  await http.close();
  database.close();
  await Promise.all([smtp, web, tls, silent].map((server) => server.close()));
  await agent.stop();
  await sshd.stop();
  scratch.remove();
});

async function create(body: object): Promise<string> {
  const id = uniqueName('c');
  const answer = await api.call({ method: 'POST', url: '/api/connections', body: { id, ...body } });
  expect(answer.statusCode, answer.body).toBe(201);
  return id;
}
const test = (id: string, key?: string) =>
  api.call({
    method: 'POST',
    url: `/api/connections/${id}/test`,
    ...(key === undefined ? {} : { key }),
  });

const local = { host: '127.0.0.1', allow_cidrs: ['127.0.0.0/8'] };
const value = (text: string) => ({ value: text });
const mail = (over: object = {}) => ({
  ...local,
  type: 'smtp',
  port: smtp.port,
  from: 'a@example.org',
  username: 'mailer',
  ca: authority.cert,
  secrets: { password: value(password) },
  ...over,
});
const rows = (over: object = {}) => ({
  ...local,
  type: 'database',
  engine: 'postgres',
  port: Number(databaseUrl.port),
  database: databaseUrl.pathname.slice(1),
  user: role,
  security: 'none',
  allow_insecure: true,
  secrets: { password: value(password) },
  ...over,
});
const site = (over: object = {}) => ({
  ...local,
  type: 'http',
  port: web.port,
  auth: { type: 'bearer' },
  check_path: '/me',
  tls: { ca: authority.cert },
  secrets: { token: value(password) },
  ...over,
});
const syslog = (over: object = {}) => ({
  ...local,
  type: 'syslog',
  port: tls.port,
  tls: { ca: authority.cert },
  ...over,
});
const ssh = (over: object = {}) => ({
  ...local,
  type: 'script-host',
  executor: 'ssh',
  port: sshd.port,
  user: sshd.user,
  host_keys: [sshd.hostKey],
  allow_shell: true,
  secrets: { ssh_key: value(sshd.clientKey) },
  ...over,
});
const onAgent = (over: object = {}) => ({
  ...local,
  type: 'script-host',
  protocol: 'http',
  allow_insecure: true,
  port: agent.port,
  secrets: { token: value(agentToken) },
  ...over,
});

const well = { ok: true, reachable: true, code: 'ok' };
const bad = (code: string, reachable: boolean | null, authenticated: boolean | null = null) => ({
  ok: false,
  code,
  reachable,
  authenticated,
});
const wrong = { password: value('wrong-but-also-secret') };
const blocked = { allow_cidrs: [] };

describe('a test of a connection', () => {
  it.each<[string, () => object, object]>([
    ['smtp', mail, { ...well, authenticated: true }],
    ['smtp, wrong password', () => mail({ secrets: wrong }), bad('auth', true, false)],
    ['smtp, wrong CA', () => mail({ ca: stranger.cert }), bad('tls', true)],
    ['smtp, closed port', () => mail({ port: closedPort }), bad('connect', false)],
    ['smtp, blocked address', () => mail(blocked), bad('denied', false)],
    ['smtp, silence', () => mail({ port: silent.port, timeout_ms: 500 }), bad('timeout', null)],
    ['database', rows, { ...well, authenticated: true }],
    ['database, wrong password', () => rows({ secrets: wrong }), bad('auth', true, false)],
    ['database, no TLS there', () => rows({ security: 'tls', allow_insecure: false }), bad('tls', true)],
    ['database, closed port', () => rows({ port: closedPort }), bad('connect', false)],
    ['database, blocked address', () => rows(blocked), bad('denied', false)],
    ['database, silence', () => rows({ port: silent.port, timeout_ms: 500 }), bad('timeout', null)],
    ['http', site, { ...well, authenticated: true }],
    ['http, a path that is not there', () => site({ check_path: '/other?x=1' }), bad('http_4xx', true)],
    ['http, wrong token', () => site({ secrets: { token: wrong.password } }), bad('auth', true, false)],
    ['http, wrong CA', () => site({ tls: { ca: stranger.cert } }), bad('tls', true)],
    ['http, closed port', () => site({ port: closedPort }), bad('connect', false)],
    ['http, blocked address', () => site(blocked), bad('denied', false)],
    [
      'http, silence',
      () =>
        site({ port: silent.port, protocol: 'http', allow_insecure: true, tls: undefined, timeout_ms: 500 }),
      bad('timeout', null),
    ],
    ['syslog', syslog, { ...well, authenticated: null }],
    ['syslog, wrong CA', () => syslog({ tls: { ca: stranger.cert } }), bad('tls', true)],
    ['syslog, closed port', () => syslog({ port: closedPort }), bad('connect', false)],
    ['syslog, blocked address', () => syslog(blocked), bad('denied', false)],
    ['ssh', ssh, { ...well, authenticated: true }],
    [
      'ssh, wrong key',
      () => ssh({ secrets: { ssh_key: value(sshKey(scratch.path, 'other').key) } }),
      bad('auth', true, false),
    ],
    [
      'ssh, another host key',
      () => ssh({ host_keys: [sshKey(scratch.path, 'other').public] }),
      bad('host_key', true),
    ],
    ['ssh, closed port', () => ssh({ port: closedPort }), bad('connect', false)],
    ['ssh, blocked address', () => ssh(blocked), bad('denied', false)],
    ['agent', onAgent, { ...well, authenticated: true }],
    ['agent, wrong token', () => onAgent({ secrets: { token: wrong.password } }), bad('auth', true, false)],
    ['agent, blocked address', () => onAgent(blocked), bad('denied', false)],
  ])('%s', async (_, body, expected) => {
    const sockets = silent.connections() + tls.connections();
    const answer = await test(await create(body()));
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ ...expected, worker: 'worker-1', revision: 1 });
    expect(answer.json().latency_ms).toBeLessThan(5_000);
    if (answer.json().code === 'denied') expect(silent.connections() + tls.connections()).toBe(sockets);
    const said = JSON.stringify([answer.json(), logger.entries]);
    for (const secret of [password, 'wrong-but-also-secret', agentToken, 'PRIVATE KEY'])
      expect(said).not.toContain(secret);
  });

  it('leaves nothing behind: no mail, no run, only the paths that were asked for', () => {
    expect([smtp.mails, smtp.recipients]).toEqual([[], []]);
    expect(smtp.logins.map(({ ok }) => ok)).toContain(false);
    expect([...new Set(paths)]).toEqual(['/me', '/other?x=1']);
    expect(readdirSync(join(agent.folder, 'state')).filter((name) => runIdPattern.test(name))).toEqual([]);
  });

  it('T22: is for those who may write connections, and counts: the sixth in a minute is refused', async () => {
    const made = await api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: 'viewer', role: 'viewer' },
    });
    const id = await create(mail());
    expect((await test(id, made.json().key)).statusCode).toBe(403);
    const answers = [];
    for (let n = 0; n < 6; n += 1) answers.push(await test(id));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(Number(answers[5]?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await test(await create(mail()))).statusCode).toBe(200);
  });

  it('is written down before it happens, and uses the newest password', async () => {
    const id = await create(mail({ secrets: wrong }));
    expect((await test(id)).json().code).toBe('auth');
    const body = { ...mail(), id, kind: 'connection' };
    const headers = { 'if-match': '"1"' };
    const put = await api.call({ method: 'PUT', url: `/api/connections/${id}`, body, headers });
    expect(put.statusCode, put.body).toBe(200);
    expect((await test(id)).json()).toMatchObject({ code: 'ok', revision: 2 });
    const { items } = (await api.call({ url: '/api/audit?limit=2' })).json();
    expect(items[0]).toMatchObject({ verb: 'test', object: `connection/${id}` });
  });

  it('404 for a connection that does not exist; 202 when no worker answers', async () => {
    expect((await test('nothing-here')).statusCode).toBe(404);
    isDown = true;
    const answer = await test(await create(mail()));
    expect([answer.statusCode, answer.json().ok]).toEqual([202, null]);
  });
});
