// History of actions: writes batches of results, answers searches by action and by command.
//
// Invariant: writing the same results again, in any order and any split into batches, gives the same rows. A row of
// `executions` shows the outcome of the highest rank, then the latest attempt.
import type { Result } from '@tocsin/schemas/types.ts';
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

export interface Execution {
  readonly [field: string]: unknown;
  readonly command_id: string;
  readonly created_at: Date;
}

export interface ExecutionPage {
  readonly action: string;
  readonly status?: string;
  /** Position after which to go on, newest first. */
  readonly before?: { readonly createdAt: Date; readonly commandId: string };
  readonly limit: number;
}

export interface HistoryStore {
  /** One transaction; resolves after its commit. */
  write(results: readonly Result[]): Promise<void>;
  list(page: ExecutionPage): Promise<Execution[]>;
  /** With its attempts in the order in which they began; null when unknown. */
  get(
    commandId: string,
  ): Promise<(Execution & { readonly attempts: readonly Record<string, unknown>[] }) | null>;
}

const hidden = new Set(['rank', 'action_id', 'rule_id']);

export function createHistoryStore(db: Db): HistoryStore {
  return {
    async write(results) {
      if (results.length === 0) return;
      const attempts = JSON.stringify(unique(results).map(attemptRow));
      const executions = JSON.stringify(newest(results).map(executionRow));
      await db.transaction().execute(async (transaction) => {
        await sql`
          insert into attempts
          select * from json_populate_recordset(null::attempts, ${attempts}::json)
          on conflict do nothing`.execute(transaction);
        await sql`
          insert into executions
          select * from json_populate_recordset(null::executions, ${executions}::json)
          on conflict (command_id) do update set
            status = excluded.status, final = excluded.final, rank = excluded.rank, attempt = excluded.attempt,
            code = excluded.code, status_code = excluded.status_code, detail = excluded.detail, ref = excluded.ref,
            output = excluded.output, warnings = excluded.warnings, next_attempt_at = excluded.next_attempt_at,
            possible_duplicate = executions.possible_duplicate or excluded.possible_duplicate,
            connection = excluded.connection, rows = excluded.rows, skipped_rows = excluded.skipped_rows,
            started_at = excluded.started_at, finished_at = excluded.finished_at
          where (excluded.rank, excluded.attempt, excluded.finished_at)
              >= (executions.rank, executions.attempt, executions.finished_at)`.execute(transaction);
        // Apart from the update above, which an older result does not reach.
        const doubtful = results
          .filter((result) => result.possible_duplicate)
          .map((result) => result.command_id);
        if (doubtful.length > 0)
          await sql`
            update executions set possible_duplicate = true
            where command_id = any(${doubtful}) and not possible_duplicate`.execute(transaction);
      });
    },
    async list(page) {
      let query = db.selectFrom('executions').selectAll().where('action_id', '=', page.action);
      if (page.status !== undefined) query = query.where('status', '=', page.status);
      if (page.before !== undefined) {
        const { createdAt, commandId } = page.before;
        query = query.where(sql<boolean>`(created_at, command_id) < (${createdAt}, ${commandId})`);
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('command_id', 'desc')
        .limit(page.limit)
        .execute();
      return rows.map((row) => visible(row) as unknown as Execution);
    },
    async get(commandId) {
      const row = await db
        .selectFrom('executions')
        .selectAll()
        .where('command_id', '=', commandId)
        .executeTakeFirst();
      if (row === undefined) return null;
      const attempts = await db
        .selectFrom('attempts')
        .selectAll()
        .where('command_id', '=', commandId)
        .orderBy('started_at')
        .orderBy('attempt')
        .orderBy('finished_at')
        .limit(1_000)
        .execute();
      const own = attempts.map(({ command_id: _, ...attempt }) => visible(attempt));
      return { ...(visible(row) as unknown as Execution), attempts: own };
    },
  };
}

function visible(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).filter(([name, value]) => value !== null && !hidden.has(name)),
  );
}

function rankOf(result: Result): number {
  if (result.status === 'suppressed') return 1;
  return result.final ? 2 : 0;
}

// The order of the SQL above, for results of one batch: an insert must not name a row twice.
function supersedes(a: Result, b: Result): boolean {
  const left = [rankOf(a), a.attempt, a.finished_at];
  const right = [rankOf(b), b.attempt, b.finished_at];
  for (const [index, value] of left.entries()) if (value !== right[index]) return value > right[index]!;
  return true;
}

function newest(results: readonly Result[]): Result[] {
  const kept = new Map<string, Result>();
  for (const result of results) {
    const other = kept.get(result.command_id);
    if (other === undefined || supersedes(result, other)) kept.set(result.command_id, result);
  }
  // One order for all writers: two transactions that lock the same rows never wait for each other in a circle.
  return [...kept.values()].sort((a, b) => (a.command_id < b.command_id ? -1 : 1));
}

function unique(results: readonly Result[]): Result[] {
  const kept = new Map<string, Result>();
  for (const result of results) {
    const key = `${result.command_id} ${result.attempt} ${result.status} ${result.started_at}`;
    if (!kept.has(key)) kept.set(key, result);
  }
  return [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, result]) => result);
}

// A value beyond what a column holds is cut to its limit, as for times: a wrong number must not cost the history.
function whole(value: number | undefined): number | null {
  return value === undefined ? null : Math.min(Math.max(value, -0x8000_0000), 0x7fff_ffff);
}

function attemptRow(result: Result): Record<string, unknown> {
  return {
    command_id: result.command_id,
    attempt: whole(result.attempt),
    status: result.status,
    final: result.final,
    code: storable(result.code ?? null),
    status_code: whole(result.status_code),
    detail: storable(result.detail ?? null),
    ref: storable(result.ref ?? null),
    output: storable(result.output ?? null),
    warnings: storable(result.warnings ?? null),
    possible_duplicate: result.possible_duplicate ?? false,
    next_attempt_at: time(result.next_attempt_at),
    started_at: time(result.started_at),
    finished_at: time(result.finished_at),
  };
}

// A redelivery is answered from the ledger, with the outcome in it. When the worker died between ledger and log this is
// the only record of how the command ended; any result of its own replaces it (rank).
function endOf(result: Result): Result['status'] {
  if (result.status !== 'suppressed') return result.status;
  return result.code === undefined ? 'succeeded' : 'failed';
}

function executionRow(result: Result): Record<string, unknown> {
  return {
    ...attemptRow(result),
    status: endOf(result),
    tenant: storable(result.tenant ?? null),
    type: storable(result.type),
    action_id: storable(String(result.action.id ?? '')),
    action: storable(result.action),
    rule_id: result.rule === undefined ? null : storable(String(result.rule.id ?? '')),
    rule: storable(result.rule ?? null),
    source: storable(result.source),
    trigger: result.trigger,
    connection: storable(result.connection ?? null),
    mode: result.mode,
    row_index: String(result.row_index),
    rows: whole(result.rows),
    skipped_rows: whole(result.skipped_rows),
    rank: rankOf(result),
    created_at: time(result.created_at),
  };
}
