// Records of ATT&CK techniques in PostgreSQL and over the API: once for each command, by incident, and as layers.
import { createIncidentStore } from '@tocsin/adapters/postgres/incident-store.ts';
import { createMitreStore } from '@tocsin/adapters/postgres/mitre-store.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { incidentRequest } from '@tocsin/topologies/actions/incident/request.ts';
import type { MitreParams } from '@tocsin/topologies/actions/mitre/params.ts';
import { mitreRequest } from '@tocsin/topologies/actions/mitre/request.ts';
import { incidentIdOf } from '@tocsin/topologies/domain/incident/incident.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
const command = (digit: string) =>
  eventCommand({
    type: 'mitre',
    command_id: digit.repeat(32),
    created_at: Date.UTC(2026, 3, 28) + Number(digit),
  });
const record = (digit: string, over: Partial<MitreParams> = {}) => {
  const built = mitreRequest(command(digit), { layer: 'crm', techniques: ['T1059'], ...over }, 0);
  if ('status' in built) throw new Error(built.detail);
  return createMitreStore(api.db).record(built.record, built.event);
};
const get = async (url: string) => (await api.call({ url: `/api/mitre${url}` })).json();
const incident = incidentIdOf('a'.repeat(32));

beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await record('1', { techniques: ['T1059', 'T1059.001'], severity: 'low' });
  await record('2', { severity: 'high', incident_id: incident });
  await record('3', { techniques: ['T9999'], incident_id: incident });
  await record('4', { layer: 'erp', additional_fields: { a: { literal: 'x\u0000' } } });
});
afterAll(() => api.close());

it('a command that comes again, also from many workers at once, writes nothing and is answered as at first', async () => {
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => record('5', { layer: 'race', techniques: [`T10${n + 10}`] })),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect((await get('/records?layer=race')).items).toHaveLength(1);
  const events = await api.pool.query(
    "select count(*)::int as n from outbox where topic = 'events' and key = 'race'",
  );
  expect(events.rows[0].n).toBe(1);
});

it('lists layers, and exports one in format 4.5', async () => {
  expect((await api.pages<{ id: string }>('/api/mitre/layers')).flat().map(({ id }) => id)).toEqual([
    'crm',
    'erp',
    'race',
  ]);
  const answer = await api.call({ url: '/api/mitre/layers/crm' });
  expect(answer.headers['content-disposition']).toBe('attachment; filename="crm.json"');
  expect(answer.json()).toMatchObject({
    name: 'crm',
    versions: { layer: '4.5' },
    techniques: [
      { techniqueID: 'T1059', score: 2, metadata: [{ value: 'high' }] },
      { techniqueID: 'T1059.001', score: 1, metadata: [{ value: 'low' }] },
    ],
    metadata: [{ value: 'T9999: recorded 1 times' }],
  });
  const early = await get('/layers/crm?before=2026-04-28T00:00:00.002Z');
  expect(early.techniques.map(({ score }: { score: number }) => score)).toEqual([1, 1]);
  expect((await get('/layers/crm?after=2027-01-01')).techniques).toEqual([]);
  for (const id of ['none', '..%2fx', '%00'])
    expect((await api.call({ url: `/api/mitre/layers/${id}` })).statusCode).toBe(404);
});

it('finds records, and says whether their incident is there: it may come after them', async () => {
  const found = async () => (await get(`/records?incident=${incident}`)).items;
  expect(await found()).toMatchObject([
    { command_id: '3'.repeat(32), incident_exists: false },
    { command_id: '2'.repeat(32), techniques: ['T1059'], incident_id: incident, incident_exists: false },
  ]);
  const late = incidentRequest(eventCommand({ type: 'incident', command_id: 'a'.repeat(32) }), {}, 0);
  await createIncidentStore(api.db).create(late.incident, late.event);
  expect((await found()).map((one: { incident_exists: boolean }) => one.incident_exists)).toEqual([
    true,
    true,
  ]);
  expect((await get('/records?technique=T1059.001')).items).toHaveLength(1);
  expect((await get('/records?layer=erp')).items).toMatchObject([{ fields: { a: 'x\ufffd' } }]);
  const pages = await api.pages<{ command_id: string }>('/api/mitre/records?layer=crm');
  expect(pages.map((page) => page.map(({ command_id }) => command_id[0]))).toEqual([['3', '2'], ['1']]);
});

it.each([
  ['/records?technique=x', '/technique'],
  ['/records?incident=x', '/incident'],
  ['/records?layer=%20', '/layer'],
  ['/layers/crm?after=soon', '/after'],
  ['/layers?limit=x', '/limit'],
])('refuses %s and names the field', async (url, path) => {
  const answer = await api.call({ url: `/api/mitre${url}` });
  expect([answer.statusCode, answer.json().error.issues[0].path]).toEqual([400, path]);
});
