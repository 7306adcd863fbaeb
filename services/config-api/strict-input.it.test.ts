// What a hostile or careless client sends: bodies, types, content types, sizes, connections, secrets.
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let port: number;
beforeAll(async () => {
  api = await openTestApi(await newDatabase(), {}, { requestTimeoutMs: 1_500 });
  await api.call({ method: 'POST', url: '/api/actions', body: { id: 'note', type: 'log', params: {} } });
  await api.http.listen({ host: '127.0.0.1', port: 0 });
  port = (api.http.server.address() as AddressInfo).port;
});
afterAll(() => api.close());

const rule = { match_all: true, then: [{ action: 'note' }] };
const web = { id: 'web', type: 'http', host: 'hooks.example.org' };

describe('C04 C05 fields', () => {
  it.each([
    ['unknown field', { ...rule, naem: 'x' }, '/naem'],
    ['boolean as text', { ...rule, enabled: 'true' }, '/enabled'],
    ['number as text', { ...rule, priority: '5' }, '/priority'],
    ['null', { ...rule, name: null }, '/name'],
    ['array for object', { ...rule, when: [] }, '/when'],
    ['object for array', { ...rule, then: {} }, '/then'],
    ['other kind', { ...rule, kind: 'action' }, '/kind'],
    ['id with a path', { ...rule, id: '../x' }, '/id'],
    ['id with upper case', { ...rule, id: 'ABC' }, '/id'],
    ['name too long', { ...rule, name: 'n'.repeat(129) }, '/name'],
    ['empty name', { ...rule, name: '' }, '/name'],
    ['control character', { ...rule, name: 'a\u0007b' }, '/name'],
    ['NUL', { ...rule, name: 'a\u0000b' }, '/name'],
    ['lone surrogate', `{"match_all":true,"then":[{"action":"note"}],"name":"\\ud800"}`, '/name'],
    ['missing then', { match_all: true }, '/then'],
  ])('%s is refused by name', async (_title, body, path) => {
    const response = await api.call({ method: 'POST', url: '/api/rules', body });
    expect(response.statusCode).toBe(400);
    expect(response.json().error.issues.map((issue: { path: string }) => issue.path)).toContain(path);
  });

  it.each([
    "'; DROP TABLE rules;--",
    '<script>alert(1)</script>',
    '\u202eevil.txt',
    'a\u200b\u200db\ufeff',
    '\\"{{constructor}}%00\\u0000',
  ])('C10 name %j is stored as it is, and comes back as JSON', async (name) => {
    const id = `named-${Buffer.from(name).toString('hex').slice(0, 40)}`;
    const body = { ...rule, id, name };
    expect((await api.call({ method: 'POST', url: '/api/rules', body })).statusCode).toBe(201);
    const read = await api.call({ url: `/api/rules/${id}` });
    expect(read.headers['content-type']).toMatch(/^application\/json/);
    expect(read.headers['x-content-type-options']).toBe('nosniff');
    expect(read.json().document.name).toBe(name);
    const listed = await api.call({ url: '/api/rules?limit=200' });
    const names = listed.json().items.map((item: { document: { name?: string } }) => item.document.name);
    expect(names).toContain(name);
  });

  it('C10 a name of 100,000 characters is refused by its length', async () => {
    const body = { ...rule, name: 'n'.repeat(100_000) };
    const response = await api.call({ method: 'POST', url: '/api/rules', body });
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, '/name']);
  });

  it.each([
    ['that backtracks elsewhere', '^(a+)+$', 201, null],
    ['with lookbehind', '(?<=x)', 422, /lookaround is not possible/],
    ['that does not end', '[', 422, /is no regular expression/],
    ['of 5,000 characters', 'a'.repeat(5_000), 422, /at most 1024 bytes/],
    ['with a backreference', '(a)\\1', 422, /a backreference is not possible/],
  ] as const)('C12 a regular expression %s', async (_title, regex, status, message) => {
    const body = {
      ...rule,
      match_all: undefined,
      id: `regex-${regex.length}`,
      when: { 'data.title': { regex } },
    };
    const response = await api.call({ method: 'POST', url: '/api/rules', body });
    expect(response.statusCode).toBe(status);
    if (message === null) return;
    const [issue] = response.json().error.issues;
    expect(issue.path).toBe('/when/data.title/regex');
    expect(issue.message).toMatch(message);
  });

  it.each([0, -1, 65536, 1e9, 443.5, '443', null])('C06 port %s is refused', async (value) => {
    const response = await api.call({
      method: 'POST',
      url: '/api/connections',
      body: { ...web, port: value },
    });
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, '/port']);
  });

  it('C13 refuses a rule that is too deep or too long, naming the limit', async () => {
    let deep: unknown = { severity: 'high' };
    for (let level = 0; level < 20; level += 1) deep = { all: [deep] };
    const response = await api.call({
      method: 'POST',
      url: '/api/rules',
      body: { then: rule.then, when: deep },
    });
    expect(response.statusCode).toBe(422);
    expect(response.json().error.issues[0].message).toMatch(/at most \d+ levels/);
    const long = await api.call({
      method: 'POST',
      url: '/api/rules',
      body: { ...rule, when: { title: 'x'.repeat(66_000) } },
    });
    expect(long.statusCode).toBe(422);
    expect(long.json().error.issues[0].message).toMatch(/bytes/);
  });

  it('refuses an action parameter of the wrong type by its path', async () => {
    const body = { id: 'bad', type: 'log', params: { surprise: 1 } };
    const response = await api.call({ method: 'POST', url: '/api/actions', body });
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, '/params/surprise']);
  });
});

