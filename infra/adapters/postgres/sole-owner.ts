// Work that one process at a time may do: whoever holds an advisory lock of the database.
//
// Invariant: the lock lives as long as its session, so that who dies or loses the database gives way by itself.
// Surprise: a client that failed may still hold the lock or an open transaction: it is closed, not reused.
import type { Pool, PoolClient } from 'pg';

export interface SoleOwnerOptions {
  readonly pool: Pool;
  readonly lockId: number;
  /** Works until the signal aborts; what it rejects with is a failure, after which the lock is asked for again. */
  readonly work: (client: PoolClient) => Promise<void>;
  /** The pause between two tries; `failures` in a row so far, 0 while somebody else has the lock. */
  readonly rest: (failures: number) => Promise<unknown>;
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the signal has aborted and the work is over. Never rejects. */
export async function asSoleOwner(options: SoleOwnerOptions): Promise<void> {
  const { pool, rest, onFailure, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    let client: PoolClient | undefined;
    let failed: Error | undefined;
    try {
      client = await pool.connect();
      await own(client, options);
      failures = 0;
    } catch (error) {
      failed = error instanceof Error ? error : new Error(String(error));
      failures += 1;
      onFailure(failed);
    } finally {
      client?.release(failed);
    }
    await rest(failures);
  }
}

async function own(client: PoolClient, { lockId, work }: SoleOwnerOptions): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    lockId,
  ]);
  if (rows[0]?.locked !== true) return;
  try {
    await work(client);
  } finally {
    await client.query('select pg_advisory_unlock($1)', [lockId]).catch(() => undefined);
  }
}
