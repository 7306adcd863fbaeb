// The secret store as the API may use it: it writes and describes, and never reads a value back.

import type { Db } from '@tocsin/adapters/postgres/schema.ts';
import { runnerOf } from '@tocsin/adapters/postgres/sql-runner.ts';
import type { Keyring } from '@tocsin/adapters/secrets/keyring.ts';
import { describeSecret, putSecret, resolveSecret } from '@tocsin/adapters/secrets/postgres-store.ts';
import type { SecretVault } from './dependencies.ts';

export function createVault(db: Db, keyring: Keyring): SecretVault {
  return {
    put: (transaction, id, value, by) => putSecret(runnerOf(transaction), keyring, { id, value, by }),
    describe: (id) => describeSecret(runnerOf(db), id),
  };
}

// No id of the API looks like this.
const canaryId = '_keyring_check';
const canary = 'this keyring decrypts this database';

/**
 * Throws when the keyring is not the one that encrypted what is stored: better no start than secrets that nobody can
 * read. Writes the value to check by on first use.
 */
export async function checkKeyring(db: Db, keyring: Keyring): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const runner = runnerOf(transaction);
    await runner.query('select pg_advisory_xact_lock($1)', [3_853_314_794]);
    if ((await describeSecret(runner, canaryId)) === null) {
      await putSecret(runner, keyring, { id: canaryId, value: canary, by: 'system' });
      return;
    }
    const value = await resolveSecret(runner, keyring, { secret: canaryId }).catch(() => null);
    if (value?.reveal() !== canary)
      throw new Error('SECRETS_KEY_FILE is not the keyring that encrypted the secrets in this database');
  });
}
