// Approval gates as the projection knows them, and the links that decide once for one person.
//
// Invariant: a link is used once: the row is taken by one update that names it as unused. Its text is stored nowhere; a row whose
// person, gate or time was changed by hand does not fit the text any more.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Gate } from '@tocsin/topologies/domain/playbooks/gate.ts';
import { sql } from 'kysely';
import type { Db, Transaction } from './schema.ts';

export interface Approval {
  readonly id: string;
  readonly token: string;
  readonly key: string;
  readonly number: number;
  readonly playbook: string;
  readonly revision: number;
  readonly dryRun: boolean;
  readonly step: string;
  readonly place: string;
  readonly title: string;
  readonly message: string | null;
  /** What the gate covers: `{step, type, params}` each. */
  readonly sends: readonly Readonly<Record<string, unknown>>[];
  readonly quorum: { readonly approve: number; readonly reject: number };
  readonly gate: Omit<Gate, 'votes'> & {
    readonly votes: readonly { readonly actor: string; readonly verdict: string }[];
  };
  readonly openedAt: Date;
  readonly until: Date | null;
  readonly status: string;
  readonly closedAt: Date | null;
}

export interface Person {
  readonly user: string;
  readonly roles: readonly string[];
}

export interface ApprovalPage {
  /** Only gates at which this person may decide now. */
  readonly for?: Person;
  readonly run?: string;
  readonly after?: { readonly openedAt: Date; readonly id: string };
  readonly limit: number;
}

export interface ApprovalStore {
  /** Open ones, oldest first. */
  open(page: ApprovalPage): Promise<Approval[]>;
  get(id: string): Promise<Approval | null>;
  /** Roles of a person: those of all keys of that person that are valid now. */
  rolesOf(user: string): Promise<string[]>;
}

export function createApprovalStore(db: Db): ApprovalStore {
  return {
    async open(page) {
      let query = db.selectFrom('approvals').selectAll().where('status', '=', 'open');
      if (page.run !== undefined) query = query.where('key', '=', page.run);
      if (page.after !== undefined)
        query = query.where(sql<boolean>`(opened_at, id) > (${page.after.openedAt}, ${page.after.id})`);
      if (page.for !== undefined) query = query.where(decidable(page.for));
      const rows = await query.orderBy('opened_at').orderBy('id').limit(page.limit).execute();
      return rows.map(toApproval);
    },
    async get(id) {
      const row = await db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : toApproval(row);
    },
    async rolesOf(user) {
      const rows = await db
        .selectFrom('api_keys')
        .select('user_roles')
        .where('user_name', '=', user)
        .where('revoked_at', 'is', null)
        .where((one) =>
          one.or([one('expires_at', 'is', null), one('expires_at', '>', sql<Date>`clock_timestamp()`)]),
        )
        .execute();
      return [...new Set(rows.flatMap((row) => row.user_roles))].sort();
    },
  };
}

/** `gateRefusal` of domain/playbooks/gate.ts for an approval, in SQL: pages are cut there. A test holds the two together. */
function decidable({ user, roles }: Person) {
  const names = [`user:${user}`, ...roles.map((role) => `role:${role}`)];
  const vote = JSON.stringify([{ actor: user }]);
  return sql<boolean>`
    not coalesce(excluded, '{}') && array[${user}, ${`user:${user}`}]::text[]
    and not votes @> ${vote}::jsonb
    and not jsonb_exists(delegates, ${user})
    and (
      coalesce(approvers, '{}') || added && ${names}::text[]
      or (
        exists (select from jsonb_each_text(delegates) d where d.value = ${user})
        and (delegate_to is null or delegate_to && ${names}::text[])
      )
    )`;
}

