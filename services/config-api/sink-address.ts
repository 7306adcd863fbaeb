// An address that people give as one URL, as the fields of a connection.
import { unprocessable } from './errors.ts';

export interface Address {
  readonly protocol: 'https' | 'http';
  readonly host: string;
  readonly port?: number;
  /** Without the query. */
  readonly path: string;
  /** Path and query where there is a query, which may hold a token; else null. */
  readonly secretPath: string | null;
}

/** Throws 422 at `field`. Addresses that no policy allows are refused with the connection. */
export function addressOf(text: string, field: string): Address {
  const refuse = (message: string): never => {
    throw unprocessable([{ path: field, message }]);
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\\\s\u0000-\u001f\u007f]/.test(text))
    refuse('must not hold spaces, control characters or backslashes');
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text))
    return refuse('must be an https address such as https://siem.example.com/api/events');
  if (url.username !== '' || url.password !== '') refuse('must not hold user or password; use headers');
  if (url.port === '0') refuse('must have a port from 1 to 65535');
  if (url.hash !== '' || text.includes('#')) refuse('must not have a fragment');
  return {
    protocol: url.protocol === 'http:' ? 'http' : 'https',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: url.pathname,
    secretPath: url.search === '' ? null : `${url.pathname}${url.search}`,
  };
}

/** What may be shown of the address of a connection. */
export function shownUrl(connection: Readonly<Record<string, unknown>>, path: string): string {
  const host = String(connection.host);
  const port = connection.port === undefined ? '' : `:${String(connection.port)}`;
  const secrets = (connection.secrets ?? {}) as Readonly<Record<string, unknown>>;
  const query = secrets.secret_path === undefined ? '' : '?[secret]';
  return `${String(connection.protocol ?? 'https')}://${host.includes(':') ? `[${host}]` : host}${port}${path}${query}`;
}
