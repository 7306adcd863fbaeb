// The driver for MySQL and MariaDB, over mysql2.
//
// Invariant: strict mode, so that the server refuses what it would otherwise cut or guess; the session speaks UTC.
// Surprise: mysql2 checks the name in a certificate only when it is told to (verifyIdentity).
import type { Socket } from 'node:net';
import type {
  ColumnKind,
  DatabaseFailureClass,
  DatabaseServer,
  TableName,
  TableShape,
} from '@tocsin/topologies/ports/database.ts';
import { type ConnectionOptions, createConnection, type ResultSetHeader } from 'mysql2';
import { type Driver, keysOf, openSession, type Session, tlsMaterial, type Verdict } from './session.ts';

export const mysql: Driver = {
  open(socket, server) {
    const connection = createConnection(connectionOptions(socket, server));
    return openSession({
      socket,
      connection,
      end: () => connection.destroy(),
      async begin(session) {
        await new Promise<void>((resolve, reject) => {
          connection.connect((error) => (error ? reject(error) : resolve()));
        });
        await session.run(sessionSql(server));
      },
      run: (sql, values) =>
        new Promise((resolve, reject) => {
          const done = (error: Error | null, result: unknown): void => {
            if (error) reject(error);
            else if (Array.isArray(result)) resolve({ rows: result as unknown[][], affected: 0 });
            else resolve({ rows: [], affected: (result as ResultSetHeader).affectedRows });
          };
          if (values === undefined) connection.query(sql, done);
          else connection.execute(sql, [...values], done);
        }),
    });
  },
  begin: async (session) => void (await session.run('START TRANSACTION')),
  describe,
  judge,
};

function connectionOptions(socket: Socket, server: DatabaseServer): ConnectionOptions {
  const { tls } = server;
  return {
    stream: socket,
    // Only the name in the certificate: the socket is connected.
    host: tls?.servername ?? server.host,
    user: server.user,
    password: server.password ?? '',
    database: server.database,
    charset: 'utf8mb4',
    rowsAsArray: true,
    connectTimeout: server.timeoutMs,
    maxPreparedStatements: 50,
    // A server may ask the client for a file.
    flags: ['-LOCAL_FILES'],
    ...(tls === null
      ? {}
      : {
          ssl: {
            ...tlsMaterial(tls),
            rejectUnauthorized: tls.verify !== false,
            verifyIdentity: tls.verify !== false,
          },
        }),
  };
}

function sessionSql({ engine, statementTimeoutMs }: DatabaseServer): string {
  const seconds = statementTimeoutMs / 1000;
  const settings = [
    `time_zone = '+00:00'`,
    `sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`,
    `innodb_lock_wait_timeout = ${Math.max(1, Math.ceil(seconds))}`,
    // MySQL limits only what reads (max_execution_time).
    ...(engine === 'mariadb' ? [`max_statement_time = ${seconds}`] : []),
  ];
  return `SET ${settings.map((setting) => `SESSION ${setting}`).join(', ')}`;
}

const columnsSql = `SELECT column_name, data_type, character_maximum_length, character_octet_length, datetime_precision
FROM information_schema.columns WHERE table_schema = coalesce(?, database()) AND table_name = ? ORDER BY ordinal_position`;

const keysSql = `SELECT index_name, CASE WHEN sub_part IS NULL THEN column_name END
FROM information_schema.statistics WHERE table_schema = coalesce(?, database()) AND table_name = ? AND non_unique = 0
ORDER BY index_name, seq_in_index`;

// MariaDB's JSON is text with a check that has the name of the column.
const jsonSql = `SELECT constraint_name FROM information_schema.check_constraints
WHERE constraint_schema = coalesce(?, database()) AND table_name = ? AND check_clause = concat('json_valid(\`', constraint_name, '\`)')`;

async function describe(session: Session, { schema, table }: TableName): Promise<TableShape | null> {
  const { rows } = await session.run(columnsSql, [schema, table]);
  if (rows.length === 0) return null;
  const keys = await session.run(keysSql, [schema, table]);
  const texts = rows.some(([, type]) => type === 'longtext');
  // MySQL's view has no table_name, and its JSON is a type.
  const version = texts ? String((await session.run('SELECT version()')).rows[0]?.[0]) : '';
  const checked = /mariadb/i.test(version) ? (await session.run(jsonSql, [schema, table])).rows : [];
  const json = new Set(checked.map(([name]) => String(name)));
  return {
    columns: rows.map(([column, type, characters, octets, digits]) => {
      const name = String(column);
      const kind = json.has(name) ? 'json' : (kinds[String(type)] ?? 'other');
      const isVar = type === 'char' || type === 'varchar';
      return {
        name,
        kind,
        maxLength: kind === 'timestamp' ? Number(digits) : isVar ? Number(characters) : null,
        maxBytes: kind === 'text' && !isVar ? Number(octets) : null,
      };
    }),
    uniqueKeys: keysOf(keys.rows),
  };
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  year: 'integer',
  decimal: 'number',
  float: 'number',
  double: 'number',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  datetime: 'timestamp',
  timestamp: 'timestamp',
  date: 'date',
  json: 'json',
};

const classes: readonly (readonly [DatabaseFailureClass, readonly number[]])[] = [
  ['auth', [1044, 1045, 1049, 1130, 1131, 1227, 1251, 1396, 1698, 1820, 1862, 3118, 3159, 4151]],
  ['unique', [1062, 1586]],
  ['constraint', [1048, 1216, 1217, 1364, 1451, 1452, 3819, 4025]],
  ['value', [1264, 1265, 1292, 1366, 1406, 1411, 3140, 3141, 3155]],
  ['object', [1046, 1054, 1109, 1142, 1143, 1146, 1347, 1356, 1370]],
  [
    'busy',
    [1040, 1041, 1053, 1129, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 3169],
  ],
  ['timeout', [1969, 3024]],
];

// Shutdown, killed, and the errors of the network at the server's side.
const ending: ReadonlySet<number> = new Set([1053, 1158, 1159, 1160, 1161, 1927, 3169]);

/** Server error numbers: MySQL 8 reference "Server Error Message Reference", MariaDB "Error Codes". */
function judge(error: Error): Verdict | null {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT')
    return { failure: 'tls', message: 'the server does not support TLS' };
  // Negative numbers are the operating system's.
  if (typeof errno !== 'number' || errno < 1000) return null;
  const failure = classes.find(([, numbers]) => numbers.includes(errno))?.[0] ?? 'rejected';
  const message = `${wordsOf(failure, error.message)} (error ${errno}, ${String(code)})`;
  return { failure, message, ends: ending.has(errno) };
}

// Messages about values and keys repeat the value, which may itself look like the rest of the message: only the end is taken.
function wordsOf(failure: DatabaseFailureClass, message: string): string {
  if (failure === 'unique')
    return `there is such a row${named(/for key '([^']{1,200})'$/, 'index', message)}`;
  if (failure === 'value')
    return `a value does not fit${named(/column (?:`[^`]*`\.){0,2}[`']([^`']{1,64})[`'] at row \d+$/, 'column', message)}`;
  return message.replaceAll(/\s+/g, ' ').slice(0, 300);
}

function named(pattern: RegExp, what: string, message: string): string {
  const name = pattern.exec(message)?.[1];
  return name === undefined ? '' : `, ${what} ${name}`;
}