function toApproval(row: {
  id: string;
  token: string;
  key: string;
  number: string;
  playbook: string;
  revision: number;
  dry_run: boolean;
  step: string;
  place: string;
  title: string | null;
  message: string | null;
  sends: Record<string, unknown>[] | null;
  approvers: string[] | null;
  added: string[];
  excluded: string[] | null;
  delegate_to: string[] | null;
  delegates: Record<string, string>;
  quorum: { approve: number; reject: number } | null;
  votes: { actor: string; verdict: string }[];
  digest: string;
  opened_at: Date;
  until: Date | null;
  status: string;
  closed_at: Date | null;
}): Approval {
  return {
    id: row.id,
    token: row.token,
    key: row.key,
    number: Number(row.number),
    playbook: row.playbook,
    revision: row.revision,
    dryRun: row.dry_run,
    step: row.step,
    place: row.place,
    title: row.title ?? row.step,
    message: row.message,
    sends: row.sends ?? [],
    quorum: row.quorum ?? { approve: 1, reject: 1 },
    gate: {
      approvers: [...(row.approvers ?? []), ...row.added],
      excluded: row.excluded ?? [],
      delegateTo: row.delegate_to,
      delegates: row.delegates,
      votes: row.votes,
      digest: row.digest,
    },
    openedAt: row.opened_at,
    until: row.until,
    status: row.status,
    closedAt: row.closed_at,
  };
}

export interface ApprovalLink {
  readonly hash: Buffer;
  readonly approval: string;
  readonly user: string;
  readonly decisionId: string;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
}

const nonceBytes = 32;
const macBytes = 32;
const linkPattern = /^[A-Za-z0-9_-]{86}$/;

/** Stores a link and returns its text, which nobody can get again. */
export async function createApprovalLink(
  transaction: Transaction,
  pepper: Buffer,
  link: Pick<ApprovalLink, 'user' | 'expiresAt'> & {
    readonly approval: Pick<Approval, 'id' | 'token'>;
    readonly createdBy: string;
  },
): Promise<string> {
  const { approval, user, expiresAt } = link;
  const nonce = randomBytes(nonceBytes);
  const mac = macOf(pepper, approval.token, user, nonce, expiresAt);
  const text = Buffer.concat([nonce, mac]).toString('base64url');
  await transaction
    .insertInto('approval_links')
    .values({
      hash: hashOf(text),
      approval: approval.id,
      user_name: user,
      decision_id: `link-${randomBytes(16).toString('hex')}`,
      created_by: link.createdBy,
      expires_at: expiresAt,
    })
    .execute();
  return text;
}

/** The link of this text with its gate, or null when it is none. Does not look at time and use. */
export async function findApprovalLink(
  db: Db,
  pepper: Buffer,
  text: string,
): Promise<{ readonly link: ApprovalLink; readonly approval: Approval } | null> {
  if (!linkPattern.test(text)) return null;
  const row = await db
    .selectFrom('approval_links')
    .selectAll()
    .where('hash', '=', hashOf(text))
    .executeTakeFirst();
  if (row === undefined) return null;
  const found = await db
    .selectFrom('approvals')
    .selectAll()
    .where('id', '=', row.approval)
    .executeTakeFirstOrThrow();
  const approval = toApproval(found);
  const bytes = Buffer.from(text, 'base64url');
  const mac = macOf(pepper, approval.token, row.user_name, bytes.subarray(0, nonceBytes), row.expires_at);
  if (!timingSafeEqual(mac, bytes.subarray(nonceBytes))) return null;
  const { hash, user_name: user, decision_id: decisionId, expires_at: expiresAt, used_at: usedAt } = row;
  return { link: { hash, approval: row.approval, user, decisionId, expiresAt, usedAt }, approval };
}

/** Takes the link for its one decision; false when it was taken before or is too old. */
export async function takeApprovalLink(transaction: Transaction, hash: Buffer): Promise<boolean> {
  const row = await transaction
    .updateTable('approval_links')
    .set({ used_at: sql<Date>`clock_timestamp()` })
    .where('hash', '=', hash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<Date>`clock_timestamp()`)
    .returning('decision_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Gives a link back whose decision could not be written to the log. */
export async function returnApprovalLink(db: Db, hash: Buffer): Promise<void> {
  await db.updateTable('approval_links').set({ used_at: null }).where('hash', '=', hash).execute();
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function macOf(pepper: Buffer, token: string, user: string, nonce: Buffer, expiresAt: Date): Buffer {
  const fields = [token, user, nonce.toString('hex'), String(expiresAt.getTime())];
  const mac = createHmac('sha256', pepper).update('approval-link-v1');
  for (const field of fields) mac.update(`\n${Buffer.byteLength(field)}:${field}`);
  return mac.digest().subarray(0, macBytes);
}
