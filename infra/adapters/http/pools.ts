// One undici pool per origin and per set of connection settings; the least recently used one is closed when there are too many.
// Invariant: two requests share a connection only when origin, TLS settings and allowed ranges are all equal.
// Surprise: a pool that is evicted finishes its requests first (close is graceful), so the bound is on pools that take new work.
import { createHash } from 'node:crypto';
import { HttpFailure, type HttpTls } from '@tocsin/topologies/ports/http.ts';
import { Pool } from 'undici';
import { connectGuarded } from './connect.ts';
import type { Destination, EgressPolicy } from './egress-policy.ts';
import type { Lookup } from './resolve.ts';

export interface PoolSettings {
  readonly egress: EgressPolicy;
  readonly lookup: Lookup;
  readonly maxPools: number;
  readonly connectionsPerPool: number;
  readonly connectTimeoutMs: number;
  /** Below the receiver's own idle time (Node 5 s, Apache 5 s, nginx 75 s), or the first byte races with its close. */
  readonly keepAliveMs: number;
  /** A connection older than this is replaced, so that a changed DNS answer is noticed. */
  readonly connectionTtlMs: number;
}

export interface Pools {
  /** `origin` as `https://host:port`. Throws HttpFailure 'denied' when the policy refuses the host or a range is malformed. */
  get(origin: string, tls: HttpTls | undefined, allowCidrs: readonly string[] | undefined): Pool;
  size(): number;
  /** Ends every connection; requests in flight fail. */
  destroy(): Promise<void>;
}

// Larger than Node's 16 KiB default: some single-sign-on proxies answer with a dozen cookies.
const MAX_HEADER_BYTES = 32 * 1024;

export function createPools(settings: PoolSettings): Pools {
  // A Map keeps insertion order: the first key is the least recently used.
  const pools = new Map<string, Pool>();
  const digests = new WeakMap<HttpTls, string>();
  const closing = new Set<Promise<void>>();

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

  const open = (origin: string, tls: HttpTls, allowCidrs: readonly string[]): Pool => {
    const destination = allowedDestination(settings.egress, origin, allowCidrs);
    const { lookup, connectTimeoutMs: timeoutMs } = settings;
    return new Pool(origin, {
      connect: (target, done) => connectGuarded(target, { destination, lookup, tls, timeoutMs }, done),
      connections: settings.connectionsPerPool,
      clientTtl: settings.connectionTtlMs,
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
  };

  const evict = (key: string, pool: Pool): void => {
    pools.delete(key);
    const closed = pool.close().catch(() => {});
    closing.add(closed);
    void closed.finally(() => closing.delete(closed));
  };

  return {
    get(origin, tls, allowCidrs = []) {
      const key = `${origin} ${tls === undefined ? '' : digestOf(tls)} ${[...allowCidrs].sort().join(',')}`;
      let pool = pools.get(key);
      if (pool !== undefined) {
        pools.delete(key);
        pools.set(key, pool);
        return pool;
      }
      pool = open(origin, tls ?? {}, allowCidrs);
      pools.set(key, pool);
      for (const [oldKey, old] of pools) {
        if (pools.size <= settings.maxPools) break;
        evict(oldKey, old);
      }
      return pool;
    },
    size: () => pools.size,
    async destroy() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pool) => pool.destroy()));
      await Promise.race([
        Promise.all(closing),
        new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
      ]);
    },
  };
}

// A host is judged when its pool opens; a refused one gets no pool, so every request to it is judged again.
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
