// Documents over HTTP: revisions, conditions, references, paging, idempotency, and what must be refused.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await api.call({
    method: 'POST',
    url: '/api/actions',
    body: { id: 'note', type: 'log', params: logParams },
  });
});
afterAll(() => api.close());

const logParams = {};
const rule = { id: 'r', when: { severity: 'critical' }, then: [{ action: 'note' }] };
const errorOf = (response: { json(): { error: { code: string; issues: { path: string }[] } } }) =>
  response.json().error;

describe('the life of a document', () => {
  it('is created, read, replaced, deleted, and remembers every revision', async () => {
    const created = await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'life' } });
    expect(created.statusCode).toBe(201);
    expect(created.headers.etag).toBe('"1"');
    expect(created.headers.location).toBe('/api/rules/life');

    const read = await api.call({ url: '/api/rules/life' });
    expect(read.json()).toMatchObject({
      revision: 1,
      document: { kind: 'rule', id: 'life', then: [{ action: 'note' }] },
    });

    const body = { ...rule, id: 'life', name: 'second' };
    const replaced = await api.call({
      method: 'PUT',
      url: '/api/rules/life',
      body,
      headers: { 'if-match': '"1"' },
    });
    expect([replaced.statusCode, replaced.headers.etag]).toEqual([200, '"2"']);

    expect((await api.call({ method: 'DELETE', url: '/api/rules/life' })).statusCode).toBe(204);
    expect((await api.call({ url: '/api/rules/life' })).statusCode).toBe(404);
    const revisions = (await api.call({ url: '/api/rules/life/revisions' })).json();
    expect(
      revisions.items.map((each: { revision: number; deleted: boolean }) => [each.revision, each.deleted]),
    ).toEqual([
      [3, true],
      [2, false],
      [1, false],
    ]);
    const again = await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'life' } });
    expect(again.headers.etag).toBe('"4"');
  });

  it('asks for a connection only where the parameters need it', async () => {
    const post = (body: object) => api.call({ method: 'POST', url: '/api/actions', body });
    expect((await post({ id: 'stores', type: 'report', params: {} })).statusCode).toBe(201);
    const mails = { id: 'mails', type: 'report', params: { deliver: 'mail', to: 'a@example.com' } };
    const refused = await post(mails);
    expect([refused.statusCode, errorOf(refused).issues[0]?.path]).toEqual([422, '/connection']);
    const unknown = await post({ ...mails, params: {}, connection: 'none' });
    expect([unknown.statusCode, errorOf(unknown).issues[0]?.path]).toEqual([422, '/connection']);
  });

  it('refuses a second one under the same id', async () => {
    await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'twice' } });
    const second = await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'twice' } });
    expect([second.statusCode, errorOf(second).code]).toEqual([409, 'exists']);
  });

  it('keeps a deletion from breaking what refers to it', async () => {
    await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'user' } });
    const refused = await api.call({ method: 'DELETE', url: '/api/actions/note' });
    expect([refused.statusCode, errorOf(refused).code]).toEqual([409, 'referenced']);
    expect((await api.call({ url: '/api/actions/note' })).statusCode).toBe(200);
  });

  it('refuses a reference to what does not exist, naming it', async () => {
    const refused = await api.call({
      method: 'POST',
      url: '/api/rules',
      body: { ...rule, then: [{ action: 'no-such' }] },
    });
    expect(refused.statusCode).toBe(422);
    expect(errorOf(refused).issues[0]?.path).toBe('/then/0/action');
  });

  it('refuses an unknown action type and a change of type', async () => {
    const unknown = await api.call({
      method: 'POST',
      url: '/api/actions',
      body: { id: 'x', type: 'constructor', params: {} },
    });
    expect([unknown.statusCode, errorOf(unknown).issues[0]?.path]).toEqual([422, '/type']);
    const changed = await api.call({
      method: 'PUT',
      url: '/api/actions/note',
      body: { type: 'email', params: {} },
      headers: { 'if-match': '"1"' },
    });
    expect([changed.statusCode, errorOf(changed).issues[0]?.path]).toEqual([422, '/type']);
  });

  it('keeps the key order and text of what was written', async () => {
    const name = `'; DROP TABLE rules;-- <script> \u202e\u200b`;
    const body = `{"then":[{"action":"note"}],"name":${JSON.stringify(name)},"match_all":true,"id":"verbatim"}`;
    expect((await api.call({ method: 'POST', url: '/api/rules', body })).statusCode).toBe(201);
    const { document } = (await api.call({ url: '/api/rules/verbatim' })).json();
    expect(Object.keys(document).slice(0, 4)).toEqual(['then', 'name', 'match_all', 'id']);
    expect(document.name).toBe(name);
  });
});

