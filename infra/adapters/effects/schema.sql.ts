// The table of the PostgreSQL effects ledger. One row per command; `outcome` is null while it is only begun, or when that was taken
// back (`released`) and something had been noted.
// Invariant: the statements may run any number of times, by several processes at once.

/** For tables that were made before attempts could note how far they came. */
export const effectsProgress = `alter table effects add column if not exists released boolean not null default false;
alter table effects add column if not exists progress jsonb;`;

export const effectsTable = `
create table if not exists effects (
  command_id text primary key,
  begun_at timestamptz not null,
  finished_at timestamptz,
  outcome jsonb,
  round integer not null default 1,
  possible_duplicate boolean not null default false,
  released boolean not null default false,
  progress jsonb
);
alter table effects add column if not exists round integer not null default 1;
alter table effects add column if not exists possible_duplicate boolean not null default false;
${effectsProgress}
create index if not exists effects_begun_at on effects (begun_at);
`;

/** What `pg` offers in Pool and PoolClient. */
export interface SqlRunner {
  query(
    sql: string,
    values?: unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

/** Creates the table where no migration did. */
export async function ensureEffectsTable(sql: SqlRunner): Promise<void> {
  // Two processes that create the same table at once collide in the catalogue even with `if not exists`; the lock belongs to the
  // implicit transaction that PostgreSQL makes of a query with several statements.
  await sql.query(`select pg_advisory_xact_lock(7164010533);${effectsTable}`);
}
