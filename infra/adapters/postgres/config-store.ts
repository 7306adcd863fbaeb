// The home of configuration: immutable revisions, one head per document, written together with outbox and audit rows.
//
// Invariant: a write is one transaction under one lock, so revisions of a document follow each other without gaps, a
// reference that was checked stays valid, and the order of the outbox is the order of the commits.
// Surprise: a deletion is a revision too (document null); a document that comes back goes on counting.
import { createHash } from 'node:crypto';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { ConfigRecord, Playbook } from '@tocsin/schemas/types.ts';
import type { ActionGrant } from '@tocsin/topologies/domain/action/grants.ts';
import { type ConfigKind, configKey } from '@tocsin/topologies/domain/config/config-table.ts';
import { sql } from 'kysely';
import { type Actor, authorize, type Resource } from './access.ts';
import { publishedHeads, publishVersion } from './publish-version.ts';
import { findReferences, heads, type Reference } from './references.ts';
import type { Db, Transaction } from './schema.ts';

export type Kind = ConfigKind;
export type Document = Readonly<Record<string, unknown>> & { readonly kind: Kind; readonly id: string };

export interface StoredDocument {
  readonly revision: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
  readonly document: Document;
}

export interface Revision {
  readonly revision: number;
  readonly createdAt: Date;
  readonly createdBy: string;
  /** Null: this revision deleted the document. */
  readonly document: Document | null;
}

/** What the document is now does not allow the write. */
export class ConfigConflict extends Error {
  override readonly name = 'ConfigConflict';
  readonly code: 'exists' | 'not_found' | 'stale' | 'referenced';
  readonly references: readonly Reference[];
  constructor(code: ConfigConflict['code'], message: string, references: readonly Reference[] = []) {
    super(message);
    this.code = code;
    this.references = references;
  }
}

export const resourceOf: Record<Kind, Resource> = {
  rule: 'rules',
  action: 'actions',
  connection: 'connections',
  sink: 'sinks',
  list: 'lists',
  playbook: 'playbooks',
};