describe('C26 conditions (RFC 9110 section 13)', () => {
  beforeAll(async () => {
    await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id: 'cond' } });
  });
  it.each([
    [undefined, 428],
    ['"9"', 412],
    ['W/"1"', 412],
    ['1 or 1=1', 412],
    ['*', 412],
  ])('If-Match %s gives %i', async (tag, status) => {
    const headers = tag === undefined ? {} : { 'if-match': tag };
    const response = await api.call({
      method: 'PUT',
      url: '/api/rules/cond',
      body: { ...rule, id: 'cond' },
      headers,
    });
    expect(response.statusCode).toBe(status);
  });

  it('lets exactly one of two parallel edits through', async () => {
    const edits = await Promise.all(
      ['a', 'b'].map((name) =>
        api.call({
          method: 'PUT',
          url: '/api/rules/cond',
          body: { ...rule, id: 'cond', name },
          headers: { 'if-match': '"1"' },
        }),
      ),
    );
    expect(edits.map((each) => each.statusCode).sort()).toEqual([200, 412]);
  });

  it('creates with If-None-Match and only then', async () => {
    const put = () =>
      api.call({
        method: 'PUT',
        url: '/api/rules/fresh',
        body: { ...rule, id: 'fresh' },
        headers: { 'if-none-match': '*' },
      });
    expect((await put()).statusCode).toBe(201);
    expect((await put()).statusCode).toBe(412);
  });
});

describe('lists', () => {
  it('C32 pages through everything once, and takes only its own cursors', async () => {
    for (const id of ['p1', 'p2', 'p3', 'p4', 'p5'])
      await api.call({ method: 'POST', url: '/api/rules', body: { ...rule, id } });
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { items: { document: { id: string } }[]; next_cursor: string | null } = (
        await api.call({ url: `/api/rules?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}` })
      ).json();
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((item) => item.document.id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen).toEqual(expect.arrayContaining(['p1', 'p2', 'p3', 'p4', 'p5']));
    const first = (await api.call({ url: '/api/rules?limit=1' })).json().next_cursor as string;
    const swap = first.startsWith('A') ? 'B' : 'A';
    for (const bad of [`${swap}${first.slice(1)}`, 'x', 'x.y', `${first}.`, 'WyJhIl0.AAAA'])
      expect((await api.call({ url: `/api/rules?cursor=${bad}` })).statusCode).toBe(400);
    expect((await api.call({ url: `/api/actions?cursor=${first}` })).statusCode).toBe(400);
  });

  it.each([
    ['limit=1000000000', 200],
    ['limit=0', 400],
    ['limit=-1', 400],
    ['limit=abc', 400],
    ['sort=name;select pg_sleep(5)', 400],
    ['limit=1&limit=2', 400],
  ])('?%s gives %i', async (query, status) => {
    expect((await api.call({ url: `/api/rules?${query}` })).statusCode).toBe(status);
  });

  it('C32 caps the limit at 200', async () => {
    const actor = { id: 'test', scopes: ['admin'] };
    await api.dependencies.store.write(actor, async (writer) => {
      for (let index = 0; index < 205; index += 1)
        await writer.put(
          { ...rule, kind: 'rule', id: `cap-${String(index).padStart(4, '0')}` } as never,
          'absent',
        );
    });
    expect((await api.call({ url: '/api/rules?limit=1000000000' })).json().items.length).toBe(200);
  });
});

describe('Idempotency-Key', () => {
  it('answers the same request with the same answer and makes one effect', async () => {
    const send = (id: string) =>
      api.call({
        method: 'POST',
        url: '/api/rules',
        body: { ...rule, id },
        headers: { 'idempotency-key': 'k-1' },
      });
    const [first, second] = await Promise.all([send('idem'), send('idem')]);
    expect([first?.statusCode, second?.statusCode]).toEqual([201, 201]);
    expect(first?.body).toBe(second?.body);
    expect([first?.headers['idempotent-replayed'], second?.headers['idempotent-replayed']].sort()).toEqual([
      'true',
      undefined,
    ]);
    expect((await api.call({ url: '/api/rules/idem/revisions' })).json().items).toHaveLength(1);
    const other = await send('idem-other');
    expect([other.statusCode, errorOf(other).code]).toEqual([409, 'idempotency_mismatch']);
    expect((await api.call({ url: '/api/rules/idem-other' })).statusCode).toBe(404);
  });
});

describe('ids that are none', () => {
  it.each([
    '1%20OR%201=1',
    '..%2Fx',
    '%00',
    'A',
    `${'a'.repeat(129)}`,
    'a'.repeat(4096),
    '%2e%2e',
    'no-such',
  ])('GET /api/rules/%s answers like any unknown id', async (id) => {
    const response = await api.call({ url: `/api/rules/${id}` });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({
      error: { code: 'not_found', message: 'no such resource', issues: [] },
    });
  });
});
