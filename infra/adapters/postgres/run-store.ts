// Writes what the changelog of runs tells: rows of runs, of their history and of approval gates, one transaction per batch.
//
// Invariant: writing the same rows again, or older ones, changes nothing. Rows come in the order of the log for each run.
import {
  learntOfApproval,
  learntOfRun,
  newestRows,
  type RunRows,
} from '@tocsin/topologies/domain/playbooks/projection-rows.ts';
import { sql } from 'kysely';
import type { Db, Transaction } from './schema.ts';
import { storable, time } from './text.ts';

export interface RunStore {
  /** One transaction; resolves after its commit. */
  write(rows: readonly RunRows[]): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;

export function createRunStore(db: Db): RunStore {
  return {
    async write(rows) {
      if (rows.length === 0) return;
      const runs = newestRows(
        rows.flatMap((one) => one.runs),
        (row) => `${row.key}\n${row.number}`,
        learntOfRun,
      );
      const approvals = newestRows(
        rows.flatMap((one) => one.approvals),
        (row) => row.id,
        learntOfApproval,
      );
      const endings = rows.flatMap((one) => one.endings);
      const changes = rows.flatMap((one) => one.changes);
      const closings = rows.flatMap((one) => one.approvalEndings);
      await db.transaction().execute(async (transaction) => {
        await upsertRuns(transaction, runs);
        if (endings.length > 0) await endRuns(transaction, endings);
        await appendChanges(transaction, changes);
        if (approvals.length > 0) await upsertApprovals(transaction, approvals);
        if (closings.length > 0) await closeApprovals(transaction, closings);
      });
    },
  };
}

const timeColumns = ['started_at', 'ended_at', 'changed_at', 'at', 'opened_at', 'until', 'closed_at'];

/** Rows as JSON text for json_populate_recordset. */
function recordset(rows: readonly object[]): string {
  return JSON.stringify(
    rows.map((row) => {
      const fields = storable(row) as Fields;
      const times = timeColumns.flatMap((name) =>
        name in fields ? [[name, time(fields[name] as number | null)]] : [],
      );
      return { ...fields, ...Object.fromEntries(times) };
    }),
  );
}

/** `column = coalesce(new, old)` for each of them. */
function keep(table: string, columns: readonly string[]) {
  return sql.join(
    columns.map(
      (name) =>
        sql`${sql.ref(name)} = coalesce(${sql.ref(`excluded.${name}`)}, ${sql.ref(`${table}.${name}`)})`,
    ),
  );
}

async function upsertRuns(transaction: Transaction, rows: readonly object[]): Promise<void> {
  await sql`
    insert into runs
    select * from json_populate_recordset(null::runs, ${recordset(rows)}::json)
    on conflict (key, number) do update set
      version = excluded.version, status = excluded.status, paused = excluded.paused,
      waiting_on = excluded.waiting_on, waiting = excluded.waiting, reason = excluded.reason,
      ended_at = excluded.ended_at, changed_at = excluded.changed_at, state = excluded.state,
      ${keep('runs', learntOfRun)}
    where runs.version < excluded.version`.execute(transaction);
}

async function endRuns(transaction: Transaction, rows: readonly object[]): Promise<void> {
  await sql`
    update runs set
      version = e.version, status = e.status, reason = e.reason, ended_at = e.ended_at, changed_at = e.ended_at,
      paused = false, waiting_on = '{}', waiting = '[]', state = null
    from json_to_recordset(${recordset(rows)}::json)
      as e(key text, number bigint, version bigint, status text, reason text, ended_at timestamptz)
    where runs.key = e.key and runs.number = e.number and runs.version < e.version`.execute(transaction);
}

async function appendChanges(transaction: Transaction, rows: readonly object[]): Promise<void> {
  await sql`
    insert into run_changes
    select * from json_populate_recordset(null::run_changes, ${recordset(rows)}::json)
    on conflict do nothing`.execute(transaction);
}

async function upsertApprovals(transaction: Transaction, rows: readonly object[]): Promise<void> {
  const open = rows.map((row) => ({ ...row, status: 'open' }));
  await sql`
    insert into approvals
    select * from json_populate_recordset(null::approvals, ${recordset(open)}::json)
    on conflict (id) do update set
      version = excluded.version, added = excluded.added, delegates = excluded.delegates, votes = excluded.votes,
      digest = excluded.digest, until = excluded.until,
      ${keep('approvals', learntOfApproval)}
    where approvals.version < excluded.version and approvals.status = 'open'`.execute(transaction);
}

/** Those of one place first: the end of a run closes only what nothing else has closed. */
async function closeApprovals(
  transaction: Transaction,
  rows: readonly { readonly place: string | null }[],
): Promise<void> {
  for (const part of [rows.filter((row) => row.place !== null), rows.filter((row) => row.place === null)]) {
    if (part.length === 0) continue;
    await sql`
      update approvals set status = c.status, closed_at = c.closed_at, version = c.version
      from (
        -- The first that came after the gate was opened: a later one is that of a later gate at the same place.
        select distinct on (a.id) a.id, c.version, c.status, c.closed_at
        from approvals a
        join json_to_recordset(${recordset(part)}::json)
          as c(key text, number bigint, version bigint, place text, status text, closed_at timestamptz)
          on a.key = c.key and a.number = c.number and (c.place is null or c.place = a.place)
        where a.status = 'open' and a.version < c.version
        order by a.id, c.version
      ) c
      where approvals.id = c.id`.execute(transaction);
  }
}
