// Approval links: one person, one gate, one decision. Who only looks at a link decides nothing.
import type { AddressInfo } from 'node:net';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';
import { createTestRuns, type TestRuns } from './test-runs.ts';

let api: TestApi;
let runs: TestRuns;
let notifier: string;
let lena: { id: string; key: string };

beforeAll(async () => {
  runs = createTestRuns(
    () => api.db,
    [
      {
        id: 'gate',
        approve: {
          title: 'Isolate {{finding.asset.name}}?',
          by: { anyOf: ['role:lead', 'user:alice'] },
          covers: ['isolate'],
        },
        deadline: 'PT4H',
      },
      { id: 'isolate', action: 'mail', with: { host: { $: 'finding.asset.name' } } },
    ],
  );
  api = await openTestApi(
    await newDatabase(),
    {
      producer: runs.producer,
      playbookHead: async () => ({ revision: 1 }),
      publicUrl: 'https://tocsin.example.org',
    },
    { decisionWaitMs: 400, linkRateLimit: 1_000 },
  );
  const make = async (body: object) =>
    (await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', ...body } })).json();
  notifier = (await make({ scopes: ['write:approval-links'] })).key;
  lena = await make({ role: 'approver', user: 'lena', roles: ['lead'] });
});
afterAll(() => api.close());

interface Gate {
  readonly id: string;
  readonly digest: string;
  readonly run: string;
}

async function newGate(host = 'web'): Promise<Gate> {
  const event = { event: 'finding.new', data: { asset: { name: host } } };
  const url = '/api/playbooks/p/run';
  const { key } = (await api.call({ method: 'POST', url, body: { event } })).json();
  return (await api.call({ url: `/api/approvals?run=${key}` })).json().items[0];
}

const makeLink = (gate: Gate, user = 'alice', key = notifier) =>
  api.call({ method: 'POST', url: `/api/approvals/${gate.id}/links`, key, body: { user } });
const linkOf = async (gate: Gate, user?: string): Promise<string> => (await makeLink(gate, user)).json().path;
const open = (path: string, method = 'GET') => api.call({ url: path, method, key: null });
const post = (path: string, gate: Gate, fields: Record<string, string> = {}) =>
  api.http.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ decision: 'approve', digest: gate.digest, ...fields }).toString(),
  });
const statusOf = async (gate: Gate) => (await api.call({ url: `/api/approvals/${gate.id}` })).json().status;

it('a link is made for who may decide, is shown once, and nothing of it is stored or told', async () => {
  const gate = await newGate();
  const made = await makeLink(gate);
  expect(made.statusCode).toBe(201);
  const { path, url, expires_at } = made.json();
  expect(path).toMatch(/^\/approve\/[A-Za-z0-9_-]{86}$/);
  expect(url).toBe(`https://tocsin.example.org${path}`);
  expect(expires_at).toBe((await api.call({ url: `/api/approvals/${gate.id}` })).json().until);
  const secret = path.slice('/approve/'.length);
  const everything = JSON.stringify([
    await api.db.selectFrom('approval_links').selectAll().execute(),
    await api.db.selectFrom('outbox').selectAll().execute(),
    await api.db.selectFrom('audit').selectAll().execute(),
  ]);
  expect(everything).not.toContain(secret.slice(0, 20));
  expect(everything).not.toContain(Buffer.from(secret, 'base64url').subarray(0, 16).toString('hex'));
});

it.each([
  ['somebody else', { user: 'mallory' }, 422, 'not_approver'],
  ['no person', { user: 'x y' }, 400, 'validation'],
  ['roles of its own', { user: 'mallory', roles: ['lead'] }, 400, 'validation'],
])('no link for %s', async (_title, body, status, code) => {
  const gate = await newGate();
  const answer = await api.call({
    method: 'POST',
    url: `/api/approvals/${gate.id}/links`,
    key: notifier,
    body,
  });
  expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
});

it('an approver makes no links, the notifier decides nothing', async () => {
  const gate = await newGate();
  expect((await makeLink(gate, 'alice', lena.key)).statusCode).toBe(403);
  const body = { decision: 'approve', digest: gate.digest };
  const url = `/api/approvals/${gate.id}`;
  expect((await api.call({ method: 'POST', url, key: notifier, body })).statusCode).toBe(403);
});

