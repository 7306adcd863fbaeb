// A database of its own for one test file, on the server that DATABASE_URL names, dropped afterwards.
import { randomBytes } from 'node:crypto';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { Kysely } from 'kysely';
import { Client, type Pool } from 'pg';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import type { Database } from './schema.ts';

export interface FreshDatabase {
  readonly url: string;
  readonly pool: Pool;
  readonly db: Kysely<Database>;
  drop(): Promise<void>;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** Creates and, unless told otherwise, migrates it. */
export async function freshDatabase(serverUrl: string, options: { readonly migrated?: boolean } = {}): Promise<FreshDatabase> {
  const name = `tocsin_test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = createPool({ connectionString: url.href, applicationName: 'tocsin-test', logger: silentLogger });
  const db = openDatabase(pool);
  if (options.migrated !== false) await migrate(db);
  return {
    url: url.href,
    pool,
    db,
    async drop() {
      await db.destroy();
      await onServer(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
