// Carries out one database command: look at the table, build the statements, write them in one transaction, judge what went wrong.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import { databaseTarget } from '../../domain/action/database-target.ts';
import { withWarnings } from '../../domain/action/exchange.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { shownItems, shownText } from '../../domain/action/preview.ts';
import { DatabaseFailure, type DatabaseServer, type TableShape } from '../../ports/database.ts';
import { judgeDatabaseFailure } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkDatabase, type DatabaseParams, isRepeatable, tableOf } from './params.ts';
import { type DatabaseWrite, databaseWrite } from './request.ts';

const paramsOf = (params: Readonly<Record<string, unknown>>) => params as unknown as DatabaseParams;

export const database = checked({
  manifest,
  check: (params) => checkDatabase(paramsOf(params)),
  checkConnection: (_params, connection) =>
    connection.type === 'database' ? [] : [{ path: '', message: 'needs a database connection' }],
  idempotencyOf: (params) => (isRepeatable(paramsOf(params)) ? 'key' : 'none'),
  preview(command, context) {
    const server = databaseTarget(context.connection);
    if (isFailed(server)) return server;
    const built = build(command, server, null, context.now);
    if (isFailed(built)) return built;
    const { engine, host, port, database: name } = server;
    return withWarnings(
      {
        status: 'done',
        output: {
          server: { engine, host, port, database: name },
          statements: built.statements.slice(0, shownItems).map(({ sql, values }) => ({
            sql: shownText(sql),
            values: values.slice(0, 500).map((value) => (value === null ? null : shownText(value))),
          })),
          rows: built.rows,
        },
      },
      built.warnings,
    );
  },
  async execute(command, context): Promise<Outcome> {
    const { database: port } = context.ports;
    if (port === undefined) throw new TypeError('database needs the database port');
    const server = databaseTarget(context.connection);
    if (isFailed(server)) return server;
    const params = paramsOf(command.params);
    try {
      const shape = await port.describe(server, tableOf(params), context.signal);
      if (shape === null)
        return failed('db_object', `the table ${params.table} does not exist, or this user may not see it`);
      const built = build(command, server, shape, context.now);
      if (isFailed(built)) return built;
      if (built.rows === 0) return done(params, built, 0);
      const { affected } = await port.write(server, built.statements, context.signal);
      return done(
        params,
        built,
        affected.reduce((sum, count) => sum + count, 0),
      );
    } catch (error) {
      if (error instanceof DatabaseFailure)
        return judgeDatabaseFailure(error, `${server.engine} ${server.host}:${server.port}`);
      throw error;
    }
  },
});

function build(
  command: Command,
  server: DatabaseServer,
  shape: TableShape | null,
  now: number,
): DatabaseWrite | Failed {
  return withTemplates(() =>
    databaseWrite(command, paramsOf(command.params), { engine: server.engine, shape, now }),
  );
}

function done(params: DatabaseParams, built: DatabaseWrite, affected: number): Outcome {
  const { table, operation = 'insert' } = params;
  const missed = operation === 'update' && affected < built.rows;
  const note = `${table}: ${built.rows - affected} of ${built.rows} rows to update are not there`;
  return withWarnings(
    { status: 'done', output: { table, operation, rows: operation === 'update' ? affected : built.rows } },
    [...built.warnings, ...(missed ? [note] : [])],
  );
}
