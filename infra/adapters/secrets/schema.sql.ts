// The tables of the secret store. A value is never updated: a new value is a new version.
// Invariant: the statements may run any number of times, by several processes at once.
// Surprise: `secrets.last_version` is what hands out version numbers; it also makes writers of one secret wait for each other.

export const secretTables = `
create table if not exists secrets (
  tenant text not null default 'default',
  secret_id text not null,
  last_version integer not null check (last_version > 0),
  primary key (tenant, secret_id)
);
create table if not exists secret_versions (
  tenant text not null default 'default',
  secret_id text not null,
  version integer not null check (version > 0),
  kek_id text not null,
  dek_wrapped bytea,
  dek_iv bytea,
  iv bytea,
  ct bytea,
  tag bytea,
  alg text not null default 'A256GCM',
  created_by text not null,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  primary key (tenant, secret_id, version),
  check (destroyed_at is not null
    or (dek_wrapped is not null and dek_iv is not null and iv is not null and ct is not null and tag is not null))
);
`;

/** What `pg` offers in Pool and PoolClient; for kysely wrap `executeQuery(CompiledQuery.raw(sql, values))`. */
export interface SqlRunner {
  query(sql: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** Creates the tables where no migration did. */
export async function ensureSecretTables(sql: SqlRunner): Promise<void> {
  // See effects/schema.sql.ts: concurrent `create table if not exists` collide without the lock.
  await sql.query(`select pg_advisory_xact_lock(7164010534);${secretTables}`);
}
