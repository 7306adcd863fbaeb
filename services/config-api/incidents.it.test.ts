// Incidents over the API: found, moved along their graph, edited; every change in history, events and audit trail.
import { createIncidentStore } from '@tocsin/adapters/postgres/incident-store.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import type { IncidentParams } from '@tocsin/topologies/actions/incident/params.ts';
import { incidentRequest } from '@tocsin/topologies/actions/incident/request.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let eve: string;
const url = '/api/incidents';
const definitions = { field_definitions: { score: { type: 'number' } } } as const;

async function make(digit: string, params: IncidentParams = {}, rule = 'r1'): Promise<string> {
  const command = eventCommand({
    type: 'incident',
    command_id: digit.repeat(32),
    rule: { id: rule, revision: 1 },
    created_at: Date.UTC(2026, 3, 28) + Number.parseInt(digit, 16),
  });
  const { incident, event } = incidentRequest(command, params, 0);
  return (await createIncidentStore(api.db).create(incident, event)).incident_id;
}

beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  const key = { name: 'eve', role: 'operator', user: 'eve' };
  eve = (await api.call({ method: 'POST', url: '/api/keys', body: key })).json().key;
  const inventory = { object_type: 'asset', match: { id: '{{data.asset.id}}' } };
  for (const digit of ['1', '2', '3', '4', '5'])
    await make(digit, { title: `Host 50%_${digit}`, ...definitions });
  await make('6', { title: 'Other', severity: 'low', assignee: 'eve', inventory }, 'r2');
});
afterAll(() => api.close());

const send = (id: string, path: string, body: unknown, headers = {}, key: string | null = eve) =>
  api.call({ method: path === '' ? 'PATCH' : 'POST', url: `${url}/${id}${path}`, body, headers, key });
const idOf = (digit: string) => `inc-${digit.repeat(32)}`;

it('lists in pages, newest first, each once', async () => {
  const pages = await api.pages<{ id: string }>(url, eve);
  expect(pages.flat().map(({ id }) => id)).toEqual(['6', '5', '4', '3', '2', '1'].map(idOf));
});

it.each([
  ['severity=Low', ['6']],
  ['assignee=eve', ['6']],
  ['unassigned=true', ['5', '4', '3', '2', '1']],
  ['rule=r2', ['6']],
  ['asset=a-1001', ['6']],
  ['q=%25_3', ['3']],
  ['q=OTHER', ['6']],
  ['created_after=2026-04-28T00:00:00.005Z', ['6', '5']],
  ['created_before=2026-04-28T00:00:00.002Z', ['1']],
  ['status=New&open=true', ['6', '5', '4', '3', '2', '1']],
  ['open=false', []],
])('finds by %s', async (query, digits) => {
  const answer = await api.call({ url: `${url}?${query}`, key: eve });
  expect(answer.json().items.map(({ id }: { id: string }) => id)).toEqual(digits.map(idOf));
});

it.each([
  ['open=yes', '/open'],
  ['created_after=soon', '/created_after'],
  ['assignee=eve&unassigned=true', '/unassigned'],
  ['nothing=1', '/nothing'],
  ['cursor=x', '/cursor'],
])('refuses %s and names the field', async (query, path) => {
  const answer = await api.call({ url: `${url}?${query}`, key: eve });
  expect(answer.statusCode).toBe(400);
  expect(answer.json().error.issues[0].path).toBe(path);
});

it('moves along the graph only, and says where it can go', async () => {
  const id = idOf('1');
  const read = await api.call({ url: `${url}/${id}`, key: eve });
  expect(read.json()).toMatchObject({
    status: 'New',
    version: 1,
    next_statuses: ['In Progress', 'Rejected'],
  });
  const wrong = await send(id, '/status', { status: 'Closed' });
  expect([wrong.statusCode, wrong.json().error]).toEqual([
    409,
    {
      code: 'conflict',
      message: 'New cannot become Closed; it can become In Progress, Rejected',
      issues: [{ path: '/status', message: expect.any(String) }],
    },
  ]);
  expect((await send(id, '/status', { status: 'Gone' })).statusCode).toBe(422);
  for (const status of ['In Progress', 'Verification', 'Closed']) {
    const answer = await send(id, '/status', { status, comment: `to ${status}` });
    expect([answer.statusCode, answer.json().status]).toEqual([200, status]);
  }
  const { items } = (await api.call({ url: `${url}/${id}/history`, key: eve })).json();
  expect(items.map((line: { version: number; verb: string }) => [line.version, line.verb])).toEqual([
    [1, 'create'],
    [2, 'status'],
    [3, 'status'],
    [4, 'status'],
  ]);
  expect(items[3]).toMatchObject({
    actor: 'user:eve',
    comment: 'to Closed',
    changes: [{ field: 'status', old: 'Verification', new: 'Closed' }],
  });
  expect((await api.pages(`${url}/${id}/history`, eve)).map((page) => page.length)).toEqual([2, 2]);
  const closed = await api.call({ url: `${url}?open=false`, key: eve });
  expect(closed.json().items).toHaveLength(1);
});

