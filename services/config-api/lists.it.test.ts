// Named lists over HTTP: their life, what refers to them, and every way in which one cannot be used.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await post('actions', { id: 'note', type: 'log', params: {} });
});
afterAll(() => api.close());

const post = (resource: string, body: unknown) => api.call({ method: 'POST', url: `/api/${resource}`, body });
const put = (id: string, revision: number, body: unknown) =>
  api.call({ method: 'PUT', url: `/api/lists/${id}`, body, headers: { 'if-match': `"${revision}"` } });
const remove = (url: string) => api.call({ method: 'DELETE', url });
const rule = (id: string, when: object) => ({ id, when, then: [{ action: 'note' }] });

async function issuesOf(answer: ReturnType<typeof post>): Promise<string[]> {
  const { error } = (await answer).json();
  return (error?.issues ?? []).map(
    ({ path, message }: { path: string; message: string }) => `${path}: ${message}`,
  );
}

describe('the life of a list', () => {
  it('is created, changed and deleted, and published like every document', async () => {
    expect((await post('lists', { id: 'life', values: ['a'] })).statusCode).toBe(201);
    expect((await put('life', 1, { values: ['a', 'b'], comparison: 'text' })).statusCode).toBe(200);
    const read = await api.call({ url: '/api/lists/life' });
    expect(read.json()).toMatchObject({
      revision: 2,
      document: { kind: 'list', id: 'life', values: ['a', 'b'] },
    });
    expect((await remove('/api/lists/life')).statusCode).toBe(204);
    const rows = await api.db
      .selectFrom('outbox')
      .select(['key', 'value'])
      .where('topic', '=', 'config')
      .where('key', '=', 'list/life')
      .execute();
    expect(rows.map(({ value }) => (value === null ? null : JSON.parse(value).document.values))).toEqual([
      ['a'],
      ['a', 'b'],
      null,
    ]);
  });

  it('holds 50,000 values, more than any other document may', async () => {
    const values = Array.from({ length: 50_000 }, (_, index) => `host-${index}`);
    expect((await post('lists', { id: 'large', values })).statusCode).toBe(201);
    expect((await api.call({ url: '/api/lists/large' })).json().document.values).toHaveLength(50_000);
    expect((await post('rules', rule('large', { 'data.a': values }))).statusCode).toBe(413);
    expect(await issuesOf(post('lists', { values: [...values, 'x'] }))).toEqual([
      '/values: must NOT have more than 50000 items',
    ]);
    expect((await post('lists', { values: values.map((value) => `${value}-with-a-tail`) })).statusCode).toBe(
      413,
    );
  });
});

describe('what refers to a list', () => {
  it('refuses a rule that names one which does not exist', async () => {
    const when = { any: [{ 'data.a': { not: { in_list: 'no-such' } } }] };
    expect(await issuesOf(post('rules', rule('lost', when)))).toEqual([
      '/when/any/0/data.a/not/in_list: the list no-such does not exist',
    ]);
    expect((await api.call({ url: '/api/rules/lost' })).statusCode).toBe(404);
  });

  it('keeps a list that rules or lists use, wherever they name it', async () => {
    await post('lists', { id: 'inner', values: ['x'] });
    await post('lists', { id: 'outer', include: ['inner'] });
    await post('lists', { id: 'inn', values: ['x'] });
    const when = { each: { path: 'data.b', match: { any: [{ c: { not: { in_list: 'outer' } } }] } } };
    expect((await post('rules', rule('user', when))).statusCode).toBe(201);
    const outer = await remove('/api/lists/outer');
    expect([outer.statusCode, outer.json().error.message]).toEqual([409, 'list outer is used by rule/user']);
    const inner = await remove('/api/lists/inner');
    expect([inner.statusCode, inner.json().error.message]).toEqual([409, 'list inner is used by list/outer']);
    expect((await remove('/api/lists/inn')).statusCode).toBe(204);
    expect((await remove('/api/rules/user')).statusCode).toBe(204);
    expect((await remove('/api/lists/outer')).statusCode).toBe(204);
  });

  it('does not take a value for a reference', async () => {
    await post('lists', { id: 'word', values: ['x'] });
    expect(
      (await post('rules', rule('no-use', { 'data.in_list': 'word', 'data.a': ['word'] }))).statusCode,
    ).toBe(201);
    expect((await remove('/api/lists/word')).statusCode).toBe(204);
  });

  it('runs the tests of a rule with the lists that it names', async () => {
    await post('lists', { id: 'hosts', values: ['web'], include: [] });
    const tested = (expected: string) => ({
      ...rule(`tested-${expected.replace('_', '-')}`, { 'data.host': { in_list: 'hosts' } }),
      tests: [{ event: { event: 'x', data: { host: 'WEB' } }, expect: expected }],
    });
    expect((await post('rules', tested('match'))).statusCode).toBe(201);
    expect((await post('rules', tested('no_match'))).statusCode).toBe(422);
  });
});

describe('a list that cannot be used', () => {
  it('is refused with the place of the fault, and nothing of it is kept', async () => {
    await post('lists', { id: 'nets', comparison: 'cidr', values: ['10.0.0.0/8'] });
    const refused: [object, string][] = [
      [
        { id: 'bad', comparison: 'cidr', values: ['10.1.0.0/8'] },
        '/values/0: has bits beyond its prefix; the network is 10.0.0.0/8',
      ],
      [{ id: 'bad', comparison: 'number', values: ['1'] }, '/values/0: must be a finite number'],
      [{ id: 'bad', include: ['nets'] }, '/include/0: the list nets is compared as cidr, this one as text'],
      [{ id: 'bad', include: ['no-such'] }, '/include/0: the list no-such does not exist'],
      [{ id: 'bad', include: ['bad'] }, '/include/0: includes itself: bad -> bad'],
      [{ id: 'bad', valeus: [] }, '/valeus: unknown field'],
    ];
    for (const [list, issue] of refused) expect(await issuesOf(post('lists', list))).toEqual([issue]);
    expect((await api.call({ url: '/api/lists/bad' })).statusCode).toBe(404);
    expect(await issuesOf(put('nets', 1, { values: [] }))).toEqual([
      '/comparison: cannot change; make a new list under another id',
    ]);
  });

  it('is refused when it closes a cycle', async () => {
    await post('lists', { id: 'one', values: ['x'] });
    await post('lists', { id: 'two', include: ['one'] });
    await post('lists', { id: 'three', include: ['two'] });
    expect(await issuesOf(put('one', 1, { include: ['three'] }))).toEqual([
      '/include/0: includes itself: one -> three -> two -> one',
    ]);
    expect((await api.call({ url: '/api/lists/one' })).json().revision).toBe(1);
  });
});

it('is an editor’s to write and a viewer’s to read', async () => {
  const keyOf = async (role: string): Promise<string> =>
    (await post('keys', { name: role, role })).json().key as string;
  const [viewer, editor] = [await keyOf('viewer'), await keyOf('editor')];
  const create = (key: string, id: string) =>
    api.call({ method: 'POST', url: '/api/lists', key, body: { id } });
  expect((await create(viewer, 'by-viewer')).statusCode).toBe(403);
  expect((await create(editor, 'by-editor')).statusCode).toBe(201);
  expect((await api.call({ url: '/api/lists/by-editor', key: viewer })).statusCode).toBe(200);
});
