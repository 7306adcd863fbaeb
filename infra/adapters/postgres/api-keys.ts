// API keys: 256 random bits, of which only a keyed hash is stored; checked from memory, so a flood of wrong keys does
// no I/O.
//
// Invariant: the key text exists in the answer that creates it and nowhere else. A revoked key stops working everywhere
// within maxStaleMs: the copy in memory is refreshed on every notification and poll, and is not used when it is older.
// Surprise: a fast hash is right here. The input is random, so there is nothing to guess (a slow one would only be a
// lever for overload).
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { sql } from 'kysely';
import { isScope } from './access.ts';
import { StoreUnavailable } from './errors.ts';
import { listen } from './listen.ts';
import type { Db, Transaction } from './schema.ts';

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
  /** Who holds it, and the roles of that person at approval gates. */
  readonly user: string | null;
  readonly roles: readonly string[];
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly createdBy: string;
  readonly user?: string;
  /** Only with a user. */
  readonly roles?: readonly string[];
}

const keyPattern = /^tocsin_([a-z0-9]{8})_([A-Za-z0-9_-]{43})$/;
const idAlphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
const pepperName = 'api_key_pepper';

function newKeyText(): { id: string; text: string } {
  // 252 is the largest multiple of 36 in a byte: every character is equally likely.
  let id = '';
  while (id.length < 8)
    for (const byte of randomBytes(16)) if (byte < 252 && id.length < 8) id += idAlphabet[byte % 36];
  return { id, text: `tocsin_${id}_${randomBytes(32).toString('base64url')}` };
}

function hashKey(pepper: Buffer, text: string): Buffer {
  return createHmac('sha256', pepper).update(text).digest();
}

/** The hash key that all instances share; made on first use. */
export async function loadPepper(db: Db): Promise<Buffer> {
  await db
    .insertInto('settings')
    .values({ name: pepperName, value: randomBytes(32) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const row = await db
    .selectFrom('settings')
    .select('value')
    .where('name', '=', pepperName)
    .executeTakeFirstOrThrow();
  return row.value;
}

/** Stores a new key and returns its text, which nobody can get again. */
export async function createApiKey(
  db: Transaction,
  pepper: Buffer,
  key: NewApiKey,
): Promise<{ key: ApiKey; text: string }> {
  const unknown = key.scopes.filter((scope) => !isScope(scope));
  if (unknown.length > 0 || key.scopes.length === 0)
    throw new RangeError(`unknown scopes: ${unknown.join(', ') || 'none given'}`);
  const { id, text } = newKeyText();
  const row = await db
    .insertInto('api_keys')
    .values({
      id,
      hmac: hashKey(pepper, text),
      name: key.name,
      scopes: [...key.scopes],
      created_by: key.createdBy,
      expires_at: key.expiresAt,
      user_name: key.user ?? null,
      user_roles: [...(key.roles ?? [])],
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { key: toApiKey(row), text };
}

/** False when there is no such key; revoking twice keeps the first time. */
export async function revokeApiKey(db: Transaction, id: string): Promise<boolean> {
  const row = await db
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`coalesce(revoked_at, clock_timestamp())` })
    .where('id', '=', id)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function listApiKeys(
  db: Db,
  page: { readonly after?: string; readonly limit: number },
): Promise<ApiKey[]> {
  const rows = await db
    .selectFrom('api_keys')
    .selectAll()
    .where('id', '>', page.after ?? '')
    .orderBy('id')
    .limit(page.limit)
    .execute();
  return rows.map(toApiKey);
}

interface KeyRow {
  id: string;
  hmac: Buffer;
  name: string;
  scopes: string[];
  created_at: Date;
  created_by: string;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  user_name: string | null;
  user_roles: string[];
}

function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
    user: row.user_name,
    roles: row.user_roles,
  };
}

export interface KeyringOptions {
  readonly db: Db;
  readonly connectionString: string;
  readonly pepper: Buffer;
  readonly logger: Logger;
  /** Time between two looks, ms; default 1,500. */
  readonly pollMs?: number;
  /** A copy older than this is not used, ms; default 5,000. */
  readonly maxStaleMs?: number;
}

export interface Keyring {
  /** The key of this text, or null when it is wrong, expired or revoked. Throws StoreUnavailable when the copy is too old. */
  check(text: string): ApiKey | null;
  /** Reads the keys now; rejects when the database does not answer. */
  refresh(): Promise<void>;
  /** True while the copy is fresh enough to be used: the database answered lately. */
  readonly fresh: boolean;
  stop(): Promise<void>;
}

/** Starts reading; the first `refresh` may still be on its way when it returns. */
export function openKeyring(options: KeyringOptions): Keyring {
  const { db, pepper, logger, pollMs = 1_500, maxStaleMs = 5_000 } = options;
  const stopping = new AbortController();
  const used = new Map<string, Date>();
  let keys = new Map<string, KeyRow>();
  let readAt = Number.NEGATIVE_INFINITY;
  let usesWrittenAt = performance.now();

  async function refresh(): Promise<void> {
    const askedAt = performance.now();
    const rows = await db.selectFrom('api_keys').selectAll().where('revoked_at', 'is', null).execute();
    // Two refreshes may overtake each other; the one that asked later knows more.
    if (askedAt < readAt) return;
    keys = new Map(rows.map((row) => [row.id, row]));
    readAt = askedAt;
  }

  async function writeUses(): Promise<void> {
    if (used.size === 0 || performance.now() - usesWrittenAt < 60_000) return;
    usesWrittenAt = performance.now();
    const uses = [...used];
    used.clear();
    for (const [id, at] of uses)
      await db.updateTable('api_keys').set({ last_used_at: at }).where('id', '=', id).execute();
  }

  const quiet = (error: unknown): void => logger.warn('API keys could not be read', { error: String(error) });
  const listener = listen({
    connectionString: options.connectionString,
    channel: 'tocsin_api_keys',
    logger,
    onWake: () => void refresh().catch(quiet),
  });
  const polling = (async () => {
    while (!stopping.signal.aborted) {
      await refresh().then(writeUses).catch(quiet);
      await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  const isFresh = (): boolean => performance.now() - readAt <= maxStaleMs;

  return {
    check(text) {
      if (!isFresh()) throw new StoreUnavailable('API keys cannot be checked now');
      const match = keyPattern.exec(text);
      if (match === null) return null;
      const digest = hashKey(pepper, text);
      const row = keys.get(match[1]!);
      if (row === undefined || !timingSafeEqual(digest, row.hmac)) return null;
      if (row.expires_at !== null && row.expires_at.getTime() <= Date.now()) return null;
      used.set(row.id, new Date());
      return toApiKey(row);
    },
    refresh,
    get fresh() {
      return isFresh();
    },
    async stop() {
      stopping.abort();
      await Promise.all([listener.stop(), polling]);
    },
  };
}
