// The driver for SQL Server, over tedious.
//
// Invariant: every value is bound as NVARCHAR(MAX); the server converts it to the column.
// Surprise: a transaction cannot begin inside sp_executesql, so statements without values are sent as batches.

import type { Socket } from 'node:net';
import type {
  ColumnKind,
  DatabaseFailureClass,
  DatabaseServer,
  TableName,
  TableShape,
} from '@tocsin/topologies/ports/database.ts';
import { Connection, type ConnectionConfiguration, Request, TYPES } from 'tedious';
import {
  type Driver,
  keysOf,
  openSession,
  type Session,
  type SessionRows,
  tlsMaterial,
  type Verdict,
} from './session.ts';

export const sqlserver: Driver = {
  open(socket, server) {
    const connection = new Connection(connectionConfig(socket, server));
    return openSession({
      socket,
      connection,
      end: () => connection.close(),
      async begin(session) {
        await new Promise<void>((resolve, reject) => {
          connection.connect((error) => (error ? reject(error) : resolve()));
        });
        await session.run(`SET XACT_ABORT ON; SET LOCK_TIMEOUT ${Math.round(server.statementTimeoutMs)}`);
      },
      run: (sql, values) => runRequest(connection, sql, values),
    });
  },
  begin: async (session) => void (await session.run('BEGIN TRANSACTION')),
  describe,
  judge,
};

/** Settings of a connection over `socket`. */
export function connectionConfig(socket: Socket, server: DatabaseServer): ConnectionConfiguration {
  const { tls } = server;
  return {
    server: server.host,
    authentication: {
      type: 'default',
      options: { userName: server.user, password: server.password ?? '' },
    },
    options: {
      port: server.port,
      database: server.database,
      connector: async () => socket,
      appName: 'tocsin',
      connectTimeout: server.timeoutMs,
      requestTimeout: server.statementTimeoutMs,
      encrypt: tls !== null,
      trustServerCertificate: tls?.verify === false,
      useUTC: true,
      ...(tls?.servername === undefined ? {} : { serverName: tls.servername }),
      ...(tls === null ? {} : { cryptoCredentialsDetails: tlsMaterial(tls) }),
    },
  };
}

function runRequest(
  connection: Connection,
  sql: string,
  values: readonly (string | null)[] | undefined,
): Promise<SessionRows> {
  return new Promise((resolve, reject) => {
    const rows: unknown[][] = [];
    const request = new Request(sql, (error, affected) =>
      error ? reject(error) : resolve({ rows, affected: affected ?? 0 }),
    );
    request.on('row', (columns: readonly { readonly value: unknown }[]) =>
      rows.push(columns.map(({ value }) => value)),
    );
    for (const [index, value] of (values ?? []).entries())
      request.addParameter(`p${index + 1}`, TYPES.NVarChar, value, { length: Number.POSITIVE_INFINITY });
    if (values === undefined) connection.execSqlBatch(request);
    else connection.execSql(request);
  });
}

const columnsSql = `SELECT c.name, t.name, c.max_length, c.scale FROM sys.columns c
JOIN sys.types t ON t.user_type_id = c.system_type_id WHERE c.object_id = OBJECT_ID(@p1) ORDER BY c.column_id`;

const keysSql = `SELECT i.index_id, c.name FROM sys.indexes i
JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0
JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.object_id = OBJECT_ID(@p1) AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
ORDER BY i.index_id, k.key_ordinal`;

async function describe(session: Session, { schema, table }: TableName): Promise<TableShape | null> {
  const name = [...(schema === null ? [] : [schema]), table]
    .map((part) => `[${part.replaceAll(']', ']]')}]`)
    .join('.');
  const { rows } = await session.run(columnsSql, [name]);
  if (rows.length === 0) return null;
  const keys = await session.run(keysSql, [name]);
  return {
    columns: rows.map(([column, type, bytes, scale]) => {
      const kind = kinds[String(type)] ?? 'other';
      return {
        name: String(column),
        kind,
        maxLength: limitOf(kind, String(type), Number(bytes), Number(scale)),
        maxBytes: null,
      };
    }),
    uniqueKeys: keysOf(keys.rows),
  };
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  tinyint: 'integer',
  smallint: 'integer',
  int: 'integer',
  bigint: 'integer',
  decimal: 'number',
  numeric: 'number',
  float: 'number',
  real: 'number',
  money: 'number',
  smallmoney: 'number',
  bit: 'boolean',
  datetime: 'timestamp',
  smalldatetime: 'timestamp',
  datetime2: 'timestamp',
  datetimeoffset: 'timestamptz',
  date: 'date',
  char: 'text',
  varchar: 'text',
  nchar: 'text',
  nvarchar: 'text',
  text: 'text',
  ntext: 'text',
};

// max_length counts bytes, -1 for MAX.
function limitOf(kind: ColumnKind, type: string, bytes: number, scale: number): number | null {
  if (kind === 'timestamp' || kind === 'timestamptz')
    return type === 'datetime' ? 3 : type === 'smalldatetime' ? 0 : scale;
  if (kind !== 'text' || bytes < 0 || type.endsWith('text')) return null;
  return type.startsWith('n') ? bytes / 2 : bytes;
}

const classes: readonly (readonly [DatabaseFailureClass, readonly number[]])[] = [
  ['auth', [4060, 18452, 18456, 18470, 18487, 18488]],
  ['unique', [2601, 2627]],
  ['constraint', [515, 547]],
  ['value', [220, 241, 242, 245, 248, 2628, 8114, 8115, 8152, 8169]],
  ['object', [207, 208, 229, 230, 2812]],
  [
    'busy',
    [
      701, 802, 1204, 1205, 1222, 3906, 3960, 8645, 8651, 10928, 10929, 40197, 40501, 40613, 49918, 49919,
      49920,
    ],
  ],
];

/** Error numbers: learn.microsoft.com/sql/relational-databases/errors-events. */
export function judge(error: Error): Verdict | null {
  const { number, code, class: severity } = error as { number?: unknown; code?: unknown; class?: unknown };
  if (code === 'ETIMEOUT') return { failure: 'timeout', message: 'no answer in time', ends: true };
  if (code === 'EENCRYPT') return { failure: 'tls', message: 'the server does not support encryption' };
  if (typeof number !== 'number')
    return code === 'ELOGIN' ? { failure: 'auth', message: 'login failed' } : null;
  const failure = classes.find(([, numbers]) => numbers.includes(number))?.[0] ?? 'rejected';
  // Severity 20 and above ends the session.
  const ends = Number(severity) >= 20;
  return { failure, message: `${wordsOf(failure, error.message)} (error ${number})`, ends };
}

// Messages about values and keys repeat the value behind the names of table and column.
function wordsOf(failure: DatabaseFailureClass, message: string): string {
  const column = /column '([^']{1,128})'/.exec(
    message.split(/Truncated value|The duplicate key value/)[0] ?? '',
  )?.[1];
  const where = column === undefined ? '' : `, column ${column}`;
  if (failure === 'value') return `a value does not fit${where}`;
  if (failure === 'unique') return 'there is such a row';
  return message.replaceAll(/\s+/g, ' ').slice(0, 300);
}
