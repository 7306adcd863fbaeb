// The pool of PostgreSQL connections that every store shares.
//
// Invariant: no statement and no lock wait is without a limit, and a connection that dies is a log line, not a crash.
// Surprise: pg emits 'error' on the pool for an idle connection and on the client for one in use, besides failing its
// query; an unheard 'error' event ends the process.

import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { Pool } from 'pg';

export interface PoolOptions {
  /** postgres://user:password@host:port/database */
  readonly connectionString: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly logger: Logger;
  /** Connections; default 10. */
  readonly max?: number;
  /** Default 10,000 ms. */
  readonly statementTimeoutMs?: number;
  /** Default 5,000 ms. */
  readonly lockTimeoutMs?: number;
}

/** Connects lazily; the caller ends it. */
export function createPool(options: PoolOptions): Pool {
  const statementTimeout = options.statementTimeoutMs ?? 10_000;
  const pool = new Pool({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max ?? 10,
    connectionTimeoutMillis: 3_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statementTimeout,
    lock_timeout: options.lockTimeoutMs ?? 5_000,
    idle_in_transaction_session_timeout: 30_000,
    // The server may be gone without a word; its own timeout cannot help then.
    query_timeout: statementTimeout + 5_000,
  });
  pool.on('error', (error) =>
    options.logger.warn('idle database connection failed', { error: error.message }),
  );
  pool.on('connect', (client) => {
    client.on('error', (error) =>
      options.logger.debug('database connection failed', { error: error.message }),
    );
  });
  return pool;
}
