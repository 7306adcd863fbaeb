// Incidents in PostgreSQL: one for each command, whoever brings it and how often; history and event with it.

import { newDatabase } from '@tocsin/testing/servers.ts';
import type { IncidentParams } from '@tocsin/topologies/actions/incident/params.ts';
import { incidentRequest } from '@tocsin/topologies/actions/incident/request.ts';
import { StoreUnavailable } from '@tocsin/topologies/ports/store-unavailable.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { changeIncident } from './incident-desk.ts';
import { createIncidentStore } from './incident-store.ts';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import type { Db } from './schema.ts';
import { silentLogger } from './silent-logger.ts';

let db: Db;
beforeAll(async () => {
  const connectionString = await newDatabase();
  db = openDatabase(createPool({ connectionString, applicationName: 'test', logger: silentLogger }));
  await migrate(db);
});
afterAll(() => db.destroy());
beforeEach(async () => {
  await sql`alter table incident_history disable trigger user`.execute(db);
  await sql`truncate incidents, incident_history, outbox`.execute(db);
  await sql`alter table incident_history enable trigger user`.execute(db);
});

const command = (id: string) => eventCommand({ type: 'incident', command_id: id.repeat(32) });
const create = (id: string, params: IncidentParams = {}, now = 0) => {
  const { incident, event } = incidentRequest(command(id), params, now);
  return createIncidentStore(db).create(incident, event);
};

/** Everything in the tables but the numbers of the outbox. */
async function content() {
  const incidents = await sql`select * from incidents order by id`.execute(db);
  const history = await sql`select * from incident_history order by incident_id, version`.execute(db);
  const events = await sql<{ key: string; value: string }>`
    select topic, key, value from outbox order by seq`.execute(db);
  return { incidents: incidents.rows, history: history.rows, events: events.rows };
}

it('a command that comes again changes nothing and is answered as at first, also after people worked on it', async () => {
  const first = await create('a', { title: 'one' });
  const change = { verb: 'status', status: 'In Progress' } as const;
  await db
    .transaction()
    .execute((transaction) =>
      changeIncident(transaction, { id: first.incident_id, actor: 'user:eve', change, comment: 'mine' }),
    );
  const before = await content();
  expect(await create('a', { title: 'two', index_suffix: 'x' }, 5)).toEqual(first);
  expect(first).toMatchObject({ title: 'one', status: 'New' });
  expect(await content()).toEqual(before);
  expect(before.history).toMatchObject([
    { version: 1, actor: 'rule:critical-findings', verb: 'create' },
    {
      version: 2,
      actor: 'user:eve',
      verb: 'status',
      comment: 'mine',
      changes: [{ field: 'status', old: 'New', new: 'In Progress' }],
    },
  ]);
  expect(before.events.map(({ value }) => JSON.parse(value).id)).toEqual([
    `${first.incident_id}.created`,
    `${first.incident_id}.2`,
  ]);
});

it('of many workers with one command at once one makes the incident, and all are answered the same', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => create('b', { title: `t${n}` })));
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  const { incidents, history, events } = await content();
  expect([incidents.length, history.length, events.length]).toEqual([1, 1, 1]);
});

it('changes at once follow each other: versions without gaps, and one of two moves along one edge', async () => {
  const { incident_id: id } = await create('c');
  const apply = (change: Parameters<typeof changeIncident>[1]['change'], comment?: string) =>
    db.transaction().execute((transaction) =>
      changeIncident(transaction, {
        id,
        actor: 'user:eve',
        change,
        ...(comment === undefined ? {} : { comment }),
      }),
    );
  const moves = await Promise.allSettled([
    apply({ verb: 'status', status: 'In Progress' }),
    apply({ verb: 'status', status: 'In Progress' }),
    ...Array.from({ length: 8 }, (_, n) => apply({ verb: 'comment' }, `c${n}`)),
  ]);
  expect(moves.filter(({ status }) => status === 'rejected')).toMatchObject([
    { reason: { code: 'conflict', path: '/status' } },
  ]);
  const { history, incidents } = await content();
  expect(history.map((line) => (line as { version: number }).version)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ]);
  expect(incidents).toMatchObject([{ version: 10, status: 'In Progress', closed: false }]);
});

it('keeps when an incident was closed, and forgets it when it is opened again', async () => {
  const { incident_id: id } = await create('d');
  const move = (status: string) =>
    db
      .transaction()
      .execute((transaction) =>
        changeIncident(transaction, { id, actor: 'user:eve', change: { verb: 'status', status } }),
      );
  expect((await move('Rejected')).incident).toMatchObject({ closed: true, closed_at: expect.any(Date) });
  expect((await move('In Progress')).incident).toMatchObject({ closed: false, closed_at: null });
});

it('history cannot be rewritten', async () => {
  await create('e');
  await expect(sql`update incident_history set actor = 'x'`.execute(db)).rejects.toThrow('append-only');
  await expect(sql`delete from incident_history`.execute(db)).rejects.toThrow('append-only');
});

it('takes text that PostgreSQL cannot hold', async () => {
  const made = await create('f', { additional_fields: { a: { literal: 'x\u0000\ud800' } } });
  const { incidents } = await content();
  expect(incidents).toMatchObject([{ id: made.incident_id, additional_fields: { a: 'x\ufffd\ufffd' } }]);
});

it('says "not now" when the database is away, and writes nothing', async () => {
  const away = openDatabase(
    createPool({
      connectionString: 'postgres://x@127.0.0.1:1/x',
      applicationName: 'test',
      logger: silentLogger,
    }),
  );
  const { incident, event } = incidentRequest(command('9'), {}, 0);
  await expect(createIncidentStore(away).create(incident, event)).rejects.toThrow(StoreUnavailable);
  await away.destroy();
});
