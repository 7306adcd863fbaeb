// Where a service finds credentials: variables and files always, the secret store where a database and its keys are set.
import type { SecretsPort } from '@tocsin/topologies/ports/secrets.ts';
import { createSecrets } from './composite.ts';
import { loadKeyring } from './keyring.ts';
import { createStoredSecrets } from './postgres-store.ts';
import type { SqlRunner } from './schema.sql.ts';

export interface SecretsSettings {
  /** For references by variable. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The database of the secret store; null without one. */
  readonly sql: SqlRunner | null;
  /** The keys that decrypt it; null without a store. */
  readonly keyringFile: string | null;
  /** Epoch ms. */
  readonly now: () => number;
  /** Hears every value before its first use, so that logs can be cleaned of it. */
  readonly registerSecret: (value: string) => void;
}

/** Throws KeyringError when the keyring cannot be read. */
export function openSecrets({ env, sql, keyringFile, now, registerSecret }: SecretsSettings): SecretsPort {
  const stored =
    sql === null || keyringFile === null
      ? undefined
      : createStoredSecrets(sql, loadKeyring(keyringFile), { now });
  return createSecrets({ env, registerSecret, ...(stored === undefined ? {} : { stored }) });
}