it('assigns, comments and edits; what changes nothing adds nothing', async () => {
  const id = idOf('2');
  expect((await send(id, '/assign', { assignee: 'alice' })).json()).toMatchObject({
    assignee: 'alice',
    version: 2,
  });
  expect((await send(id, '/assign', { assignee: 'alice' })).json()).toMatchObject({ version: 2 });
  expect((await send(id, '/comments', { comment: '**a**\n\nb' })).json()).toMatchObject({ version: 3 });
  const edit = {
    title: 'New title',
    severity: 'High',
    fields: { score: 5 },
    additional_fields: { a: ['x'] },
  };
  expect((await send(id, '', edit)).json()).toMatchObject({
    title: 'New title',
    severity: 'High',
    fields: { score: 5 },
    additional_fields: { a: ['x'] },
    version: 4,
  });
  const { items } = (await api.call({ url: `${url}/${id}/history`, key: eve })).json();
  expect(items[2].comment).toBe('**a**\n\nb');
  expect(items[3].changes).toContainEqual({ field: 'fields/score', old: null, new: 5 });
  const audit = (await api.call({ url: `/api/audit?object=incident/${id}` })).json().items;
  expect(
    audit.map(({ verb, revision, actor, detail }: Record<string, unknown>) => [
      verb,
      revision,
      actor,
      detail,
    ]),
  ).toEqual([
    ['edit', 4, 'user:eve', { fields: ['title', 'severity', 'fields/score', 'additional_fields/a'] }],
    ['comment', 3, 'user:eve', { comment: '**a**\n\nb' }],
    ['assign', 2, 'user:eve', { assignee: 'alice' }],
  ]);
  const events = await api.pool.query(
    "select value from outbox where topic = 'events' and key = $1 order by seq",
    [id],
  );
  expect(events.rows.map(({ value }) => JSON.parse(value).id)).toEqual([
    `${id}.created`,
    `${id}.2`,
    `${id}.3`,
    `${id}.4`,
  ]);
});

it('does not overwrite what somebody else changed meanwhile', async () => {
  const id = idOf('3');
  const { etag = '' } = (await api.call({ url: `${url}/${id}`, key: eve })).headers;
  expect((await send(id, '/comments', { comment: 'x' }, { 'if-match': etag })).statusCode).toBe(200);
  const stale = await send(id, '', { title: 'y' }, { 'if-match': etag });
  expect([stale.statusCode, stale.json().error.code]).toEqual([412, 'stale']);
  expect((await send(id, '', { title: 'y' }, { 'if-match': '"x"' })).statusCode).toBe(412);
});

it.each([
  ['', {}, ''],
  ['', { fields: { gone: 1 } }, '/fields/gone'],
  ['', { fields: { score: 'much' } }, '/fields/score'],
  ['', { severity: 'huge' }, '/severity'],
  ['', { title: 'a\nb' }, '/title'],
  ['', { status: 'Closed' }, '/status'],
  ['', { additional_fields: { a: { b: 1 } } }, '/additional_fields/a'],
  ['/comments', { comment: '' }, '/comment'],
  ['/comments', { comment: 'a\u0000b' }, '/comment'],
  ['/assign', {}, '/assignee'],
  ['/status', { status: 5 }, '/status'],
])('refuses %s %j and names the field', async (path, body, field) => {
  const answer = await send(idOf('4'), path, body);
  expect([400, 422]).toContain(answer.statusCode);
  expect(answer.json().error.issues[0].path).toBe(field);
  expect((await api.call({ url: `${url}/${idOf('4')}` })).json().version).toBe(1);
});

it.each(['inc-x', idOf('f'), '1', '%00'])('knows no %s', async (id) => {
  expect((await api.call({ url: `${url}/${id}`, key: eve })).statusCode).toBe(404);
  expect((await send(id, '/status', { status: 'New' })).statusCode).toBe(404);
});
