// Risk scores in PostgreSQL: one for each object and command, whoever brings it and how often; totals at every moment.

import { newDatabase } from '@tocsin/testing/servers.ts';
import { batchOf } from '@tocsin/topologies/domain/risk/record-scores.ts';
import { type RiskScore, totalAt } from '@tocsin/topologies/domain/risk/score.ts';
import { StoreUnavailable } from '@tocsin/topologies/ports/store-unavailable.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import { createRiskSearch } from './risk-search.ts';
import { createRiskStore } from './risk-store.ts';
import type { Db } from './schema.ts';
import { silentLogger } from './silent-logger.ts';

let db: Db;
beforeAll(async () => {
  const connectionString = await newDatabase();
  db = openDatabase(createPool({ connectionString, applicationName: 'test', logger: silentLogger }));
  await migrate(db);
});
afterAll(() => db.destroy());
beforeEach(() => sql`truncate risk_commands, risk_scores, outbox`.execute(db));

const scoreOf = (id: string, effective: number, over: Partial<RiskScore> = {}): RiskScore => ({
  object: { type: 'user', id },
  kind: 'risk',
  name: null,
  scoring_type: 'default',
  score: effective,
  fidelity: 1,
  effective,
  index: 'risk',
  fields: {},
  row_index: null,
  scored_at: 1_000,
  expires_at: null,
  ...over,
});
const record = (id: number, scores: readonly RiskScore[], tenant?: string) => {
  const command = eventCommand({
    type: 'risk',
    command_id: id.toString(16).padStart(32, '0'),
    ...(tenant === undefined ? {} : { tenant }),
  });
  return createRiskStore(db).record(batchOf(command, { scores, warnings: [] }));
};
const total = async (id: string, at: number, tenant = '') =>
  (await createRiskSearch(db).total({ type: 'user', id }, { tenant, at: new Date(at) })).total;
const events = async () => {
  const rows = await db
    .selectFrom('outbox')
    .select('value')
    .where('topic', '=', 'events')
    .orderBy('seq')
    .execute();
  return rows.map(({ value }) => JSON.parse(value ?? '').data);
};

it('a command that comes again, also with other scores, changes no total and is answered as at first', async () => {
  const first = await record(1, [scoreOf('a', 10), scoreOf('b', 5)]);
  await record(2, [scoreOf('a', 1)]);
  expect(await record(1, [scoreOf('a', 99), scoreOf('c', 99)])).toEqual(first);
  expect(JSON.stringify(await record(1, []))).toBe(JSON.stringify(first));
  expect(first).toEqual([
    { object: { type: 'user', id: 'a' }, effective: 10, total: 10 },
    { object: { type: 'user', id: 'b' }, effective: 5, total: 5 },
  ]);
  expect([await total('a', 1_000), await total('b', 1_000), await total('c', 1_000)]).toEqual([11, 5, 0]);
  expect(await events()).toHaveLength(3);
});

it('many workers at once: every command counts once, and the totals told are those of one order', async () => {
  const ids = [...Array(30).keys(), ...Array(30).keys()];
  await Promise.all(ids.map((id) => record(id, [scoreOf('a', 0.1), scoreOf('b', 1)])));
  expect([await total('a', 1_000), await total('b', 1_000)]).toEqual([3, 30]);
  const told = (await events()).filter(({ object }) => object.id === 'b').map((data) => data.total);
  expect(told.sort((x, y) => x - y)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
});

it('totals at every moment are those of the definition', async () => {
  const scores = Array.from({ length: 40 }, (_, n) =>
    scoreOf('a', ((n % 7) * 10 - 23) / 10, {
      scored_at: (n * 37) % 100,
      expires_at: n % 3 === 0 ? null : ((n * 37) % 100) + 1 + (n % 11),
    }),
  );
  for (const [id, score] of scores.entries()) await record(id, [score]);
  for (const at of [0, 1, 7, 30, 50, 99, 100, 110, 10_000])
    expect(await total('a', at), `at ${at}`).toBe(totalAt(scores, at));
});

it('what comes late counts in the total that is told', async () => {
  await record(1, [scoreOf('a', 60, { scored_at: 2_000, expires_at: 3_000 })]);
  await record(2, [scoreOf('a', 60, { scored_at: 1_000 })]);
  await record(3, [scoreOf('a', 1, { scored_at: 3_000 })]);
  expect((await events()).map((data) => data.total)).toEqual([60, 120, 61]);
});

it('keeps tenants and types apart, and pages through scores', async () => {
  await record(1, [scoreOf('a', 1)]);
  await record(2, [scoreOf('a', 2)], 'acme');
  await record(3, [scoreOf('a', 4, { object: { type: 'system', id: 'a' }, scoring_type: 'x' })]);
  expect([await total('a', 1_000), await total('a', 1_000, 'acme')]).toEqual([1, 2]);
  const search = createRiskSearch(db);
  const moment = { tenant: '', at: new Date(1_000) };
  expect(await search.top(moment, { limit: 9 })).toEqual([
    { object: { type: 'system', id: 'a' }, total: 4, count: 1 },
    { object: { type: 'user', id: 'a' }, total: 1, count: 1 },
  ]);
  expect(await search.top({ ...moment, scoring_type: 'default' }, { limit: 9 })).toHaveLength(1);
  expect(await search.top(moment, { limit: 9, type: 'user' })).toHaveLength(1);
});

it('takes text that PostgreSQL cannot hold', async () => {
  await record(1, [scoreOf('a\u0000\ud800', 1, { fields: { x: '\u0000' } })]);
  expect(await total('a\ufffd\ufffd', 1_000)).toBe(1);
});

it('says "not now" when the database is away', async () => {
  const away = openDatabase(
    createPool({
      connectionString: 'postgres://x@127.0.0.1:1/x',
      applicationName: 'test',
      logger: silentLogger,
    }),
  );
  const batch = batchOf(eventCommand(), { scores: [scoreOf('a', 1)], warnings: [] });
  await expect(createRiskStore(away).record(batch)).rejects.toThrow(StoreUnavailable);
  await away.destroy();
});
