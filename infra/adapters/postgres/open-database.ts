// The database of a service: pool, query builder, and the newest schema, waited for while the server is not there yet.
import type { Clock } from '@tocsin/topologies/ports/clock.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { Pool } from 'pg';
import { isUnavailable } from './errors.ts';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import type { Db } from './schema.ts';

export interface OpenDatabaseOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface OpenDatabase {
  readonly pool: Pool;
  readonly db: Db;
  close(): Promise<void>;
}

/**
 * Resolves when the schema is the newest. Waits while the server is unreachable; rejects when a migration fails, or
 * when the signal ends the wait.
 */
export async function openMigratedDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const { logger, clock, signal } = options;
  const pool = createPool(options);
  const db = openDatabase(pool);
  for (;;) {
    try {
      const applied = await migrate(db);
      if (applied.length > 0) logger.info('database migrated', { applied });
      return { pool, db, close: () => db.destroy() };
    } catch (error) {
      if (!isUnavailable(error) || signal.aborted) {
        await db.destroy();
        throw error;
      }
      logger.warn('database is not there yet, waiting', { error: String(error) });
      await clock.sleep(1_000, signal).catch(() => undefined);
    }
  }
}
