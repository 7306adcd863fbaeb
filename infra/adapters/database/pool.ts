// Sessions of every server that is written to: opened when needed, kept while they are used, never more than the server's limit.
//
// Invariant: no byte goes to an address that the egress policy has not seen; who waits for a session waits in turn.
// Surprise: credentials are part of the key, so that a rotated password opens new sessions and the old ones run out.
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { DatabaseFailure, type DatabaseServer } from '@tocsin/topologies/ports/database.ts';
import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import { connectGuarded } from '../http/connect.ts';
import { type EgressPolicy, plainHost } from '../http/egress-policy.ts';
import type { Lookup } from '../http/resolve.ts';
import type { Driver, Session } from './session.ts';

export interface Lease {
  readonly session: Session;
  /** It served somebody before, and the server may have ended it since. */
  readonly reused: boolean;
}

export interface SessionPool {
  /** Rejects with DatabaseFailure for the way to the server, with the driver's error for what came behind. */
  take(server: DatabaseServer, driver: Driver, fresh: boolean): Promise<Lease>;
  /** Gives a session back; a lost one makes room for another. */
  give(server: DatabaseServer, session: Session): void;
  close(): void;
}

interface Shelf {
  readonly idle: { readonly session: Session; readonly since: number }[];
  open: number;
  readonly waiting: (() => void)[];
}

export interface PoolSettings {
  readonly egress: EgressPolicy;
  readonly lookup: Lookup;
  readonly connectTimeoutMs: number;
  /** How long a session is kept unused, ms. */
  readonly idleMs: number;
}

/** `serverKey` tells servers apart without holding their secrets. */
export function serverKey(server: DatabaseServer): string {
  return createHash('sha256').update(JSON.stringify(server)).digest('base64');
}

export function createSessionPool(settings: PoolSettings): SessionPool {
  const shelves = new Map<string, Shelf>();
  let closed = false;
  const shelfOf = (server: DatabaseServer): Shelf => {
    const key = serverKey(server);
    let shelf = shelves.get(key);
    if (shelf === undefined) {
      shelf = { idle: [], open: 0, waiting: [] };
      shelves.set(key, shelf);
    }
    return shelf;
  };
  const drop = (shelf: Shelf, session: Session): void => {
    session.destroy();
    shelf.open -= 1;
    shelf.waiting.shift()?.();
  };
  const sweep = (): void => {
    const oldest = performance.now() - settings.idleMs;
    for (const [key, shelf] of shelves) {
      while ((shelf.idle[0]?.since ?? Number.POSITIVE_INFINITY) <= oldest)
        drop(shelf, (shelf.idle.shift() as Shelf['idle'][number]).session);
      if (shelf.open === 0 && shelf.waiting.length === 0) shelves.delete(key);
    }
  };
  const timer = setInterval(sweep, Math.max(100, settings.idleMs / 4)).unref();

  async function take(server: DatabaseServer, driver: Driver, fresh: boolean): Promise<Lease> {
    const shelf = shelfOf(server);
    for (;;) {
      const kept = shelf.idle.pop();
      if (kept !== undefined && (fresh || kept.session.lost())) drop(shelf, kept.session);
      else if (kept !== undefined) return { session: kept.session, reused: true };
      else if (shelf.open < server.maxSessions) break;
      else await new Promise<void>((resolve) => shelf.waiting.push(resolve));
    }
    shelf.open += 1;
    try {
      return { session: await connectSession(server, driver, settings), reused: false };
    } catch (error) {
      shelf.open -= 1;
      shelf.waiting.shift()?.();
      throw error;
    }
  }

  return {
    take,
    give(server, session) {
      const shelf = shelfOf(server);
      if (closed || session.lost()) return drop(shelf, session);
      shelf.idle.push({ session, since: performance.now() });
      shelf.waiting.shift()?.();
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const { idle } of shelves.values()) for (const { session } of idle) session.destroy();
      shelves.clear();
    },
  };
}

async function connectSession(
  server: DatabaseServer,
  driver: Driver,
  settings: PoolSettings,
): Promise<Session> {
  const socket = await connect(server, settings);
  // A server that greets and then says nothing.
  const timer = setTimeout(() => socket.destroy(), server.timeoutMs);
  try {
    return await driver.open(socket, server);
  } finally {
    clearTimeout(timer);
  }
}

async function connect(server: DatabaseServer, settings: PoolSettings): Promise<Socket> {
  const { egress, lookup, connectTimeoutMs } = settings;
  const host = plainHost(server.host);
  try {
    const destination = egress.destination(host, server.allowCidrs);
    const target = { hostname: host, port: String(server.port), protocol: 'database:' };
    const timeoutMs = Math.min(connectTimeoutMs, server.timeoutMs);
    return await new Promise<Socket>((resolve, reject) => {
      connectGuarded(target, { destination, lookup, tls: {}, timeoutMs }, (error, socket) =>
        socket === null ? reject(error) : resolve(socket),
      );
    });
  } catch (error) {
    // A malformed range in the connection's list refuses, it does not widen.
    if (error instanceof RangeError) throw new DatabaseFailure('denied', error.message);
    if (!(error instanceof HttpFailure)) throw error;
    const failure = error.failure === 'denied' || error.failure === 'dns' ? error.failure : 'connect';
    throw new DatabaseFailure(failure, error.message, { cause: error });
  }
}