describe('C08 JSON text', () => {
  it.each([
    ['duplicate key', '{"match_all":true,"then":[{"action":"note"}],"then":[{"action":"note"}]}'],
    ['__proto__', '{"__proto__":{"admin":true},"match_all":true,"then":[{"action":"note"}]}'],
    ['escaped __proto__', '{"\\u005f_proto__":{"admin":true},"match_all":true,"then":[{"action":"note"}]}'],
    [
      'constructor.prototype',
      '{"constructor":{"prototype":{"x":1}},"match_all":true,"then":[{"action":"note"}]}',
    ],
    ['10,000 levels', `{"when":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['byte order mark', '\ufeff{"match_all":true,"then":[{"action":"note"}]}'],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    ],
    ['truncated', '{"match_all":tru'],
    ['array', '[]'],
    ['null', 'null'],
    ['1e400', '{"priority":1e400}'],
    ['empty', ''],
  ])('%s is refused', async (_title, body) => {
    const response = await api.call({ method: 'POST', url: '/api/rules', body });
    expect(response.statusCode).toBe(400);
    expect(response.json().error.code).toMatch(/^(invalid_json|validation|bad_request)$/);
    expect(response.body).not.toMatch(/node_modules|at \w+ \(|FST_/);
  });
  it('left the prototype alone', () => {
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });
});

describe('C07 Content-Type (CVE-2025-32442, CVE-2026-25223, CVE-2026-3419, CVE-2026-33806)', () => {
  const bad = JSON.stringify({ match_all: 'yes', then: 1 });
  it.each([
    'application/json\ta',
    ' application/json garbage',
    'APPLICATION/JSON ;x',
    'application/json garbage',
    'application/json;',
    'application/json; charset=utf-16',
    'application/jsonx',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
  ])('%s does not get a bad body through', async (type) => {
    const response = await api.call({
      method: 'POST',
      url: '/api/rules',
      body: bad,
      headers: { 'content-type': type },
    });
    expect(response.statusCode).toBe(415);
  });
  it('none at all is refused', async () => {
    const response = await api.http.inject({
      method: 'POST',
      url: '/api/rules',
      headers: { authorization: `Bearer ${api.adminKey}` },
      payload: Buffer.from(bad),
    });
    expect(response.statusCode).toBe(415);
  });
  it.each(['application/json', 'Application/JSON; charset=UTF-8'])(
    '%s is read and the body checked',
    async (type) => {
      const response = await api.call({
        method: 'POST',
        url: '/api/rules',
        body: bad,
        headers: { 'content-type': type },
      });
      expect(response.statusCode).toBe(400);
    },
  );
});

/** Status line of the answer to raw bytes, and whether the server closed the connection. */
function raw(
  lines: string,
  keepWriting?: (write: (chunk: string) => void) => () => void,
): Promise<{ status: number; ms: number }> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket = connect(port, '127.0.0.1', () => socket.write(lines));
    const stop = keepWriting?.((chunk) => socket.writable && socket.write(chunk));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      stop?.();
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
      if (Number.isNaN(status)) reject(new Error(`no answer: ${answer}`));
      else resolve({ status, ms: performance.now() - began });
    });
  });
}

describe('sizes and time, on a socket', () => {
  const head = () =>
    `POST /api/rules HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.adminKey}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  it('C01 257 KiB is refused', async () => {
    const response = await api.call({
      method: 'POST',
      url: '/api/rules',
      body: { ...rule, description: 'x'.repeat(257 * 1024) },
    });
    expect([response.statusCode, response.json().error.code]).toEqual([413, 'too_large']);
  });
  it('C01 a body announced as 1e12 bytes is refused before it comes', async () => {
    expect((await raw(`${head()}Content-Length: 1000000000000\r\n\r\n`)).status).toBe(413);
  });
  it('C01 an endless chunked body is cut off', async () => {
    const answer = await raw(`${head()}Transfer-Encoding: chunked\r\n\r\n`, (write) => {
      const timer = setInterval(() => write(`4000\r\n${'x'.repeat(0x4000)}\r\n`), 5);
      return () => clearInterval(timer);
    });
    expect(answer.status).toBe(413);
  });
  it('C02 a slow body ends with 408', async () => {
    const answer = await raw(`${head()}Content-Length: 1000\r\n\r\n`, (write) => {
      const timer = setInterval(() => write('x'), 300);
      return () => clearInterval(timer);
    });
    expect(answer.status).toBe(408);
  }, 60_000);
  it('C03 100 KB of headers end with 431', async () => {
    expect((await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`)).status).toBe(
      431,
    );
  });
  it('bytes that are no HTTP end with 400', async () => {
    expect((await raw('\u0016\u0003\u0001 hello\r\n\r\n')).status).toBe(400);
  });
  it('C03 10,000 query parameters are refused', async () => {
    const query = Array.from({ length: 10_000 }, (_, index) => `p${index}=1`).join('&');
    const status = await new Promise((resolve) => {
      httpRequest(
        { port, path: `/api/rules?${query}`, headers: { authorization: `Bearer ${api.adminKey}` } },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      )
        .on('error', () => resolve('closed'))
        .end();
    });
    expect(status).toSatisfy((value: unknown) => value === 431 || value === 414 || value === 400);
  });
});

describe('C23 T01 where a connection may point', () => {
  it.each([
    'file:///etc/passwd',
    'gopher://h',
    'javascript:alert(1)',
    'http://hooks.example.org',
    'user:pw@hooks.example.org',
    'h:0',
    '//h',
    'h\\@evil.test',
    'h#@evil.test',
    'h?x',
    'h/path',
    'a b',
    'h\r\nX: 1',
    'exаmple.org',
    'x'.repeat(8_192),
    '',
    '-bad.example',
    'a..b',
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '127.1',
    '①②⑦.⓪.⓪.①',
    'localhost。',
    '[::1',
  ])('host %s is refused', async (host) => {
    const response = await api.call({ method: 'POST', url: '/api/connections', body: { ...web, host } });
    expect(response.statusCode).toSatisfy((status: number) => status === 422 || status === 400);
    expect(response.json().error.issues[0].path).toBe('/host');
  });
  it.each([
    '169.254.169.254',
    '[fe80::1]',
    '::ffff:169.254.169.254',
    'fd00:ec2::254',
    '100.100.100.200',
    '0.0.0.0',
    '224.0.0.1',
  ])('address %s is denied whatever the policy', async (host) => {
    const response = await api.call({ method: 'POST', url: '/api/connections', body: { ...web, host } });
    expect([response.statusCode, response.json().error.code]).toEqual([422, 'dest_denied']);
  });
  it.each(['hooks.example.org', '10.1.2.3', '[fd12::1]', 'xn--e1afmkfd.example', 'kafka_1.lan', 'localhost'])(
    'host %s is accepted',
    async (host) => {
      const id = `ok-${Buffer.from(host).toString('hex').slice(0, 40)}`;
      const response = await api.call({
        method: 'POST',
        url: '/api/connections',
        body: { ...web, id, host },
      });
      expect(response.statusCode, response.body).toBe(201);
    },
  );
  it.each([
    [{ protocol: 'http' }, '/allow_insecure'],
    [{ base_path: 'x' }, '/base_path'],
    [{ base_path: '/a/../b' }, '/base_path'],
    [{ base_path: '/a/%2e%2E/b' }, '/base_path'],
    [{ base_path: '/a?b' }, '/base_path'],
    [{ allow_cidrs: ['10.0.0.0/33'] }, '/allow_cidrs/0'],
    [{ allow_cidrs: ['10.0.0.0/8', 'x'] }, '/allow_cidrs/1'],
    [{ auth: { type: 'bearer' } }, '/secrets/token'],
    [
      { auth: { type: 'header', header: 'Host' }, secrets: { token: { value: 's3cret-value' } } },
      '/auth/header',
    ],
    [
      {
        auth: { type: 'header', header: 'Transfer-Encoding' },
        secrets: { token: { value: 's3cret-value' } },
      },
      '/auth/header',
    ],
    [
      { auth: { type: 'basic', username: 'a:b' }, secrets: { password: { value: 's3cret-value' } } },
      '/auth/username',
    ],
  ])('%j is refused at %s', async (fields, path) => {
    const response = await api.call({ method: 'POST', url: '/api/connections', body: { ...web, ...fields } });
    expect(response.statusCode).toBe(422);
    expect(response.json().error.issues[0].path).toBe(path);
  });
  it.each([
    ['header name with a line end', { auth: { type: 'header', header: 'X-A: 1\r\nY' } }],
    ['header name with a colon', { auth: { type: 'header', header: 'X-A:' } }],
  ])('%s is refused', async (_title, fields) => {
    const response = await api.call({ method: 'POST', url: '/api/connections', body: { ...web, ...fields } });
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, '/auth/header']);
  });
});
