// Searches in the projection of runs: which runs there are, what one of them has done, and what became of a decision.
import { learntOfRun } from '@tocsin/topologies/domain/playbooks/projection-rows.ts';
import type { SelectQueryBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Database, Db } from './schema.ts';

/** What to look for; everything that is given must hold. */
export interface RunFilter {
  readonly playbook?: string;
  readonly status?: readonly string[];
  /** Id or name. */
  readonly asset?: string;
  /** Id or fingerprint. */
  readonly finding?: string;
  readonly tag?: string;
  readonly severity?: string;
  readonly started_by?: string;
  readonly started_after?: Date;
  readonly started_before?: Date;
  readonly waiting_on?: string;
  readonly paused?: boolean;
  readonly dry_run?: boolean;
  /** Runs that are not over. */
  readonly live?: boolean;
  /** Part of key, title, asset, fingerprint or finding id; case does not matter. */
  readonly q?: string;
}

export interface RunPosition {
  readonly startedAt: Date;
  readonly key: string;
  readonly number: number;
}

export type RunRecord = Readonly<Record<string, unknown>> & {
  readonly key: string;
  readonly number: number;
  readonly version: number;
  readonly status: string;
  readonly started_at: Date;
  readonly ended_at: Date | null;
};

export type ChangeRecord = Readonly<Record<string, unknown>> & {
  readonly number: number;
  readonly version: number;
  readonly input_offset: number;
  readonly seq: number;
};

export interface ChangePosition {
  readonly version: number;
  readonly offset: number;
  readonly seq: number;
}

export interface RunSearch {
  /** Newest first; without their states. */
  list(
    filter: RunFilter,
    page: { readonly before?: RunPosition; readonly limit: number },
  ): Promise<RunRecord[]>;
  /** The newest of the key unless a number is given; null when there is none. */
  get(key: string, number?: number): Promise<RunRecord | null>;
  /** Numbers of the runs of a key, newest first, at most 100. */
  numbers(key: string): Promise<number[]>;
  /** In the order in which they happened. Number 0 has the inputs that met no run. */
  changes(
    key: string,
    number: number,
    page: { readonly after?: ChangePosition; readonly limit: number },
  ): Promise<ChangeRecord[]>;
  /** What became of a decision; null while nothing is known of it. */
  decision(decisionId: string): Promise<{ readonly status: string; readonly reason: string | null } | null>;
}

const listed = [
  'key',
  'number',
  'version',
  'playbook',
  'revision',
  'status',
  'paused',
  'dry_run',
  'started_by',
  'tenant',
  ...learntOfRun,
  'waiting_on',
  'waiting',
  'reason',
  'started_at',
  'ended_at',
  'changed_at',
] as const;

export function createRunSearch(db: Db): RunSearch {
  return {
    async list(filter, { before, limit }) {
      let query = matching(db.selectFrom('runs'), filter).select(listed);
      if (before !== undefined)
        query = query.where(
          sql<boolean>`(started_at, key, number) < (${before.startedAt}, ${before.key}, ${before.number})`,
        );
      const rows = await query
        .orderBy('started_at', 'desc')
        .orderBy('key', 'desc')
        .orderBy('number', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toRun);
    },
    async get(key, number) {
      let query = db.selectFrom('runs').selectAll().where('key', '=', key);
      if (number !== undefined) query = query.where('number', '=', String(number));
      const row = await query.orderBy('number', 'desc').limit(1).executeTakeFirst();
      return row === undefined ? null : toRun(row);
    },
    async numbers(key) {
      const rows = await db
        .selectFrom('runs')
        .select('number')
        .where('key', '=', key)
        .orderBy('number', 'desc')
        .limit(100)
        .execute();
      return rows.map((row) => Number(row.number));
    },
    async changes(key, number, { after, limit }) {
      let query = db
        .selectFrom('run_changes')
        .selectAll()
        .where('key', '=', key)
        .where('number', '=', String(number));
      if (after !== undefined)
        query = query.where(
          sql<boolean>`(version, input_offset, seq) > (${after.version}, ${after.offset}, ${after.seq})`,
        );
      const rows = await query
        .orderBy('version')
        .orderBy('input_offset')
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map(({ key: _, number: run, version, input_offset, ...row }) => ({
        number: Number(run),
        version: Number(version),
        input_offset: Number(input_offset),
        ...row,
      }));
    },
    async decision(decisionId) {
      const row = await db
        .selectFrom('run_changes')
        .select(['what', 'status', 'facts'])
        .where('decision_id', '=', decisionId)
        // Whoever sends a decision twice wants to know that it has counted.
        .orderBy(sql`status is not distinct from 'counted'`, 'desc')
        .limit(1)
        .executeTakeFirst();
      if (row === undefined) return null;
      const { reason } = row.facts;
      return {
        status: row.what === 'vote' ? (row.status ?? 'ignored') : 'ignored',
        reason: typeof reason === 'string' ? reason : null,
      };
    },
  };
}

function toRun(row: {
  key: string;
  number: string;
  version: string;
  status: string;
  started_at: Date;
  ended_at: Date | null;
}): RunRecord {
  return { ...row, number: Number(row.number), version: Number(row.version) };
}

function matching<O>(
  from: SelectQueryBuilder<Database, 'runs', O>,
  filter: RunFilter,
): SelectQueryBuilder<Database, 'runs', O> {
  let query = from;
  const { asset, finding, tag, q, live } = filter;
  for (const name of ['playbook', 'severity', 'started_by', 'paused', 'dry_run'] as const) {
    const wanted = filter[name];
    if (wanted !== undefined) query = query.where(name, '=', wanted);
  }
  if (filter.status !== undefined) query = query.where('status', 'in', filter.status);
  if (asset !== undefined)
    query = query.where((one) => one.or([one('asset_id', '=', asset), one('asset_name', '=', asset)]));
  if (finding !== undefined)
    query = query.where((one) => one.or([one('finding_id', '=', finding), one('fingerprint', '=', finding)]));
  if (tag !== undefined) query = query.where(sql<boolean>`tags @> array[${tag}]::text[]`);
  if (filter.waiting_on !== undefined)
    query = query.where(sql<boolean>`waiting_on @> array[${filter.waiting_on}]::text[]`);
  if (filter.started_after !== undefined) query = query.where('started_at', '>=', filter.started_after);
  if (filter.started_before !== undefined) query = query.where('started_at', '<', filter.started_before);
  if (live !== undefined) query = query.where('ended_at', live ? 'is' : 'is not', null);
  if (q !== undefined) {
    const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`;
    query = query.where(
      sql<boolean>`concat_ws(' ', key, title, asset_id, asset_name, fingerprint, finding_id) ilike ${pattern}`,
    );
  }
  return query;
}
