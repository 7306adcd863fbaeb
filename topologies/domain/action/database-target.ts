// Which database a connection means: its fields, or its url taken apart, with the defaults of the engine and the credentials.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { DatabaseConnection } from '@tocsin/schemas/types.ts';
import type { DatabaseEngine, DatabaseServer } from '../../ports/database.ts';
import { type DatabaseAddress, parseDatabaseUrl } from './database-url.ts';
import type { ResolvedConnection } from './define-action.ts';
import { failed } from './fail.ts';
import { hostOf } from './http-target.ts';
import type { Failed } from './outcome.ts';

export const defaultPorts: Readonly<Record<DatabaseEngine, number>> = {
  postgres: 5432,
  mysql: 3306,
  mariadb: 3306,
  sqlserver: 1433,
};

export interface DatabasePlace {
  readonly engine: DatabaseEngine;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly security: 'tls' | 'none';
}

/** Where a connection leads, or what is wrong with it as JSON Pointers into it. */
export function databasePlace(config: DatabaseConnection): DatabasePlace | readonly Issue[] {
  const fields = addressOf(config);
  if (Array.isArray(fields)) return fields as Issue[];
  const { engine, host, port, database, user, security = 'tls' } = fields as Partial<DatabaseAddress>;
  const issues: Issue[] = [];
  const at = (name: string): string => (config.url === undefined ? `/${name}` : '/url');
  if (engine === undefined) issues.push({ path: '/engine', message: 'is required without a url' });
  if (host === undefined) issues.push({ path: '/host', message: 'is required without a url' });
  else if (hostOf(host) === null)
    issues.push({
      path: at('host'),
      message: 'must be a host name or an IP address, without scheme, port, path or user',
    });
  if (port !== undefined && (port < 1 || port > 65_535))
    issues.push({ path: at('port'), message: 'must be a port from 1 to 65535' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  const control = /[\u0000-\u001f\u007f]/;
  if (!database) issues.push({ path: at('database'), message: 'must name a database' });
  else if (control.test(database))
    issues.push({ path: at('database'), message: 'holds a control character' });
  if (!user) issues.push({ path: '/user', message: 'is required' });
  else if (control.test(user)) issues.push({ path: '/user', message: 'holds a control character' });
  if (security === 'none' && config.allow_insecure !== true)
    issues.push({ path: '/allow_insecure', message: 'must be true for a connection without TLS' });
  if (security === 'none' && config.tls !== undefined)
    issues.push({ path: '/tls', message: 'cannot be set for a connection without TLS' });
  if (issues.length > 0) return issues;
  return {
    engine: engine as DatabaseEngine,
    host: host as string,
    port: port ?? defaultPorts[engine as DatabaseEngine],
    database: database as string,
    user: user as string,
    security,
  };
}

function addressOf(config: DatabaseConnection): Partial<DatabaseAddress> | readonly Issue[] {
  const { url, engine, host, port, database, user, security } = config;
  const given = { engine, host, port, database, user, security };
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (url === undefined) return fields as Partial<DatabaseAddress>;
  const parsed = parseDatabaseUrl(url);
  if ('path' in parsed) return [parsed];
  const twice = Object.keys(fields).filter((name) => Object.hasOwn(parsed, name));
  if (twice.length > 0)
    return twice.map((name) => ({ path: `/${name}`, message: 'is already said by the url' }));
  return { ...parsed, ...fields } as Partial<DatabaseAddress>;
}

/** The server of a resolved connection, or why it cannot be used. Such failures pause: the configuration is to be mended. */
export function databaseTarget(connection: ResolvedConnection | null): DatabaseServer | Failed {
  if (connection === null || connection.config.type !== 'database')
    return failed('unknown_connection', 'the action has no database connection');
  const { config, secrets } = connection;
  const place = databasePlace(config);
  if ('length' in place) {
    const issue = place[0] as Issue;
    return failed('invalid_params', `connection ${config.id}: ${issue.path} ${issue.message}`, 'pause');
  }
  const { security, ...where } = place;
  const password = secrets['password']?.reveal();
  // Without one only a client certificate could say who we are.
  if (password === undefined && config.tls?.cert === undefined)
    return failed('secret', `connection ${config.id}: secrets.password is missing`, 'pause');
  const key = secrets['tls_key']?.reveal();
  return {
    ...where,
    ...(password === undefined ? {} : { password }),
    tls: security === 'none' ? null : { ...config.tls, ...(key === undefined ? {} : { key }) },
    maxSessions: config.concurrency ?? 4,
    statementTimeoutMs: config.statement_timeout_ms ?? 5_000,
    timeoutMs: config.timeout_ms ?? 30_000,
    ...(config.allow_cidrs === undefined ? {} : { allowCidrs: config.allow_cidrs }),
  };
}
