// Brings the database to the newest schema: plain SQL files in migrations/, applied in the order of their names.
//
// Invariant: one process migrates at a time (advisory lock) and all waiting migrations commit together or not at all,
// so any number of services may call this at once. A released file is never edited; a change is a new file.
import { readdir, readFile } from 'node:fs/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Pool } from 'pg';
import { effectsProgress, effectsTable } from '../effects/schema.sql.ts';
import { secretTables } from '../secrets/schema.sql.ts';
import type { Database, Db } from './schema.ts';

const folder = new URL('./migrations/', import.meta.url);

/** The typed query builder over a pool; `destroy` of it ends the pool. */
export function openDatabase(pool: Pool): Db {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

// Tables whose statements live beside the store that uses them.
const ownedElsewhere: Readonly<Record<string, string>> = {
  '0004_effects': effectsTable,
  '0005_secrets': secretTables,
  '0016_effects_progress': effectsProgress,
};

async function readMigrations(): Promise<Record<string, Migration>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const migrations: Record<string, Migration> = {};
  for (const name of names) {
    const text = await readFile(new URL(name, folder), 'utf8');
    migrations[name.slice(0, -'.sql'.length)] = { up: async (db) => void (await sql.raw(text).execute(db)) };
  }
  for (const [name, text] of Object.entries(ownedElsewhere))
    migrations[name] = { up: async (db) => void (await sql.raw(text).execute(db)) };
  return migrations;
}

/** Applies what is missing and returns the names applied. Throws the database's error; nothing is applied then. */
export async function migrate(db: Db): Promise<string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: readMigrations },
    migrationTableName: 'tocsin_migrations',
    migrationLockTableName: 'tocsin_migrations_lock',
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.filter((result) => result.status === 'Success').map((result) => result.migrationName);
}
