// Stored secrets: written by the config API, read by executors.
// Invariant: a value leaves this file only as a SecretValue; nothing here logs, and errors name ids only.
// Surprise: a stored secret that is destroyed or replaced is still answered from the cache for up to a minute.
import { SecretError, SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { openSecret, type SealedSecret, sealSecret } from './envelope.ts';
import type { Keyring } from './keyring.ts';
import type { SqlRunner } from './schema.sql.ts';

export interface NewSecret {
  readonly id: string;
  readonly value: string;
  /** Who stores it, for the record. */
  readonly by: string;
  readonly tenant?: string;
}

export interface StoredSecretRef {
  readonly secret: string;
  /** The newest without it. */
  readonly version?: number;
}

export interface SecretFacts {
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

const DEFAULT_TENANT = 'default';
const MAX_CACHE_MS = 60_000;

/** Stores a new version and returns its number. Inside a transaction when `sql` is one; rolled back with it. */
export async function putSecret(sql: SqlRunner, keyring: Keyring, secret: NewSecret): Promise<number> {
  const tenant = secret.tenant ?? DEFAULT_TENANT;
  const counted = await sql.query(
    `insert into secrets (tenant, secret_id, last_version) values ($1, $2, 1)
     on conflict (tenant, secret_id) do update set last_version = secrets.last_version + 1
     returning last_version`,
    [tenant, secret.id],
  );
  const version = (counted.rows[0] as { last_version: number }).last_version;
  const sealed = sealSecret(keyring, { tenant, secretId: secret.id, version }, secret.value);
  await sql.query(
    `insert into secret_versions (tenant, secret_id, version, kek_id, dek_wrapped, dek_iv, iv, ct, tag, alg, created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      tenant,
      secret.id,
      version,
      sealed.kekId,
      sealed.dekWrapped,
      sealed.dekIv,
      sealed.iv,
      sealed.ct,
      sealed.tag,
      sealed.alg,
      secret.by,
    ],
  );
  return version;
}

/** The facts that may be shown; null when there is none. */
export async function describeSecret(
  sql: SqlRunner,
  id: string,
  tenant = DEFAULT_TENANT,
): Promise<SecretFacts | null> {
  const found = await sql.query(
    `select version, created_at, created_by from secret_versions
     where tenant = $1 and secret_id = $2 and destroyed_at is null order by version desc limit 1`,
    [tenant, id],
  );
  const row = found.rows[0] as { version: number; created_at: Date; created_by: string } | undefined;
  return row === undefined
    ? null
    : { version: row.version, updatedAt: row.created_at, updatedBy: row.created_by };
}

/** Overwrites the ciphertext and the data key of every version up to `upTo` (all without it). Backups may still hold them. */
export async function destroySecret(
  sql: SqlRunner,
  id: string,
  upTo?: number,
  tenant = DEFAULT_TENANT,
): Promise<void> {
  await sql.query(
    `update secret_versions set destroyed_at = now(), dek_wrapped = null, dek_iv = null, iv = null, ct = null, tag = null
     where tenant = $1 and secret_id = $2 and destroyed_at is null and version <= coalesce($3, version)`,
    [tenant, id, upTo ?? null],
  );
}

/** Reads and decrypts, without a cache. Rejects with SecretError when it does not exist, is destroyed or does not decrypt. */
export async function resolveSecret(
  sql: SqlRunner,
  keyring: Keyring,
  ref: StoredSecretRef,
  tenant = DEFAULT_TENANT,
): Promise<SecretValue> {
  const found = await sql.query(
    `select version, kek_id, dek_wrapped, dek_iv, iv, ct, tag, alg, destroyed_at from secret_versions
     where tenant = $1 and secret_id = $2 and version = coalesce($3::integer,
       (select max(version) from secret_versions where tenant = $1 and secret_id = $2))`,
    [tenant, ref.secret, ref.version ?? null],
  );
  const row = found.rows[0] as Row | undefined;
  const what = `secret ${ref.secret}${ref.version === undefined ? '' : ` version ${ref.version}`}`;
  if (row === undefined) throw new SecretError(`${what} does not exist`);
  if (row.destroyed_at !== null) throw new SecretError(`${what} is destroyed`);
  const sealed = {
    kekId: row.kek_id,
    dekIv: row.dek_iv,
    dekWrapped: row.dek_wrapped,
    iv: row.iv,
    ct: row.ct,
    tag: row.tag,
    alg: row.alg,
  };
  return new SecretValue(openSecret(keyring, { tenant, secretId: ref.secret, version: row.version }, sealed));
}

interface Row {
  readonly version: number;
  readonly kek_id: string;
  readonly dek_wrapped: Buffer;
  readonly dek_iv: Buffer;
  readonly iv: Buffer;
  readonly ct: Buffer;
  readonly tag: Buffer;
  readonly alg: SealedSecret['alg'];
  readonly destroyed_at: Date | null;
}

export interface StoredSecrets {
  /** As resolveSecret; one query at a time per reference, answers kept for the cache time, failures not at all. */
  resolve(ref: StoredSecretRef): Promise<SecretValue>;
}

/** `now` gives epoch ms; `cacheMs` is at most a minute. */
export function createStoredSecrets(
  sql: SqlRunner,
  keyring: Keyring,
  options: { now: () => number; cacheMs?: number; tenant?: string; maxEntries?: number },
): StoredSecrets {
  const cacheMs = Math.min(options.cacheMs ?? MAX_CACHE_MS, MAX_CACHE_MS);
  const maxEntries = options.maxEntries ?? 1_000;
  const held = new Map<string, { readonly until: number; readonly value: Promise<SecretValue> }>();
  return {
    resolve(ref) {
      const key = `${ref.version ?? ''} ${ref.secret}`;
      const entry = held.get(key);
      if (entry !== undefined && options.now() < entry.until) return entry.value;
      const value = resolveSecret(sql, keyring, ref, options.tenant);
      held.delete(key);
      held.set(key, { until: options.now() + cacheMs, value });
      value.catch(() => {
        if (held.get(key)?.value === value) held.delete(key);
      });
      for (const oldest of held.keys()) {
        if (held.size <= maxEntries) break;
        held.delete(oldest);
      }
      return value;
    },
  };
}
