// Creates and drops the databases that test files use, over a connection to the server's own database.
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';

const quiet = () => {};
const silent: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => silent };

async function query(url: string, sql: string, values: unknown[] = []): Promise<{ name: string }[]> {
  const pool = createPool({ connectionString: url, applicationName: 'tocsin-test', logger: silent, max: 1 });
  try {
    return (await pool.query<{ name: string }>(sql, values)).rows;
  } finally {
    await pool.end();
  }
}

/** Creates `name` and answers its URL. The name goes into SQL as it is: lower-case letters, digits and `_` only. */
export async function createDatabase(server: string, name: string): Promise<string> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new RangeError(`not a plain database name: ${name}`);
  await query(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Drops every database whose name starts with `prefix`, also when connections are left. */
export async function dropDatabases(server: string, prefix: string): Promise<void> {
  const rows = await query(server, 'select datname as name from pg_database where starts_with(datname, $1)', [
    prefix,
  ]);
  for (const { name } of rows) await query(server, `drop database if exists "${name}" with (force)`);
}
