// The store itself: migrations that race, rows that cannot be changed, writers that cannot overtake each other.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConfigStore, createConfigStore, type Document } from './config-store.ts';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import type { Db } from './schema.ts';
import { silentLogger } from './silent-logger.ts';

const admin = { id: 'test', scopes: ['admin'] };
const action = (id: string, fields: object = {}) =>
  ({ kind: 'action', id, type: 'log', params: {}, ...fields }) as unknown as Document;

function open(url: string): Db {
  return openDatabase(
    createPool({ connectionString: url, applicationName: 'store-test', logger: silentLogger }),
  );
}

let db: Db;
let store: ConfigStore;
beforeAll(async () => {
  db = open(await newDatabase());
  await migrate(db);
  store = createConfigStore(db);
});
afterAll(() => db.destroy());

it('many services migrate an empty database at once, and one of them does it', async () => {
  const url = await newDatabase();
  const all = Array.from({ length: 6 }, () => open(url));
  const applied = await Promise.all(all.map((each) => migrate(each)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  expect(applied.flat()).toEqual([
    '0001_config',
    '0002_api_keys',
    '0003_history',
    '0004_effects',
    '0005_secrets',
    '0006_playbook_versions',
    '0007_runs',
    '0008_key_users',
    '0009_audit_chain',
    '0010_incidents',
    '0011_risk',
    '0012_mitre',
    '0013_dead_letters',
    '0014_deliveries',
    '0015_connection_checks',
    '0016_effects_progress',
  ]);
  expect(await migrate(all[0]!)).toEqual([]);
  await Promise.all(all.map((each) => each.destroy()));
});

it.each(['config_revisions', 'audit'] as const)('%s refuses update, delete and truncate', async (table) => {
  await store.write(admin, (writer) => writer.put(action(`fixed-${table}`)));
  await expect(
    db
      .updateTable(table)
      .set({ revision: 9 } as never)
      .execute(),
  ).rejects.toThrow('append-only');
  await expect(db.deleteFrom(table).execute()).rejects.toThrow('append-only');
  const { sql } = await import('kysely');
  await expect(sql`truncate ${sql.table(table)} cascade`.execute(db)).rejects.toThrow('append-only');
});

it('a write that throws leaves nothing behind: no revision, no outbox row, no audit row', async () => {
  const count = async () =>
    Promise.all(
      (['config_revisions', 'config_heads', 'outbox', 'audit'] as const).map(
        async (table) =>
          (
            await db
              .selectFrom(table)
              .select((eb) => eb.fn.countAll().as('n'))
              .executeTakeFirstOrThrow()
          ).n,
      ),
    );
  const before = await count();
  const failing = store.write(admin, async (writer) => {
    await writer.put(action('ghost'));
    throw new Error('second thoughts');
  });
  await expect(failing).rejects.toThrow('second thoughts');
  expect(await count()).toEqual(before);
});

it('parallel writers give every revision once, in the order of the outbox', async () => {
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      store.write(admin, (writer) => writer.put(action('busy', { name: `n${index}` }))),
    ),
  );
  const revisions = await store.revisions('action', 'busy', { limit: 100 });
  expect(revisions.map((each) => each.revision)).toEqual(
    Array.from({ length: 30 }, (_, index) => 30 - index),
  );
  const rows = await db
    .selectFrom('outbox')
    .select('value')
    .where('key', '=', 'action/busy')
    .where('topic', '=', 'config')
    .orderBy('seq')
    .execute();
  expect(rows.map((row) => JSON.parse(row.value ?? '{}').revision)).toEqual(
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
});

it('a deletion and a new reference at the same moment cannot both win', async () => {
  for (let round = 0; round < 10; round += 1) {
    const id = `target-${round}`;
    await store.write(admin, (writer) => writer.put(action(id)));
    const rule = { kind: 'rule', id: `ref-${round}`, then: [{ action: id }] } as unknown as Document;
    const outcomes = await Promise.allSettled([
      store.write(admin, (writer) => writer.remove('action', id)),
      store.write(admin, async (writer) => {
        if ((await writer.get('action', id)) === null) throw new Error('no such action');
        await writer.put(rule);
      }),
    ]);
    expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
  }
});