it('T26: GET shows the page and decides nothing, however often; HEAD neither; POST decides once', async () => {
  const gate = await newGate();
  const path = await linkOf(gate);
  const before = runs.inputs.length;
  for (let index = 0; index < 10; index += 1) expect((await open(path)).statusCode).toBe(200);
  expect((await open(path, 'HEAD')).statusCode).toBe(401);
  for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH'])
    expect((await open(path, method)).statusCode).toBe(401);
  expect((await open(`${path}?decision=approve`)).statusCode).toBe(200);
  expect([runs.inputs.length, await statusOf(gate)]).toEqual([before, 'open']);
  const done = await post(path, gate, { comment: 'fine' });
  expect([done.statusCode, done.body]).toEqual([200, expect.stringContaining('Your approval counts')]);
  expect(await statusOf(gate)).toBe('approved');
  expect(runs.inputs.at(-1)?.input).toMatchObject({ actor: 'alice', via: 'link', comment: 'fine' });
  const trail = (await api.call({ url: `/api/audit?object=approval/${gate.id}` })).json().items;
  expect(trail).toMatchObject([
    { verb: 'approve', actor: 'user:alice', via: 'link' },
    { verb: 'link', detail: { user: 'alice' } },
  ]);
});

it('T28: the second time it says so, by GET and POST', async () => {
  const gate = await newGate();
  const path = await linkOf(gate);
  await post(path, gate, { decision: 'reject' });
  const inputs = runs.inputs.length;
  for (const answer of [await open(path), await post(path, gate)]) {
    expect([answer.statusCode, answer.body]).toEqual([410, expect.stringContaining('This link was used at')]);
  }
  expect([runs.inputs.length, await statusOf(gate)]).toEqual([inputs, 'rejected']);
});

it('ten posts at once decide once', async () => {
  const gate = await newGate();
  const path = await linkOf(gate);
  const before = runs.inputs.length;
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(path, gate)));
  expect(answers.filter((answer) => answer.statusCode === 200)).toHaveLength(1);
  expect(runs.inputs.length).toBe(before + 1);
});

describe('links that do not decide', () => {
  const forge = (path: string, at: number) =>
    `${path.slice(0, at)}${path[at] === 'A' ? 'B' : 'A'}${path.slice(at + 1)}`;

  it('forged: another first character, another last part, cut, longer, of nothing', async () => {
    const gate = await newGate();
    const path = await linkOf(gate);
    const wrong = [
      forge(path, '/approve/'.length),
      forge(path, path.length - 10),
      path.slice(0, -1),
      `${path}A`,
      `/approve/${'A'.repeat(86)}`,
      '/approve/x',
      '/approve/%00',
    ];
    for (const each of wrong) {
      expect((await open(each)).statusCode, each).toBe(404);
      expect((await post(each, gate)).statusCode, each).toBe(404);
    }
    expect(await statusOf(gate)).toBe('open');
  });

  it.each([
    ['the person', { user_name: 'mallory' }],
    ['the time', { expires_at: new Date(Date.now() + 90 * 86_400_000) }],
  ])('made for another one by hand: %s', async (_title, change) => {
    const gate = await newGate();
    const path = await linkOf(gate);
    await api.db.updateTable('approval_links').set(change).where('approval', '=', gate.id).execute();
    expect((await open(path)).statusCode).toBe(404);
    expect((await post(path, gate)).statusCode).toBe(404);
  });

  it('moved to another gate by hand', async () => {
    const [one, other] = [await newGate(), await newGate()];
    const path = await linkOf(one);
    await api.db
      .updateTable('approval_links')
      .set({ approval: other.id })
      .where('approval', '=', one.id)
      .execute();
    expect((await post(path, other)).statusCode).toBe(404);
    expect(await statusOf(other)).toBe('open');
  });

  it('expired, together with its gate', async () => {
    const gate = await newGate();
    const past = new Date(Date.now() + 300);
    await api.db.updateTable('approvals').set({ until: past }).where('id', '=', gate.id).execute();
    const path = await linkOf(gate);
    expect((await open(path)).statusCode).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const answer = await open(path);
    expect([answer.statusCode, answer.body]).toEqual([410, expect.stringContaining('has expired')]);
    expect((await post(path, gate)).statusCode).toBe(410);
    expect((await makeLink({ ...gate, id: 'f'.repeat(32) })).statusCode).toBe(404);
  });

  it('of a gate that somebody else has closed', async () => {
    const gate = await newGate();
    const path = await linkOf(gate);
    const other = await linkOf(gate, 'lena');
    await post(other, gate);
    const answer = await open(path);
    expect([answer.statusCode, answer.body]).toEqual([
      410,
      expect.stringContaining('decided already: approved'),
    ]);
    expect((await post(path, gate, { decision: 'reject' })).statusCode).toBe(410);
    expect((await makeLink(gate)).statusCode).toBe(409);
  });

  it('of somebody who is no approver any more: the role goes with the last key', async () => {
    const gate = await newGate();
    const made = (
      await api.call({
        method: 'POST',
        url: '/api/keys',
        body: { name: 'k', role: 'approver', user: 'lev', roles: ['lead'] },
      })
    ).json();
    const path = await linkOf(gate, 'lev');
    await api.call({ method: 'DELETE', url: `/api/keys/${made.id}` });
    const answer = await post(path, gate);
    expect([answer.statusCode, answer.body]).toEqual([403, expect.stringContaining('is no approver')]);
    expect(await statusOf(gate)).toBe('open');
  });

  it('for something else than was shown', async () => {
    const gate = await newGate();
    const path = await linkOf(gate);
    expect((await post(path, { ...gate, digest: 'f'.repeat(64) })).statusCode).toBe(409);
    expect((await post(path, gate)).statusCode).toBe(200);
  });
});

