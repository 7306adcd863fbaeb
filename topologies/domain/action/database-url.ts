// The address of a database written as one line, as JDBC and others do, taken apart into the fields of a connection.
//
// Invariant: a property that this file does not know is refused by name: some drivers read files or load classes by properties.
// Surprise: SQL Server separates its properties by semicolons; the others have a query.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { DatabaseEngine } from '../../ports/database.ts';

export interface DatabaseAddress {
  readonly engine: DatabaseEngine;
  readonly host: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly security?: 'tls' | 'none';
}

const engines: Readonly<Record<string, DatabaseEngine>> = {
  postgresql: 'postgres',
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mariadb',
  sqlserver: 'sqlserver',
};

/** Values of the properties that decide about encryption; null: neither yes nor no. */
const encryption: Readonly<Record<string, Readonly<Record<string, 'tls' | 'none' | null>>>> = {
  // jdbc.postgresql.org/documentation/use and libpq.
  sslmode: {
    disable: 'none',
    disabled: 'none',
    require: 'tls',
    required: 'tls',
    'verify-ca': 'tls',
    verify_ca: 'tls',
    'verify-full': 'tls',
    verify_identity: 'tls',
    trust: 'tls',
  },
  ssl: { true: 'tls', false: 'none' },
  usessl: { true: 'tls', false: 'none' },
  encrypt: { true: 'tls', strict: 'tls', mandatory: 'tls', false: 'none', no: 'none', optional: 'none' },
};

/** The parts of an address, or what is wrong with it; the message never repeats what may be a password. */
export function parseDatabaseUrl(text: string): DatabaseAddress | Issue {
  const wrong = (message: string): Issue => ({ path: '/url', message });
  const match = /^(?:jdbc:)?([a-z]+):\/\/([^/?;#]*)([^#]*)$/i.exec(text);
  const engine = engines[match?.[1]?.toLowerCase() ?? ''];
  if (match === null || engine === undefined)
    return wrong(
      'must be jdbc:postgresql://host/name, jdbc:mysql://, jdbc:mariadb:// or jdbc:sqlserver://host;databaseName=name',
    );
  const [, , authority = '', rest = ''] = match;
  const place = /^(?:([^@]*)@)?(\[[0-9a-f:.]+\]|[^:,\\@[\]]+)(?::(\d{1,5}))?$/i.exec(authority);
  if (place === null)
    return wrong('must name one host, with a port if need be; no instance and no list of hosts');
  const [, account, host = '', port] = place;
  if (account?.includes(':')) return wrong('must not hold a password; use secrets.password');
  const found: Record<string, string> = {};
  if (account) found['user'] = decode(account);
  const database = /^\/([^?;/]*)/.exec(rest)?.[1];
  if (database) found['database'] = decode(database);
  const tail = rest.replace(/^\/[^?;/]*/, '');
  if (!/^(?:[?;].*)?$/s.test(tail)) return wrong('must name one database');
  for (const pair of tail.slice(1).split(/[&;]/)) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = (at < 0 ? pair : pair.slice(0, at)).trim().toLowerCase();
    const value = at < 0 ? '' : decode(pair.slice(at + 1));
    const problem = takeProperty(name, value, found);
    if (problem !== null) return wrong(problem);
  }
  return {
    engine,
    host: host.replace(/^\[|\]$/g, ''),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(found['database'] === undefined ? {} : { database: found['database'] }),
    ...(found['user'] === undefined ? {} : { user: found['user'] }),
    ...(found['security'] === undefined ? {} : { security: found['security'] as 'tls' | 'none' }),
  };
}

function takeProperty(name: string, value: string, found: Record<string, string>): string | null {
  const known = Object.hasOwn(encryption, name) ? encryption[name] : undefined;
  if (known !== undefined) {
    const security = Object.hasOwn(known, value.toLowerCase()) ? known[value.toLowerCase()] : null;
    if (!security) return `has a value of ${name} that says neither encrypted nor not`;
    found['security'] = security;
    return null;
  }
  if (name === 'user' || name === 'username') found['user'] = value;
  else if (name === 'databasename' || name === 'database') found['database'] = value;
  else if (/pass|pwd|secret|token/.test(name)) return 'must not hold a password; use secrets.password';
  else
    return `has the property ${/^[a-z0-9_.]{1,40}$/.test(name) ? name : '(unreadable)'}, which is not supported`;
  return null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
