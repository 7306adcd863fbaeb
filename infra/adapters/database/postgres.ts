// The driver for PostgreSQL, over pg.
//
// Surprise: pg fills missing settings from PG* variables and ~/.pgpass; password and TLS are therefore always given.
import type { Socket } from 'node:net';
import type {
  ColumnKind,
  DatabaseFailureClass,
  DatabaseServer,
  TableName,
  TableShape,
} from '@tocsin/topologies/ports/database.ts';
import { Client, type ClientConfig } from 'pg';
import { isUnavailable, sqlState } from '../postgres/errors.ts';
import { type Driver, openSession, type Session, tlsMaterial, type Verdict } from './session.ts';

export const postgres: Driver = {
  open(socket, server) {
    const client = new Client(clientConfig(socket, server));
    return openSession({
      socket,
      connection: client,
      begin: () => client.connect(),
      async run(sql, values) {
        // Without values the simple protocol, which takes several statements at once.
        const result = await client.query({
          text: sql,
          rowMode: 'array',
          ...(values === undefined ? {} : { values: [...values] }),
        });
        return { rows: result.rows ?? [], affected: result.rowCount ?? 0 };
      },
    });
  },
  async begin(session, { statementTimeoutMs: limit }) {
    await session.run(
      `BEGIN; SET LOCAL statement_timeout = ${Math.round(limit)}; SET LOCAL lock_timeout = ${Math.round(limit)}`,
    );
  },
  describe,
  judge,
};

function clientConfig(socket: Socket, server: DatabaseServer): ClientConfig {
  const { tls } = server;
  return {
    // pg connects its stream itself; this one is connected already.
    stream: () => {
      socket.connect = () => {
        process.nextTick(() => socket.emit('connect'));
        return socket;
      };
      return socket;
    },
    host: tls?.servername ?? server.host,
    port: server.port,
    user: server.user,
    database: server.database,
    password: () => server.password ?? '',
    application_name: 'tocsin',
    ssl: tls === null ? false : { ...tlsMaterial(tls), rejectUnauthorized: tls.verify !== false },
  };
}

const columnsSql = `SELECT a.attname, coalesce(b.typname, t.typname), coalesce(b.typcategory, t.typcategory)::text,
  CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`;

// A partial, deferrable or expression index cannot be the arbiter of ON CONFLICT (columns).
const keysSql = `SELECT array_to_json(array_agg(a.attname))::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid`;

async function describe(session: Session, { schema, table }: TableName): Promise<TableShape | null> {
  const name = [...(schema === null ? [] : [schema]), table]
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
  const { rows } = await session.run(columnsSql, [name]);
  if (rows.length === 0) return null;
  const keys = await session.run(keysSql, [name]);
  return {
    columns: rows.map(([column, type, category, modifier]) => {
      const kind = kindOf(String(type), String(category));
      return {
        name: String(column),
        kind,
        maxLength: limitOf(kind, String(type), Number(modifier)),
        maxBytes: null,
      };
    }),
    uniqueKeys: keys.rows.map(([columns]) => JSON.parse(String(columns)) as string[]),
  };
}

const kinds: Readonly<Record<string, ColumnKind>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'number',
  float4: 'number',
  float8: 'number',
  money: 'number',
  bool: 'boolean',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  date: 'date',
  json: 'json',
  jsonb: 'json',
};

function kindOf(type: string, category: string): ColumnKind {
  if (Object.hasOwn(kinds, type)) return kinds[type] as ColumnKind;
  return category === 'A' ? 'array' : category === 'S' ? 'text' : 'other';
}

// Type modifiers: length + 4 for varchar and char, digits for times, -1 without one.
function limitOf(kind: ColumnKind, type: string, modifier: number): number | null {
  if (kind === 'timestamp' || kind === 'timestamptz') return modifier < 0 ? 6 : modifier;
  return (type === 'varchar' || type === 'bpchar') && modifier >= 4 ? modifier - 4 : null;
}

const objects: ReadonlySet<string> = new Set(['42501', '42P01', '42703', '3F000', '42P10', '42809']);

/** SQLSTATE: PostgreSQL manual, appendix A. */
function judge(error: Error): Verdict | null {
  const state = sqlState(error);
  const text = error.message.replaceAll(/\s+/g, ' ');
  if (state === '')
    return /does not support SSL|establishing an SSL/.test(text) ? { failure: 'tls', message: text } : null;
  const failure = failureOf(state, error);
  // Messages of class 22 repeat the value.
  const words = state.startsWith('22') ? text.replaceAll(/: "[\s\S]*$|"[^"]*"/g, '') : text;
  const { column } = error as { column?: unknown };
  const where = typeof column === 'string' ? `, column ${column}` : '';
  // 57P01 to 57P05: the server or the session is ended.
  const ends = state.startsWith('57P');
  return { failure, message: `${words.slice(0, 300)} (SQLSTATE ${state}${where})`, ends };
}

function failureOf(state: string, error: Error): DatabaseFailureClass {
  if (state.startsWith('28') || state === '3D000') return 'auth';
  if (state === '23505' || state === '23P01') return 'unique';
  if (state.startsWith('23')) return 'constraint';
  if (state.startsWith('22')) return 'value';
  if (objects.has(state)) return 'object';
  if (state === '57014') return 'timeout';
  return isUnavailable(error) ? 'busy' : 'rejected';
}
