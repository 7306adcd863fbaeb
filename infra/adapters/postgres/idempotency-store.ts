// Answers kept by Idempotency-Key for a day, inside the transaction of what they answer.
import { sql } from 'kysely';
import type { Transaction } from './schema.ts';

export interface KeptAnswer {
  /** Keyed hash of the request: bodies may hold secrets. */
  readonly requestHash: Buffer;
  readonly status: number;
  /** JSON text. */
  readonly body: string;
}

/** The kept answer of this actor and key, or null. Forgets what is older than a day. */
export async function findAnswer(
  transaction: Transaction,
  actor: string,
  key: string,
): Promise<KeptAnswer | null> {
  await transaction
    .deleteFrom('idempotency_keys')
    .where('created_at', '<', sql<Date>`clock_timestamp() - interval '24 hours'`)
    .execute();
  const row = await transaction
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('actor', '=', actor)
    .where('key', '=', key)
    .executeTakeFirst();
  return row === undefined ? null : { requestHash: row.request_hash, status: row.status, body: row.body };
}

/** Keeps the answer; one that is kept already stays. */
export async function saveAnswer(
  transaction: Transaction,
  actor: string,
  key: string,
  answer: KeptAnswer,
): Promise<void> {
  await transaction
    .insertInto('idempotency_keys')
    .values({ actor, key, request_hash: answer.requestHash, status: answer.status, body: answer.body })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
