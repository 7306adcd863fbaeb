// What the HTTP client keeps connections to: an origin with its TLS settings and allowed ranges.
// Invariant: two requests share a connection only when origin, TLS settings and allowed ranges are all equal.
// Surprise: a connection is an undici Client of its own, not a place in a Pool, whose idle connections cannot be closed one by one.
import { createHash } from 'node:crypto';
import { HttpFailure, type HttpTls } from '@tocsin/topologies/ports/http.ts';
import { Client } from 'undici';
import { connectGuarded } from './connect.ts';
import { createConnections, type Opened, type Origin } from './connections.ts';
import type { Destination, EgressPolicy } from './egress-policy.ts';
import type { Lookup } from './resolve.ts';

export interface PoolSettings {
  readonly egress: EgressPolicy;
  readonly lookup: Lookup;
  readonly maxConnections: number;
  readonly connectionsPerOrigin: number;
  readonly connectTimeoutMs: number;
  /** Below the receiver's own idle time (Node 5 s, Apache 5 s, nginx 75 s), or the first byte races with its close. */
  readonly keepAliveMs: number;
  /** A connection older than this is replaced, so that a changed DNS answer is noticed. */
  readonly connectionTtlMs: number;
}

export interface Pools {
  /** `origin` as `https://host:port`. Throws HttpFailure 'denied' when the policy refuses the host or a range is malformed. */
  get(origin: string, tls: HttpTls | undefined, allowCidrs: readonly string[] | undefined): Origin;
  /** Connections, opening ones included. */
  size(): number;
  /** Ends every connection; requests in flight fail. */
  destroy(): Promise<void>;
}

// Larger than Node's 16 KiB default: some single-sign-on proxies answer with a dozen cookies.
const MAX_HEADER_BYTES = 32 * 1024;

export function createPools(settings: PoolSettings): Pools {
  const { maxConnections: max, connectionsPerOrigin: perOrigin, connectionTtlMs: ttlMs } = settings;
  const connections = createConnections({ max, perOrigin, ttlMs });
  const digests = new WeakMap<HttpTls, string>();

  const digestOf = (tls: HttpTls): string => {
    let digest = digests.get(tls);
    if (digest === undefined) {
      digest = createHash('sha256')
        .update(JSON.stringify([tls.ca, tls.cert, tls.key, tls.verify !== false, tls.servername]))
        .digest('base64');
      digests.set(tls, digest);
    }
    return digest;
  };

  const open = (origin: string, tls: HttpTls, destination: Destination): Opened => {
    const { lookup, connectTimeoutMs: timeoutMs } = settings;
    let cancel = (): void => {};
    const client = new Client(origin, {
      connect: (target, done) => {
        cancel = connectGuarded(target, { destination, lookup, tls, timeoutMs }, done);
      },
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: settings.keepAliveMs,
      keepAliveMaxTimeout: settings.connectionTtlMs,
      keepAliveTimeoutThreshold: 1_000,
      // The client's own total deadline covers both; undici's timers restart on every byte.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { client, cancel: () => cancel() };
  };

  return {
    get(origin, tls, allowCidrs = []) {
      const ranges = allowCidrs.length > 1 ? [...allowCidrs].sort() : allowCidrs;
      const key = `${origin} ${tls === undefined ? '' : digestOf(tls)} ${ranges.join(',')}`;
      const known = connections.get(key);
      if (known !== undefined) return known;
      const destination = allowedDestination(settings.egress, origin, allowCidrs);
      return connections.add(key, () => open(origin, tls ?? {}, destination));
    },
    size: connections.size,
    destroy: connections.destroy,
  };
}

// A host is judged when it is added; a refused one is not, so every request to it is judged again.
function allowedDestination(
  egress: EgressPolicy,
  origin: string,
  allowCidrs: readonly string[],
): Destination {
  let destination: Destination;
  try {
    destination = egress.destination(new URL(origin).hostname, allowCidrs);
  } catch (error) {
    throw new HttpFailure('denied', (error as Error).message, { sent: false });
  }
  const refused = destination.refuseHost();
  if (refused !== null) throw new HttpFailure('denied', refused, { sent: false });
  return destination;
}
