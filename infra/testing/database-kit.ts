// The database action with its real client, a PostgreSQL and a MariaDB: what the tests of the action against servers share.
import { createDatabaseClient, type DatabaseClient } from '@tocsin/adapters/database/client.ts';
import type { Command, DatabaseConnection } from '@tocsin/schemas/types.ts';
import { database } from '@tocsin/topologies/actions/database/execute.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import type { DatabaseServer } from '@tocsin/topologies/ports/database.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll } from 'vitest';
import { createAuthority } from './certificates.ts';
import { type MariadbServer, startMariadb } from './mariadb-server.ts';
import { postgresUrl } from './servers.ts';

const loopback = ['127.0.0.0/8', '::1/128'];
export const client: DatabaseClient = createDatabaseClient({ shapeMs: 0 });
export const places: Record<'postgres' | 'mariadb', Place> = {} as never;
export const authority = createAuthority();
export const certificate = authority.issue(['DNS:db.test']);
let mariadb: MariadbServer;

export interface Place {
  readonly config: DatabaseConnection;
  readonly password: string;
}

/** Starts what the tests of this file need, before them, and ends it behind them. */
export function useDatabases(): void {
  beforeAll(async () => {
    const url = new URL(await postgresUrl());
    mariadb = await startMariadb({ tls: certificate });
    const common = {
      kind: 'connection',
      id: 'db',
      type: 'database',
      security: 'none',
      allow_insecure: true,
      allow_cidrs: loopback,
      statement_timeout_ms: 1_500,
      timeout_ms: 10_000,
    } as const;
    places.postgres = {
      config: {
        ...common,
        url: `jdbc:postgresql://${url.host}${url.pathname}`,
        user: decodeURIComponent(url.username),
      },
      password: decodeURIComponent(url.password),
    };
    const { port, user, database: name } = mariadb;
    places.mariadb = {
      config: { ...common, engine: 'mariadb', host: '127.0.0.1', port, user, database: name },
      password: mariadb.password,
    };
  });
  afterAll(async () => {
    client.close();
    await mariadb?.stop();
  });
}

export type Engine = keyof typeof places;
export const engines: readonly Engine[] = ['postgres', 'mariadb'];

export interface Options {
  readonly over?: Partial<DatabaseConnection>;
  readonly password?: string;
  readonly signal?: AbortSignal;
}

export function run(
  engine: Engine,
  command: Command,
  params: object,
  options: Options = {},
): Promise<Outcome> {
  const { config, password } = places[engine];
  return database.execute(
    { ...command, type: 'database', params: { ...params } },
    {
      ports: { database: client },
      connection: {
        config: { ...config, ...options.over },
        secrets: { password: new SecretValue(options.password ?? password) },
      },
      now: Date.UTC(2026, 3, 28, 12),
      attempt: 1,
      signal: options.signal ?? new AbortController().signal,
    },
  );
}

/** A server for statements of the test itself. */
export function server(engine: Engine): DatabaseServer {
  const { config, password } = places[engine];
  const url = new URL((config.url ?? 'x://x').replace('jdbc:', ''));
  return {
    engine,
    host: config.host ?? url.hostname,
    port: config.port ?? Number(url.port),
    database: config.database ?? url.pathname.slice(1),
    user: config.user ?? '',
    ...(password === '' ? {} : { password }),
    tls: null,
    maxSessions: 4,
    statementTimeoutMs: 20_000,
    timeoutMs: 30_000,
    allowCidrs: loopback,
  };
}

export const execute = (engine: Engine, ...sql: string[]) =>
  client.write(
    server(engine),
    sql.map((text) => ({ sql: text, values: [] })),
  );

/** Fails when the table does not hold so many rows that match. */
export const expectRows = (engine: Engine, from: string, count: number) =>
  client.write(server(engine), [{ sql: `SELECT count(*) FROM ${from}`, values: [], mustCount: count }]);

export const row = (fields: Record<string, unknown>, id = '1'): Command =>
  rowsCommand([fields], { mode: 'each', command_id: id.padStart(32, '0') });
