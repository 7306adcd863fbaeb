// Plain SQL over the query builder, so that stores written for a pool can take part in a transaction.
import { CompiledQuery } from 'kysely';
import type { Db } from './schema.ts';

export interface BuilderRunner {
  query(
    sql: string,
    values?: unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

/** A transaction is a Db too; what runs through it commits or rolls back with it. */
export function runnerOf(db: Db): BuilderRunner {
  return {
    async query(sql, values = []) {
      const { rows, numAffectedRows } = await db.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(sql, values),
      );
      return { rows, rowCount: numAffectedRows === undefined ? null : Number(numAffectedRows) };
    },
  };
}
