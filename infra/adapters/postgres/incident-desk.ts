// Incidents as people work on them: searches, one incident, its history, and changes.
//
// Invariant: a change locks its incident, is decided on what it is then, and adds one line of history with the next version; the
// numbers have no gaps. What changes nothing adds none.
import type { Json } from '@tocsin/topologies/domain/action/outcome.ts';
import { type Change, decideChange, type FieldChange } from '@tocsin/topologies/domain/incident/change.ts';
import type { NewIncident } from '@tocsin/topologies/domain/incident/incident.ts';
import { nextOf } from '@tocsin/topologies/domain/incident/workflow.ts';
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { publishEvents } from './record-once.ts';
import type { Database, Db, Transaction } from './schema.ts';
import { storable } from './text.ts';

export interface IncidentFilter {
  readonly status?: string;
  readonly severity?: string;
  /** Null: nobody. */
  readonly assignee?: string | null;
  readonly rule?: string;
  /** Value by which the inventory finds its object. */
  readonly asset?: string;
  readonly open?: boolean;
  readonly created_after?: Date;
  readonly created_before?: Date;
  /** Part of title or id; case does not matter. */
  readonly q?: string;
}

export interface IncidentPosition {
  readonly createdAt: Date;
  readonly id: string;
}

export type IncidentRecord = Omit<NewIncident, 'created_at'> & {
  readonly version: number;
  readonly closed: boolean;
  readonly created_at: Date;
  readonly changed_at: Date;
  readonly closed_at: Date | null;
};

export type ListedIncident = Pick<
  IncidentRecord,
  | 'id'
  | 'version'
  | 'tenant'
  | 'title'
  | 'severity'
  | 'status'
  | 'closed'
  | 'assignee'
  | 'index_suffix'
  | 'rule'
  | 'created_at'
  | 'changed_at'
  | 'closed_at'
>;

export interface HistoryLine {
  readonly version: number;
  readonly at: Date;
  readonly actor: string;
  readonly verb: string;
  readonly comment: string | null;
  readonly changes: readonly FieldChange[];
}

/** Why an incident cannot be changed so. */
export class IncidentRefused extends Error {
  override readonly name = 'IncidentRefused';
  readonly code: 'not_found' | 'stale' | 'conflict' | 'invalid';
  /** JSON Pointer into the request. */
  readonly path: string;
  constructor(code: IncidentRefused['code'], message: string, path = '') {
    super(message);
    this.code = code;
    this.path = path;
  }
}

export interface IncidentDesk {
  /** Newest first. */
  list(
    filter: IncidentFilter,
    page: { readonly before?: IncidentPosition; readonly limit: number },
  ): Promise<ListedIncident[]>;
  get(id: string): Promise<IncidentRecord | null>;
  /** Oldest first, after a version. */
  history(id: string, page: { readonly after?: number; readonly limit: number }): Promise<HistoryLine[]>;
}

const listed = [
  'id',
  'version',
  'tenant',
  'title',
  'severity',
  'status',
  'closed',
  'assignee',
  'index_suffix',
  'rule',
  'created_at',
  'changed_at',
  'closed_at',
] as const;

