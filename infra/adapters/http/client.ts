// The guarded HTTP client: every outbound request of Tocsin goes through `send`.
// Invariant: a refused destination costs no connection and no DNS query beyond the one that revealed it; redirects are answers.
// Surprise: GET, PUT and DELETE are repeated once when the connection breaks before an answer, because a receiver may close an
// idle connection in the moment we reuse it (RFC 9112 9.3.1 allows that for idempotent methods); POST and PATCH never are.
import {
  HttpFailure,
  type HttpPort,
  type HttpRequest,
  type HttpResponse,
} from '@tocsin/topologies/ports/http.ts';
import { createEgressPolicy, type EgressPolicy, plainHost } from './egress-policy.ts';
import { exchange } from './exchange.ts';
import { defaultMaxConnections } from './open-files.ts';
import { createPools } from './pools.ts';
import { type Lookup, lookupSystem } from './resolve.ts';

export interface HttpClientSettings {
  /** Default: mode open with nothing added. */
  readonly egress?: EgressPolicy;
  readonly lookup?: Lookup;
  /** Connections per origin; further requests wait, and their deadline runs. Default 64. */
  readonly connectionsPerOrigin?: number;
  /** Connections to all origins; the idle one used longest ago is closed for a new one. Default defaultMaxConnections(). */
  readonly maxConnections?: number;
  readonly connectTimeoutMs?: number;
  readonly keepAliveMs?: number;
  readonly connectionTtlMs?: number;
  readonly userAgent?: string;
}

export interface HttpClient extends HttpPort {
  /** Ends every connection; requests in flight fail as aborted. */
  close(): Promise<void>;
  /** Connections, opening and idle ones included. */
  connections(): number;
}

const repeatable = new Set(['GET', 'PUT', 'DELETE']);

export function createHttpClient(settings: HttpClientSettings = {}): HttpClient {
  const egress = settings.egress ?? createEgressPolicy({ mode: 'open' });
  const userAgent = settings.userAgent ?? 'tocsin';
  const pools = createPools({
    egress,
    lookup: settings.lookup ?? lookupSystem,
    maxConnections: settings.maxConnections ?? defaultMaxConnections(),
    connectionsPerOrigin: settings.connectionsPerOrigin ?? 64,
    connectTimeoutMs: settings.connectTimeoutMs ?? 10_000,
    keepAliveMs: settings.keepAliveMs ?? 4_000,
    connectionTtlMs: settings.connectionTtlMs ?? 60_000,
  });

  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const deadline = performance.now() + request.timeoutMs;
    const url = destinationUrl(request.url);
    const host = plainHost(url.hostname);
    const origin = `${url.protocol}//${host.includes(':') ? `[${host}]` : host}${url.port === '' ? '' : `:${url.port}`}`;
    const how = { path: url.pathname + url.search, headers: headerLines(request, userAgent), deadline };
    const to = pools.get(origin, request.tls, request.allowCidrs);
    try {
      return await exchange(to, request, how);
    } catch (error) {
      const again =
        error instanceof HttpFailure && error.failure === 'reset' && repeatable.has(request.method);
      if (!again || performance.now() >= deadline) throw error;
      return exchange(to, request, how);
    }
  };

  return { send, close: () => pools.destroy(), connections: pools.size };
}

function destinationUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new HttpFailure('denied', 'the URL cannot be parsed', { sent: false });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new HttpFailure('denied', `the scheme ${url.protocol} is not allowed`, { sent: false });
  }
  if (url.username !== '' || url.password !== '') {
    throw new HttpFailure('denied', 'the URL holds credentials', { sent: false });
  }
  return url;
}

function headerLines(request: HttpRequest, userAgent: string): string[] {
  const flat: string[] = [];
  let agent = false;
  let encoding = false;
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    agent ||= lower === 'user-agent';
    encoding ||= lower === 'accept-encoding';
    flat.push(name, value);
  }
  if (!agent) flat.push('user-agent', userAgent);
  // Nothing is decompressed here, so nothing compressed is asked for.
  if (!encoding) flat.push('accept-encoding', 'identity');
  return flat;
}
