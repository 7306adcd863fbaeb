// Outcomes of checks of connections: written by the workers, read by the API, gone after a day.
import type { CheckStorePort, StoredCheck } from '@tocsin/topologies/ports/check-store.ts';
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

export interface CheckStore extends CheckStorePort {
  /** Null while nothing is known. */
  ofRequest(request: string): Promise<StoredCheck | null>;
}

export function createCheckStore(db: Db): CheckStore {
  return {
    async write(request, connection, at, check) {
      await db
        .insertInto('connection_checks')
        .values({ request, connection, at: time(at) ?? '', outcome: JSON.stringify(storable(check)) })
        .onConflict((conflict) => conflict.column('request').doNothing())
        .execute();
      // By the clock of the database, which is that of none of the workers.
      await db
        .deleteFrom('connection_checks')
        .where('at', '<', sql<Date>`now() - interval '1 day'`)
        .execute();
    },
    async ofRequest(request) {
      const row = await db
        .selectFrom('connection_checks')
        .select('outcome')
        .where('request', '=', request)
        .executeTakeFirst();
      return row === undefined ? null : (row.outcome as StoredCheck);
    },
  };
}
