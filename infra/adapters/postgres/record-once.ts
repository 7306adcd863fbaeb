// What the stores of incidents, risk and techniques share: one transaction each, its event in the outbox, and one error for "not now".

import type { EngineEvent } from '@tocsin/topologies/ports/incident-store.ts';
import { StoreUnavailable } from '@tocsin/topologies/ports/store-unavailable.ts';
import { isUnavailable } from './errors.ts';
import type { Db, Transaction } from './schema.ts';

/** Everything that `work` does commits together. Rejects with StoreUnavailable where the database does not answer. */
export async function recordOnce<T>(db: Db, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  try {
    return await db.transaction().execute(work);
  } catch (error) {
    if (isUnavailable(error)) throw new StoreUnavailable('the database does not answer', { cause: error });
    throw error;
  }
}

/** The config API publishes it after the commit. */
export async function publishEvents(transaction: Transaction, events: readonly EngineEvent[]): Promise<void> {
  if (events.length === 0) return;
  await transaction
    .insertInto('outbox')
    .values(events.map(({ key, value }) => ({ topic: 'events' as const, key, value })))
    .execute();
}