it('a decision that the log does not take can be sent again by the same link, as the same decision', async () => {
  const gate = await newGate();
  const path = await linkOf(gate);
  runs.mode = 'fail';
  expect((await post(path, gate)).statusCode).toBe(503);
  runs.mode = 'work';
  expect((await post(path, gate)).statusCode).toBe(200);
  expect(await statusOf(gate)).toBe('approved');
});

describe('the page', () => {
  it('escapes, has no script, loads nothing, and may be neither framed nor stored nor referred to', async () => {
    const gate = await newGate('<script>alert(1)</script>"&');
    const page = await open(await linkOf(gate));
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body).not.toMatch(/<script|<img|<link|<iframe|https?:/i);
    expect(page.body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;');
    expect(page.body).toContain(gate.digest);
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(page.headers['set-cookie']).toBeUndefined();
  });

  it.each([
    ['decision=maybe', 400],
    ['decision=delegate', 400],
    ['decision=approve&decision=reject', 400],
    ['decision=approve&to=mallory', 400],
    ['decision=approve&comment=%00', 400],
    ['', 400],
    [`decision=approve&comment=${'x'.repeat(70_000)}`, 413],
  ])('%s decides nothing', async (body, status) => {
    const gate = await newGate();
    const path = await linkOf(gate);
    const answer = await api.http.inject({
      method: 'POST',
      url: path,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: body === '' ? '' : `${body}&digest=${gate.digest}`,
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toContain('text/html');
    expect(await statusOf(gate)).toBe('open');
  });

  it.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x'])(
    '%s is no form',
    async (type) => {
      const gate = await newGate();
      const path = await linkOf(gate);
      const body = JSON.stringify({ decision: 'approve', digest: gate.digest });
      const answer = await api.call({
        method: 'POST',
        url: path,
        key: null,
        body,
        headers: { 'content-type': type },
      });
      expect(answer.statusCode).toBe(415);
      expect(await statusOf(gate)).toBe('open');
    },
  );

  it('works in a browser: a form of these fields over a real socket', async () => {
    const gate = await newGate();
    const path = await linkOf(gate);
    await api.http.listen({ host: '127.0.0.1', port: 0 });
    const { port } = api.http.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}${path}`;
    const html = await (await fetch(url)).text();
    const digest = /name="digest" value="([^"]+)"/.exec(html)?.[1] ?? '';
    const answer = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ digest, comment: 'ä\r\nb', decision: 'reject' }),
    });
    expect(await answer.text()).toContain('Your rejection counts');
    expect(await statusOf(gate)).toBe('rejected');
  });
});

it('limits how many links one address may try', async () => {
  const small = await openTestApi(await newDatabase(), {}, { linkRateLimit: 3 });
  const answers = [];
  for (let index = 0; index < 5; index += 1)
    answers.push(await small.call({ url: `/approve/${'A'.repeat(85)}${index}`, key: null }));
  expect(answers.map((each) => each.statusCode)).toEqual([404, 404, 404, 429, 429]);
  expect(Number(answers.at(-1)?.headers['retry-after'])).toBeGreaterThan(0);
  expect((await small.call({ url: '/api/rules' })).statusCode).toBe(200);
  await small.close();
});
