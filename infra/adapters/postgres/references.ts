// Who refers to a document: rules, actions, sinks, lists and playbooks as they are now, switched off or not.
import type { Playbook } from '@tocsin/schemas/types.ts';
import type { ConfigKind } from '@tocsin/topologies/domain/config/config-table.ts';
import { namedByPlaybook } from '@tocsin/topologies/domain/playbooks/version-of.ts';
import { sql } from 'kysely';
import type { Db } from './schema.ts';

export interface Reference {
  readonly kind: ConfigKind;
  readonly id: string;
}

/** Most references that are named. */
const most = 20;

/** The current revision of every document. */
export function heads(db: Db) {
  return db
    .selectFrom('config_heads as h')
    .innerJoin('config_revisions as r', (join) =>
      join.onRef('r.kind', '=', 'h.kind').onRef('r.id', '=', 'h.id').onRef('r.revision', '=', 'h.revision'),
    )
    .select(['h.id', 'h.revision', 'h.deleted', 'r.document', 'r.created_at', 'r.created_by']);
}

/** Living documents that name this one, by kind and id, the first ones. */
export async function findReferences(db: Db, kind: ConfigKind, id: string): Promise<Reference[]> {
  const found = [...(await flatReferences(db, kind, id)), ...(await playbookReferences(db, kind, id))];
  found.sort((a, b) => (`${a.kind}/${a.id}` < `${b.kind}/${b.id}` ? -1 : 1));
  return found.slice(0, most);
}

// Rules name actions and playbooks in `then` and lists in `when`, actions and sinks name one connection, lists name lists.
async function flatReferences(db: Db, kind: ConfigKind, id: string): Promise<Reference[]> {
  let query = heads(db)
    .select('h.kind')
    .where('h.deleted', '=', false)
    .orderBy('h.kind')
    .orderBy('h.id')
    .limit(most);
  if (kind === 'action' || kind === 'playbook') {
    const use = JSON.stringify([{ [kind]: id }]);
    query = query
      .where('h.kind', '=', 'rule')
      .where(sql<boolean>`(r.document -> 'then')::jsonb @> ${use}::jsonb`);
  } else if (kind === 'connection') {
    query = query
      .where('h.kind', 'in', ['action', 'sink'])
      .where(sql<boolean>`r.document ->> 'connection' = ${id}`);
  } else if (kind === 'list') {
    const use = JSON.stringify([id]);
    const name = JSON.stringify({ id });
    query = query.where(
      sql<boolean>`case h.kind
        when 'rule' then jsonb_path_exists((r.document -> 'when')::jsonb, '$.**.in_list ? (@ == $id)', ${name}::jsonb)
        when 'list' then (r.document -> 'include')::jsonb @> ${use}::jsonb
        else false end`,
    );
  } else return [];
  const rows = await query.execute();
  return rows.map((row) => ({ kind: row.kind as ConfigKind, id: row.id }));
}

const namesOf = {
  action: 'actions',
  connection: 'connections',
  list: 'lists',
  playbook: 'playbooks',
} as const;

// Names stand anywhere in the steps, and values may look like them: the text finds candidates, the document decides.
async function playbookReferences(db: Db, kind: ConfigKind, id: string): Promise<Reference[]> {
  if (kind === 'rule' || kind === 'sink') return [];
  const rows = await heads(db)
    .where('h.kind', '=', 'playbook')
    .where('h.deleted', '=', false)
    .where(sql<boolean>`strpos(r.document::text, ${JSON.stringify(id)}) > 0`)
    .execute();
  return rows
    .filter((row) => kind !== 'playbook' || row.id !== id)
    .filter((row) => namedByPlaybook(row.document as unknown as Playbook)[namesOf[kind]].includes(id))
    .map((row) => ({ kind: 'playbook', id: row.id }));
}
