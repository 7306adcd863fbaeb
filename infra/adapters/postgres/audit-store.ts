// Reads the audit trail and walks its chain.
//
// Invariant: the hash of a row is computed here again from what the row holds, by other code than the trigger that wrote it, so that
// neither a changed row nor a changed function of the database passes. Surprise: gaps in the numbers are no fault (a write that was
// rolled back leaves one); a row that is gone shows in the hash that the next one names.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from './schema.ts';

export interface AuditFilter {
  readonly actor?: string;
  readonly verb?: string;
  readonly object?: string;
  /** Beginning of the object: `run/`. */
  readonly object_prefix?: string;
  readonly after?: Date;
  readonly before?: Date;
}

export interface AuditRow {
  readonly seq: number;
  readonly at: Date;
  readonly actor: string;
  readonly via: string | null;
  readonly ip: string | null;
  readonly verb: string;
  readonly object: string;
  readonly revision: number | null;
  readonly before_sha256: string | null;
  readonly after_sha256: string | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
  /** Hexadecimal. */
  readonly prev_hash: string;
  readonly hash: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  /** Rows that were looked at. */
  readonly rows: number;
  /** The first row that does not fit. content: it was changed; previous: the row before it was changed or is gone. */
  readonly broken: { readonly seq: number; readonly because: 'content' | 'previous' } | null;
  /** The last row that was looked at, to be kept elsewhere: a later look can be held against it. */
  readonly last: { readonly seq: number; readonly hash: string } | null;
}

export interface AuditStore {
  list(
    filter: AuditFilter,
    page: { readonly from?: number; readonly limit: number; readonly order: 'newest' | 'oldest' },
  ): Promise<AuditRow[]>;
  get(seq: number): Promise<AuditRow | null>;
  verify(): Promise<AuditVerdict>;
}

const start = Buffer.alloc(32);
const batch = 2_000;

export function createAuditStore(db: Db): AuditStore {
  const list: AuditStore['list'] = async (filter, { from, limit, order }) => {
    let query = db.selectFrom('audit').selectAll();
    for (const name of ['actor', 'verb', 'object'] as const) {
      const wanted = filter[name];
      if (wanted !== undefined) query = query.where(name, '=', wanted);
    }
    if (filter.object_prefix !== undefined)
      query = query.where(sql<boolean>`starts_with(object, ${filter.object_prefix})`);
    if (filter.after !== undefined) query = query.where('at', '>=', filter.after);
    if (filter.before !== undefined) query = query.where('at', '<', filter.before);
    if (from !== undefined) query = query.where('seq', order === 'newest' ? '<' : '>', String(from));
    const rows = await query
      .orderBy('seq', order === 'newest' ? 'desc' : 'asc')
      .limit(limit)
      .execute();
    return rows.map(({ seq, prev_hash, hash, ...row }) => ({
      seq: Number(seq),
      ...row,
      prev_hash: prev_hash.toString('hex'),
      hash: hash.toString('hex'),
    }));
  };
  return {
    list,
    async get(seq) {
      const [row] = await list({}, { from: seq - 1, limit: 1, order: 'oldest' });
      return row?.seq === seq ? row : null;
    },
    async verify() {
      let previous: Buffer = start;
      let last: AuditVerdict['last'] = null;
      let rows = 0;
      for (;;) {
        const part = await linksAfter(db, last?.seq ?? null);
        for (const link of part) {
          rows += 1;
          const { seq } = link;
          if (!link.prev_hash.equals(previous))
            return { ok: false, rows, broken: { seq, because: 'previous' }, last };
          if (!link.hash.equals(hashOf(link)))
            return { ok: false, rows, broken: { seq, because: 'content' }, last };
          previous = link.hash;
          last = { seq, hash: link.hash.toString('hex') };
        }
        if (part.length < batch) return { ok: true, rows, broken: null, last };
      }
    },
  };
}

interface Link {
  readonly seq: number;
  readonly fields: readonly (string | null)[];
  readonly prev_hash: Buffer;
  readonly hash: Buffer;
}

/** The fields as texts, in the order of audit_hash in 0009_audit_chain.sql. */
async function linksAfter(db: Db, seq: number | null): Promise<Link[]> {
  const { rows } = await sql<{ seq: string; fields: (string | null)[]; prev_hash: Buffer; hash: Buffer }>`
    select seq, prev_hash, hash, array[
      seq::text, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), actor, via, ip, verb, object,
      revision::text, before_sha256, after_sha256, detail::text] as fields
    from audit where seq > ${seq ?? -1} order by seq limit ${batch}`.execute(db);
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

function hashOf({ prev_hash, fields }: Link): Buffer {
  const hash = createHash('sha256').update(prev_hash);
  for (const field of fields) hash.update(field === null ? '-' : `${Buffer.byteLength(field)}:${field},`);
  return hash.digest();
}
