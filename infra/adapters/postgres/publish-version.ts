// The version of a playbook that is being saved: pins what it names as it is in this transaction and hands it to the outbox.
//
// Invariant: the outbox has the version before the revision itself, so that whoever sees the revision finds its version published.
import type { ActionConfig, Playbook, PlaybookVersion } from '@tocsin/schemas/types.ts';
import {
  type BuiltVersion,
  namedByPlaybook,
  versionOf,
} from '@tocsin/topologies/domain/playbooks/version-of.ts';
import type { Db, Transaction } from './schema.ts';

/** Head revisions of these playbooks, those whose head is published. */
export async function publishedHeads(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('config_heads as h')
    .innerJoin('playbook_versions as v', (join) =>
      join.onRef('v.id', '=', 'h.id').onRef('v.revision', '=', 'h.revision'),
    )
    .select(['h.id', 'h.revision'])
    .where('h.kind', '=', 'playbook')
    .where('h.deleted', '=', false)
    .where('h.id', 'in', [...ids])
    .execute();
  return new Map(rows.map(({ id, revision }) => [id, revision]));
}

/** The revision that a run would start with; null when there is none, or the newest one is a draft. */
export async function publishedHead(db: Db, id: string): Promise<{ readonly revision: number } | null> {
  const revision = (await publishedHeads(db, [id])).get(id);
  return revision === undefined ? null : { revision };
}

/** One published revision; null when there is none. */
export async function publishedVersion(
  db: Db,
  id: string,
  revision: number,
): Promise<PlaybookVersion | null> {
  const row = await db
    .selectFrom('playbook_versions')
    .select('version')
    .where('id', '=', id)
    .where('revision', '=', revision)
    .executeTakeFirst();
  return row === undefined ? null : (row.version as unknown as PlaybookVersion);
}

export interface SavedPlaybook {
  readonly document: Playbook;
  readonly revision: number;
  readonly by: string;
  /** Epoch ms. */
  readonly at: number;
  /** Of `by`, for the privileged action types of its steps. */
  readonly grants: readonly string[];
}

/** Writes nothing when the revision names what does not exist; the answer says what. */
export async function publishVersion(
  transaction: Transaction,
  { document, revision, by, at, grants }: SavedPlaybook,
  action: (id: string) => Promise<{ readonly revision: number; readonly document: unknown } | null>,
): Promise<BuiltVersion> {
  const named = namedByPlaybook(document);
  const actions = new Map<string, { document: ActionConfig; revision: number }>();
  for (const id of named.actions) {
    const held = await action(id);
    if (held !== null) actions.set(id, { document: held.document as ActionConfig, revision: held.revision });
  }
  const built = versionOf({
    document,
    revision,
    actions,
    playbooks: await publishedHeads(transaction, named.playbooks),
    published: { by, at },
    grants,
  });
  if (built.version === null) return built;
  const { id } = document;
  const text = JSON.stringify(built.version);
  await transaction.insertInto('playbook_versions').values({ id, revision, version: text }).execute();
  await transaction
    .insertInto('outbox')
    .values({ topic: 'playbook-versions', key: `${id}@${revision}`, value: text })
    .execute();
  return built;
}
