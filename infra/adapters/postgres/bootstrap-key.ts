// The first admin key: made once, on an empty database, and left in a file that only its owner can read.
//
// Invariant: the file is complete on disk before the key is committed, so there is never a key that nobody has. If the
// commit fails, the database is still empty and the next start writes the file anew.
import { chmod, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { createApiKey } from './api-keys.ts';
import type { Db } from './schema.ts';

const lockId = 3_853_314_793;

/** Returns the id of the key it made, or null when any key exists or existed. Several callers at once make one key. */
export async function createFirstKey(db: Db, pepper: Buffer, file: string): Promise<string | null> {
  return db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(lockId)})`.execute(transaction);
    const any = await transaction.selectFrom('api_keys').select('id').limit(1).executeTakeFirst();
    if (any !== undefined) return null;
    const { key, text } = await createApiKey(transaction, pepper, {
      name: 'first administrator',
      scopes: ['admin'],
      expiresAt: null,
      createdBy: 'system',
    });
    await writePrivately(file, `${text}\n`);
    return key.id;
  });
}

async function writePrivately(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // The mode given to open is cut by the umask and ignored for a file that is there already.
  await chmod(temporary, 0o600);
  await rename(temporary, file);
}