export function createIncidentDesk(db: Db): IncidentDesk {
  return {
    async list(filter, { before, limit }) {
      let query = db.selectFrom('incidents').select(listed);
      for (const name of ['status', 'severity'] as const) {
        const wanted = filter[name];
        if (wanted !== undefined) query = query.where(name, '=', wanted);
      }
      const { assignee, rule, asset, open, created_after, created_before, q } = filter;
      if (assignee === null) query = query.where('assignee', 'is', null);
      else if (assignee !== undefined) query = query.where('assignee', '=', assignee);
      if (rule !== undefined) query = query.where('rule_id', '=', rule);
      if (asset !== undefined) query = query.where(sql<boolean>`assets @> array[${asset}]::text[]`);
      if (open !== undefined) query = query.where('closed', '=', !open);
      if (created_after !== undefined) query = query.where('created_at', '>=', created_after);
      if (created_before !== undefined) query = query.where('created_at', '<', created_before);
      if (q !== undefined) {
        const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`;
        query = query.where(sql<boolean>`concat_ws(' ', id, title) ilike ${pattern}`);
      }
      if (before !== undefined)
        query = query.where(sql<boolean>`(created_at, id) < (${before.createdAt}, ${before.id})`);
      const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows as unknown as ListedIncident[];
    },
    async get(id) {
      const row = await db.selectFrom('incidents').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toIncident(row);
    },
    async history(id, { after = 0, limit }) {
      const rows = await db
        .selectFrom('incident_history')
        .select(['version', 'at', 'actor', 'verb', 'comment', 'changes'])
        .where('incident_id', '=', id)
        .where('version', '>', after)
        .orderBy('version')
        .limit(limit)
        .execute();
      return rows as unknown as HistoryLine[];
    },
  };
}

function toIncident(row: Selectable<Database['incidents']>): IncidentRecord {
  const { rule_id: _, assets: __, made: ___, ...incident } = row;
  return incident as unknown as IncidentRecord;
}

export interface ChangeRequest {
  readonly id: string;
  /** `user:<name>` or `key:<id>`. */
  readonly actor: string;
  readonly change: Change;
  readonly comment?: string;
  /** The version that was read; without it whatever is there. */
  readonly expected?: number;
}

export interface AppliedChange {
  readonly incident: IncidentRecord;
  /** Empty: a comment alone, or nothing changed. */
  readonly changes: readonly FieldChange[];
  /** A line was added to the history. */
  readonly added: boolean;
}

/** Changes an incident inside a transaction, history and event with it. Throws IncidentRefused. */
export async function changeIncident(
  transaction: Transaction,
  { id, actor, change, comment, expected }: ChangeRequest,
): Promise<AppliedChange> {
  const row = await transaction
    .selectFrom('incidents')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new IncidentRefused('not_found', `no incident ${id}`);
  const before = toIncident(row);
  if (expected !== undefined && before.version !== expected)
    throw new IncidentRefused('stale', `incident ${id} is at version ${before.version}, not ${expected}`);
  const decided = decideChange(before, storable(change));
  if ('refused' in decided) throw new IncidentRefused(decided.refused, decided.message, decided.path);
  const { changes, next } = decided;
  if (changes.length === 0 && comment === undefined) return { incident: before, changes, added: false };
  const version = before.version + 1;
  const { fields, additional_fields, ...plain } = next;
  const status = next.status ?? before.status;
  const closed = before.workflow.closed.includes(status);
  const updated = await transaction
    .updateTable('incidents')
    .set({
      ...plain,
      ...(fields === undefined ? {} : { fields: JSON.stringify(fields) }),
      ...(additional_fields === undefined ? {} : { additional_fields: JSON.stringify(additional_fields) }),
      version,
      changed_at: sql<Date>`clock_timestamp()`,
      closed,
      ...(closed === before.closed ? {} : { closed_at: closed ? sql<Date>`clock_timestamp()` : null }),
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const incident = toIncident(updated);
  await transaction
    .insertInto('incident_history')
    .values({
      incident_id: id,
      version,
      actor,
      verb: change.verb,
      comment: comment === undefined ? null : storable(comment),
      changes: JSON.stringify(changes),
    })
    .execute();
  await publishEvents(transaction, [
    { key: id, value: changedEvent(incident, { actor, verb: change.verb, changes }) },
  ]);
  return { incident, changes, added: true };
}

/** Without comment and description: events go to every sink. */
function changedEvent(
  incident: IncidentRecord,
  {
    actor,
    verb,
    changes,
  }: { readonly actor: string; readonly verb: string; readonly changes: readonly FieldChange[] },
): string {
  const shown = changes.map(
    (one): Record<string, Json> => (one.field === 'description' ? { field: one.field } : { ...one }),
  );
  return JSON.stringify({
    id: `${incident.id}.${incident.version}`,
    event: 'incident.changed',
    timestamp: incident.changed_at.toISOString(),
    ...(incident.tenant === null ? {} : { tenant: incident.tenant }),
    data: {
      incident_id: incident.id,
      version: incident.version,
      verb,
      by: actor,
      changes: shown,
      title: incident.title,
      severity: incident.severity,
      status: incident.status,
      closed: incident.closed,
      assignee: incident.assignee,
      ...(incident.rule === null ? {} : { rule_id: incident.rule.id }),
    },
  });
}

/** Statuses that may follow that of the incident. */
export function nextStatuses({ workflow, status }: IncidentRecord): readonly string[] {
  return nextOf(workflow, status);
}
