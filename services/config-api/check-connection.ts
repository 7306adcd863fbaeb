// What the schema of a connection cannot say: a host that is only a host, and an address that can ever be allowed.
import { isIP } from 'node:net';
import { classifyAddress } from '@tocsin/adapters/http/address.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection, DatabaseConnection } from '@tocsin/schemas/types.ts';
import { databasePlace } from '@tocsin/topologies/domain/action/database-target.ts';
import { checkHttpConnection, hostAndPort } from '@tocsin/topologies/domain/action/http-target.ts';
import { checkScriptConnection } from '@tocsin/topologies/domain/script/target.ts';
import { checkSyslogConnection } from '@tocsin/topologies/sinks/syslog/target.ts';

export interface CodedIssue extends Issue {
  /** Error code of the answer when it is not `invalid`. */
  readonly code?: string;
}

// RFC 1123 section 2.1 labels, ASCII only: an internationalised name is given in its xn-- form, where lookalikes show.
const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$/;

export function checkConnection(connection: Connection): CodedIssue[] {
  if (connection.type === 'database') return checkDatabaseConnection(connection);
  return [
    ...checkHost(connection.host),
    ...checkRanges(connection.allow_cidrs ?? []),
    ...checkKind(connection),
  ];
}

function checkDatabaseConnection(connection: DatabaseConnection): CodedIssue[] {
  const place = databasePlace(connection);
  const names = Object.keys(connection.secrets ?? {});
  const certified = connection.tls?.cert !== undefined;
  return [
    ...('length' in place ? place : checkHost(place.host, connection.url === undefined ? '/host' : '/url')),
    ...checkRanges(connection.allow_cidrs ?? []),
    ...(names.includes('password') || certified
      ? []
      : [{ path: '/secrets/password', message: 'is required' }]),
    ...checkClientKey(connection),
  ];
}

function checkHost(host: string, path = '/host'): CodedIssue[] {
  if (host.includes('@')) return [{ path, message: 'must not hold user or password; use auth and secrets' }];
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (isIP(bare) !== 0) return checkAddress(bare, path);
  if (!hostName.test(host))
    return [{ path, message: 'must be a host name or IP address: no scheme, port, path or spaces' }];
  // A last label of digits or 0x is an IPv4 address in disguise for every URL parser (WHATWG URL, host parsing).
  if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i.test(host)) {
    const parsed = URL.parse(`http://${host}/`);
    if (parsed === null) return [{ path, message: 'must be a host name or IP address' }];
    return [{ path, message: `must be written as ${parsed.hostname}` }];
  }
  return [];
}

function checkAddress(address: string, path: string): CodedIssue[] {
  if (classifyAddress(address) !== 'forbidden') return [];
  return [{ path, message: `${address} is an address that no policy allows`, code: 'dest_denied' }];
}

function checkRanges(ranges: readonly string[]): CodedIssue[] {
  return ranges.flatMap((range, index) => {
    const [address = '', bits = '', ...rest] = range.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const valid = family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
    return valid
      ? []
      : [{ path: `/allow_cidrs/${index}`, message: 'must be an address range such as 10.0.0.0/8' }];
  });
}

function checkKind(connection: Exclude<Connection, DatabaseConnection>): CodedIssue[] {
  const issues: CodedIssue[] = [];
  const names = new Set(Object.keys(connection.secrets ?? {}));
  if (connection.type === 'smtp') {
    for (const field of ['from', 'reply_to'] as const)
      if (
        connection[field] !== undefined &&
        !/^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(addressOf(connection[field]))
      )
        issues.push({ path: `/${field}`, message: 'must be one mail address' });
    if (connection.username !== undefined && !names.has('password'))
      issues.push({ path: '/secrets/password', message: 'is required with a username' });
    if (connection.username !== undefined && connection.security === 'none')
      issues.push({
        path: '/security',
        message: 'must not be none with a username: the password would travel readable',
      });
    return issues;
  }
  if (connection.type === 'script-host')
    return [...checkScriptConnection(connection), ...checkClientKey(connection)];
  if (connection.type === 'syslog')
    return [...checkSyslogConnection(connection), ...checkClientKey(connection)];
  issues.push(...checkHttpConnection(connection));
  connection.hosts?.forEach((text, index) => {
    const place = hostAndPort(text);
    if (place !== null) issues.push(...checkHost(place.host, `/hosts/${index}`));
  });
  const auth = connection.auth;
  const needed = { none: null, basic: 'password', bearer: 'token', header: 'token', splunk: 'token' }[
    auth?.type ?? 'none'
  ];
  if (needed !== null && !names.has(needed))
    issues.push({ path: `/secrets/${needed}`, message: `is required for auth type ${auth?.type}` });
  if (auth?.type === 'basic' && auth.username === undefined)
    issues.push({ path: '/auth/username', message: 'is required' });
  return [...issues, ...checkClientKey(connection)];
}

function checkClientKey({ tls, secrets }: Pick<DatabaseConnection, 'tls' | 'secrets'>): CodedIssue[] {
  if (tls?.cert === undefined || secrets?.['tls_key'] !== undefined) return [];
  return [{ path: '/secrets/tls_key', message: 'is required with a client certificate' }];
}

// `Name <address>` or the address alone.
function addressOf(mailbox: string): string {
  return /^[^<>\r\n]{0,200}<([^<>]+)>$/.exec(mailbox)?.[1] ?? mailbox;
}