/** Inside one write transaction. */
export interface ConfigWriter {
  readonly transaction: Transaction;
  get(kind: Kind, id: string): Promise<StoredDocument | null>;
  /** Revisions of these playbooks as they are now, those that are published. */
  published(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /**
   * `expected`: the revision that must be current; 'absent' to create; undefined for whatever is there. `grants`: what the document
   * needs for privileged action types; without them its commands of these types are denied.
   */
  put(
    document: Document,
    expected?: number | 'absent',
    grants?: readonly ActionGrant[],
  ): Promise<StoredDocument>;
  /** Refused with `referenced` while another document names it. */
  remove(kind: Kind, id: string, expected?: number): Promise<void>;
  /** Adds a line to the audit trail and the audit topic; in here for writes that are not documents. */
  audit(entry: AuditEntry): Promise<void>;
}

export interface AuditEntry {
  readonly verb: string;
  /** `<kind>/<id>`. */
  readonly object: string;
  readonly revision?: number;
  readonly before?: string | null;
  readonly after?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface ConfigStore {
  /** Everything that `work` does commits together; a throw rolls it back. Writers wait for each other. */
  write<T>(actor: Actor, work: (writer: ConfigWriter) => Promise<T>): Promise<T>;
  get(kind: Kind, id: string): Promise<StoredDocument | null>;
  /** Living documents by id, after `after`, at most `limit`. */
  list(kind: Kind, page: { readonly after?: string; readonly limit: number }): Promise<StoredDocument[]>;
  /** Newest first, below `before`; empty when the document never was. */
  revisions(
    kind: Kind,
    id: string,
    page: { readonly before?: number; readonly limit: number },
  ): Promise<Revision[]>;
}

const lockId = 3_853_314_791;

export function createConfigStore(db: Db): ConfigStore {
  return {
    write: (actor, work) =>
      db.transaction().execute(async (transaction) => {
        await sql`select pg_advisory_xact_lock(${sql.lit(lockId)})`.execute(transaction);
        return work(createWriter(transaction, actor));
      }),
    get: (kind, id) => readHead(db, kind, id),
    async list(kind, page) {
      const rows = await heads(db)
        .where('h.kind', '=', kind)
        .where('h.deleted', '=', false)
        .where('h.id', '>', page.after ?? '')
        .orderBy('h.id')
        .limit(page.limit)
        .execute();
      return rows.map(toStored);
    },
    async revisions(kind, id, page) {
      let query = db.selectFrom('config_revisions').selectAll().where('kind', '=', kind).where('id', '=', id);
      if (page.before !== undefined) query = query.where('revision', '<', page.before);
      const rows = await query.orderBy('revision', 'desc').limit(page.limit).execute();
      return rows.map((row) => ({
        revision: row.revision,
        createdAt: row.created_at,
        createdBy: row.created_by,
        document: row.document as Document | null,
      }));
    },
  };
}

function toStored(row: {
  revision: number;
  document: unknown;
  created_at: Date;
  created_by: string;
}): StoredDocument {
  return {
    revision: row.revision,
    updatedAt: row.created_at,
    updatedBy: row.created_by,
    document: row.document as Document,
  };
}

async function readHead(db: Db, kind: Kind, id: string): Promise<StoredDocument | null> {
  const row = await heads(db).where('h.kind', '=', kind).where('h.id', '=', id).executeTakeFirst();
  return row === undefined || row.deleted ? null : toStored(row);
}

function createWriter(transaction: Transaction, actor: Actor): ConfigWriter {
  const get = (kind: Kind, id: string) => readHead(transaction, kind, id);

  async function append(
    kind: Kind,
    id: string,
    document: Document | null,
    grants: readonly ActionGrant[] = [],
  ): Promise<StoredDocument> {
    const before = await get(kind, id);
    const head = await transaction
      .selectFrom('config_heads')
      .select('revision')
      .where('kind', '=', kind)
      .where('id', '=', id)
      .executeTakeFirst();
    const revision = (head?.revision ?? 0) + 1;
    const text = document === null ? null : JSON.stringify(document);
    const { created_at } = await transaction
      .insertInto('config_revisions')
      .values({ kind, id, revision, document: text, created_by: actor.id })
      .returning('created_at')
      .executeTakeFirstOrThrow();
    await transaction
      .insertInto('config_heads')
      .values({ kind, id, revision, deleted: document === null })
      .onConflict((conflict) =>
        conflict.columns(['kind', 'id']).doUpdateSet({ revision, deleted: document === null }),
      )
      .execute();
    if (kind === 'playbook' && document !== null) {
      const playbook = document as unknown as Playbook;
      const saved = { document: playbook, revision, by: actor.id, at: created_at.getTime(), grants };
      const { issues } = await publishVersion(transaction, saved, (action) => get('action', action));
      // It would start runs whose version nobody has.
      if (issues.length > 0 && playbook.enabled !== false)
        throw new Error(`playbook ${id} cannot be published: ${formatIssues(issues)}`);
    }
    const record: ConfigRecord | null =
      document === null
        ? null
        : {
            v: 1,
            revision,
            updated_at: created_at.getTime(),
            updated_by: actor.id,
            ...(grants.length === 0 ? {} : { grants: [...grants] }),
            document,
          };
    await transaction
      .insertInto('outbox')
      .values({
        topic: 'config',
        key: configKey(kind, id),
        value: record === null ? null : JSON.stringify(record),
      })
      .execute();
    await audit({
      verb: document === null ? 'delete' : before === null ? 'create' : 'update',
      object: configKey(kind, id),
      revision,
      before: before === null ? null : digest(before.document),
      after: document === null ? null : digest(document),
    });
    return { revision, updatedAt: created_at, updatedBy: actor.id, document: document as Document };
  }

  async function audit(entry: AuditEntry): Promise<void> {
    const row = await transaction
      .insertInto('audit')
      .values({
        actor: actor.id,
        ip: actor.ip ?? null,
        via: actor.via ?? null,
        verb: entry.verb,
        object: entry.object,
        revision: entry.revision ?? null,
        before_sha256: entry.before ?? null,
        after_sha256: entry.after ?? null,
        detail: entry.detail === undefined ? null : JSON.stringify(entry.detail),
      })
      .returning(['seq', 'at', 'hash'])
      .executeTakeFirstOrThrow();
    const value = {
      v: 1,
      seq: Number(row.seq),
      at: row.at.getTime(),
      actor: actor.id,
      ip: actor.ip ?? null,
      via: actor.via ?? null,
      ...entry,
      // Of the row in the chain: with it here, a chain that was made anew is found out.
      hash: row.hash.toString('hex'),
    };
    await transaction
      .insertInto('outbox')
      .values({ topic: 'audit', key: entry.object, value: JSON.stringify(value) })
      .execute();
  }

  return {
    transaction,
    get,
    published: (ids) => publishedHeads(transaction, ids),
    audit,
    async put(document, expected, grants = []) {
      const { kind, id } = document;
      authorize(actor, `write:${resourceOf[kind]}`);
      for (const grant of grants) authorize(actor, grant);
      const current = await get(kind, id);
      if (expected === 'absent' && current !== null)
        throw new ConfigConflict('exists', `${kind} ${id} exists already`);
      if (typeof expected === 'number') checkExpected(current, expected, kind, id);
      return append(kind, id, document, grants);
    },
    async remove(kind, id, expected) {
      authorize(actor, `write:${resourceOf[kind]}`);
      const current = await get(kind, id);
      if (current === null) throw new ConfigConflict('not_found', `no ${kind} ${id}`);
      if (expected !== undefined) checkExpected(current, expected, kind, id);
      const references = await findReferences(transaction, kind, id);
      if (references.length > 0) {
        const names = references.map((reference) => configKey(reference.kind, reference.id)).join(', ');
        throw new ConfigConflict('referenced', `${kind} ${id} is used by ${names}`, references);
      }
      await append(kind, id, null);
    },
  };
}

function checkExpected(current: StoredDocument | null, expected: number, kind: Kind, id: string): void {
  if (current === null) throw new ConfigConflict('not_found', `no ${kind} ${id}`);
  if (current.revision !== expected)
    throw new ConfigConflict('stale', `${kind} ${id} is at revision ${current.revision}, not ${expected}`);
}

function digest(document: Document): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}
