// Risk over the API: totals at a moment, the scores behind them in pages, and the objects with most.
import { createRiskStore } from '@tocsin/adapters/postgres/risk-store.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { mitreRiskRequest } from '@tocsin/topologies/actions/mitre-risk/request.ts';
import { batchOf } from '@tocsin/topologies/domain/risk/record-scores.ts';
import { rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
const at = (seconds: number) => new Date(Date.UTC(2026, 3, 28) + seconds * 1_000).toISOString();

beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  for (const [index, [user, score]] of [
    ['eve', 10],
    ['eve', 20],
    ['eve', 30],
    ['bob', 70],
  ].entries()) {
    const command = rowsCommand([{ user, host: 'web' }], {
      type: 'mitre-risk',
      mode: 'each',
      command_id: `${index}`.repeat(32),
      created_at: Date.parse(at(index)),
    });
    const built = mitreRiskRequest(
      command,
      {
        category: ['user', 'system'],
        score: score as number,
        fidelity: 0.5,
        scoring_type: 't',
        scoring_types: { t: { lifespan: 'PT10S' } },
      },
      0,
    );
    if ('status' in built) throw new Error(built.detail);
    await createRiskStore(api.db).record(batchOf(command, built));
  }
});
afterAll(() => api.close());
const get = async (query: string) => (await api.call({ url: `/api/risk${query}` })).json();

it('tells the total at a moment with what is behind it', async () => {
  expect(await get(`?object=user:eve&at=${at(5)}`)).toMatchObject({
    object: { type: 'user', id: 'eve' },
    at: at(5),
    total: 30,
    count: 3,
    by_scoring_type: { t: 30 },
    items: [
      { score: 30, fidelity: 0.5, effective: 15, scored_at: at(2), expires_at: at(12) },
      { effective: 10 },
      { effective: 5, index: '.smos_risk-2026.04', rule: { id: 'critical-findings' } },
    ],
    next_cursor: null,
  });
  const totals = await Promise.all(
    [-1, 0, 1, 9, 10, 11, 12].map(async (second) => (await get(`?object=user:eve&at=${at(second)}`)).total),
  );
  expect(totals).toEqual([0, 5, 15, 30, 25, 15, 0]);
  expect(await get('?object=user:eve')).toMatchObject({ total: 0, items: [] });
  expect(await get(`?object=user:nobody:at:all&at=${at(5)}`)).toMatchObject({
    object: { type: 'user', id: 'nobody:at:all' },
    total: 0,
  });
});

it('pages through the scores of one moment', async () => {
  const pages = await api.pages<{ effective: number }>(`/api/risk?object=user:eve&at=${at(5)}`);
  expect(pages.map((page) => page.map(({ effective }) => effective))).toEqual([[15, 10], [5]]);
});

it('lists the objects with most', async () => {
  expect((await get(`/top?at=${at(5)}`)).items).toEqual([
    { object: { type: 'system', id: 'web' }, total: 65, count: 4 },
    { object: { type: 'user', id: 'bob' }, total: 35, count: 1 },
    { object: { type: 'user', id: 'eve' }, total: 30, count: 3 },
  ]);
  expect((await get(`/top?at=${at(5)}&type=user&limit=1`)).items).toMatchObject([{ object: { id: 'bob' } }]);
  expect((await get(`/top?at=${at(5)}&scoring_type=other`)).items).toEqual([]);
});

it.each([
  ['', '/object'],
  ['?object=alice', '/object'],
  ['?object=:alice', '/object'],
  ['?object=user:', '/object'],
  ['?object=user:a&at=soon', '/at'],
  ['?object=user:a&limit=0', '/limit'],
  ['/top?type=A', '/type'],
  ['/top?at=soon', '/at'],
])('refuses %s and names the field', async (query, path) => {
  const answer = await api.call({ url: `/api/risk${query}` });
  expect([answer.statusCode, answer.json().error.issues[0].path]).toEqual([400, path]);
});
