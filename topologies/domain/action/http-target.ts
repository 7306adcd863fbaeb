// Where and how an HTTP action sends: the origin, credential, TLS and limits of its connection. Templates have no say in it.
//
// Surprise: `protocol` alone decides about encryption; TLS options together with http are a contradiction, not a hint.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { HttpConnection } from '@tocsin/schemas/types.ts';
import type { HttpTls } from '../../ports/http.ts';
import type { ResolvedConnection } from './define-action.ts';
import type { Failed } from './outcome.ts';

export interface HttpTarget {
  /** Scheme, host and port, for example https://siem.example.com:8443, without a final slash. */
  readonly origin: string;
  /** All origins that are this destination: `origin` and those of the connection's `hosts`, each once. */
  readonly origins: readonly string[];
  /** Path prefix without a final slash; empty when there is none. */
  readonly basePath: string;
  /** Path and query that are themselves a credential (secrets.secret_path), below the prefix; null without one. Never shown. */
  readonly secretPath: string | null;
  /** At most one header with the credential. */
  readonly authorization: readonly (readonly [string, string])[];
  readonly tls?: HttpTls;
  readonly timeoutMs: number;
  readonly allowCidrs: readonly string[];
}

/** Problems of an HTTP connection beyond its schema, as JSON Pointers into it; for saving and for execution. */
export function checkHttpConnection(config: HttpConnection): Issue[] {
  const issues: Issue[] = [];
  const protocol = config.protocol ?? 'https';
  if (hostOf(config.host) === null)
    issues.push({
      path: '/host',
      message: 'must be a host name or an IP address, without scheme, port, path or user',
    });
  config.hosts?.forEach((text, index) => {
    if (hostAndPort(text) === null)
      issues.push({ path: `/hosts/${index}`, message: 'must be host or host:port, nothing else' });
  });
  if (protocol === 'http' && config.allow_insecure !== true)
    issues.push({ path: '/allow_insecure', message: 'must be true for protocol http' });
  if (protocol === 'http' && config.tls !== undefined)
    issues.push({ path: '/tls', message: 'cannot be set for protocol http' });
  const base = config.base_path ?? '';
  if (!/^(?:\/[^?#\\\s]*)?$/.test(base) || base.includes('{{') || base.split('/').some(isDots))
    issues.push({ path: '/base_path', message: 'must be a plain path that begins with /' });
  const check = (config.check_path ?? '/').split('?')[0] ?? '';
  if (!check.startsWith('/') || (config.check_path ?? '').includes('{{') || check.split('/').some(isDots))
    issues.push({ path: '/check_path', message: 'must be a plain path that begins with /' });
  if (config.auth?.type === 'header' && config.auth.header === undefined)
    issues.push({ path: '/auth/header', message: 'is required for type header' });
  if (config.auth?.type === 'header' && framing.has((config.auth.header ?? '').toLowerCase()))
    issues.push({ path: '/auth/header', message: 'is a header that the client sets itself' });
  if (config.auth?.type === 'basic' && (config.auth.username ?? '').includes(':'))
    issues.push({ path: '/auth/username', message: 'cannot hold a colon (RFC 7617)' });
  return issues;
}

/** Headers that belong to the connection itself; no configuration may set them. */
export const framing: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'http2-settings',
]);

/** What is known from the configuration alone: its first problem, or where it leads. */
type Place =
  | { readonly issue: Issue }
  | ({ readonly issue: null } & Pick<HttpTarget, 'origin' | 'origins' | 'basePath'>);

// By the document: a changed connection is another one, and every command asks.
const places = new WeakMap<HttpConnection, Place>();

function placeOf(config: HttpConnection): Place {
  let place = places.get(config);
  if (place === undefined) {
    place = findPlace(config);
    places.set(config, place);
  }
  return place;
}

function findPlace(config: HttpConnection): Place {
  const issue = checkHttpConnection(config)[0];
  if (issue !== undefined) return { issue };
  const originOf = (host: string, port: number | undefined): string =>
    new URL(`${config.protocol ?? 'https'}://${hostOf(host)}${port === undefined ? '' : `:${port}`}`).origin;
  const origin = originOf(config.host, config.port);
  const others = (config.hosts ?? []).map((text) => {
    const { host, port } = hostAndPort(text)!;
    return originOf(host, port ?? config.port);
  });
  return {
    issue: null,
    origin,
    origins: [...new Set([origin, ...others])],
    basePath: prefixOf(config.base_path ?? ''),
  };
}

/** The target of a resolved connection, or why it cannot be used. Such failures pause: the configuration is to be mended. */
export function httpTarget(connection: ResolvedConnection | null): HttpTarget | Failed {
  if (connection === null || connection.config.type !== 'http')
    return {
      status: 'failed',
      code: 'unknown_connection',
      retry: 'never',
      detail: 'the action has no HTTP connection',
    };
  const config = connection.config;
  const place = placeOf(config);
  const { issue } = place;
  if (issue !== null)
    return {
      status: 'failed',
      code: 'invalid_params',
      retry: 'pause',
      detail: `connection ${config.id}: ${issue.path} ${issue.message}`,
    };
  const authorization = authorizationOf(config, connection.secrets);
  if ('status' in authorization) return authorization;
  const protocol = config.protocol ?? 'https';
  const key = connection.secrets.tls_key?.reveal();
  const { origin, origins, basePath } = place;
  const secretPath = secretPathOf(connection, origin, basePath);
  if (secretPath !== null && typeof secretPath !== 'string') return secretPath;
  return {
    origin,
    origins,
    basePath,
    secretPath,
    authorization,
    timeoutMs: config.timeout_ms ?? 15_000,
    allowCidrs: config.allow_cidrs ?? [],
    ...(protocol === 'https' && (config.tls !== undefined || key !== undefined)
      ? { tls: { ...config.tls, ...(key === undefined ? {} : { key }) } }
      : {}),
  };
}

// The path of a webhook as its vendor shows it: a path, or the whole address, which must be the connection's own.
function secretPathOf(
  { config, secrets }: ResolvedConnection,
  origin: string,
  basePath: string,
): string | null | Failed {
  const given = secrets.secret_path?.reveal().trim();
  if (given === undefined) return null;
  const refused = (why: string): Failed => ({
    status: 'failed',
    code: 'secret',
    retry: 'pause',
    detail: `connection ${config.id}: secrets.secret_path ${why}`,
  });
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(given);
  const text = whole ? given : `${origin}${basePath}/${given.replace(/^\/+/, '')}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (!URL.canParse(text) || /[\s\\\u0000-\u001f\u007f]/.test(text)) return refused('is no path');
  const url = new URL(text);
  if (url.origin !== origin || url.username !== '' || url.password !== '')
    return refused('is an address of another host');
  if (url.pathname.length < 2) return refused('is no path');
  if (!`${url.pathname}/`.startsWith(`${basePath}/`)) return refused('is not below base_path');
  return `${url.pathname.slice(basePath.length)}${url.search}`;
}

function authorizationOf(
  config: HttpConnection,
  secrets: ResolvedConnection['secrets'],
): [string, string][] | Failed {
  const auth = config.auth ?? { type: 'none' };
  if (auth.type === 'none') return [];
  const name = auth.type === 'basic' ? 'password' : 'token';
  const value = secrets[name]?.reveal();
  if (value === undefined)
    return {
      status: 'failed',
      code: 'secret',
      retry: 'pause',
      detail: `connection ${config.id}: secrets.${name} is missing`,
    };
  if (auth.type !== 'basic' && !/^[\x20-\x7e]+$/.test(value))
    return {
      status: 'failed',
      code: 'secret',
      retry: 'pause',
      detail: `connection ${config.id}: secrets.${name} does not fit in a header`,
    };
  if (auth.type === 'basic')
    return [['authorization', `Basic ${Buffer.from(`${auth.username ?? ''}:${value}`).toString('base64')}`]];
  if (auth.type === 'bearer') return [['authorization', `Bearer ${value}`]];
  if (auth.type === 'splunk') return [['authorization', `Splunk ${value}`]];
  return [[(auth.header ?? '').toLowerCase(), value]];
}

const labels =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/i;

/** The host as it stands in a URL; null when it is anything but a name or an address. */
export function hostOf(host: string): string | null {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (isIP(bare) === 6) return `[${bare}]`;
  if (isIP(bare) === 4) return bare;
  if (!/^[\p{L}\p{M}\p{N}._-]+$/u.test(host)) return null;
  const ascii = domainToASCII(host).replace(/\.$/, '');
  if (!labels.test(ascii)) return null;
  // Names that end in a number are addresses to a URL parser, and not every one of them is valid.
  return URL.canParse(`http://${ascii}`) ? ascii : null;
}

/** `host` or `host:port`, an IPv6 address with a port in brackets; null when it is neither. */
export function hostAndPort(text: string): { readonly host: string; readonly port?: number } | null {
  if (isIP(text) === 6) return { host: text };
  const [, host = '', digits] = /^(\[[^\]]+\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (hostOf(host) === null) return null;
  if (digits === undefined) return { host };
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host, port } : null;
}

function prefixOf(path: string): string {
  const trimmed = path.replace(/^\/+/, '').replace(/\/+$/, '');
  return trimmed === '' ? '' : `/${trimmed}`;
}

/** A path segment that a URL parser would resolve away: '.', '..' and their percent-encoded spellings. */
export function isDots(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment);
}
