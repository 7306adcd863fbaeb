// The database port: sessions from the pool, one transaction per write, every failure one of the closed list.
//
// Invariant: a write that failed has not happened, unless its commit was sent and nothing came back: that one is 'uncertain'.
// Surprise: a kept session may have been ended by the server; the transaction then begins once more on a new one.
import {
  type DatabaseCheckPort,
  type DatabaseEngine,
  DatabaseFailure,
  type DatabasePort,
  type DatabaseServer,
  type Statement,
  type TableShape,
  type WriteReceipt,
} from '@tocsin/topologies/ports/database.ts';
import { createEgressPolicy, type EgressPolicy } from '../http/egress-policy.ts';
import { type Lookup, lookupSystem } from '../http/resolve.ts';
import { isTlsCode } from '../http/tls-code.ts';
import { mysql } from './mysql.ts';
import { createSessionPool, type Lease, serverKey } from './pool.ts';
import { postgres } from './postgres.ts';
import type { Driver, Session } from './session.ts';
import { sqlserver } from './sqlserver.ts';

export interface DatabaseClientSettings {
  /** Default: mode open with nothing added. */
  readonly egress?: EgressPolicy;
  readonly lookup?: Lookup;
  readonly connectTimeoutMs?: number;
  readonly idleMs?: number;
  /** How long the look of a table is believed, ms; a write that misses a column looks again. */
  readonly shapeMs?: number;
}

export interface DatabaseClient extends DatabasePort, DatabaseCheckPort {
  close(): void;
}

const drivers: Readonly<Record<DatabaseEngine, Driver>> = { postgres, mysql, mariadb: mysql, sqlserver };
const maxShapes = 1_000;

interface Work<T> {
  readonly server: DatabaseServer;
  readonly signal: AbortSignal | undefined;
  /** On a session that logs in now. */
  readonly fresh?: boolean;
  /** `sealing` is called right before the commit goes out. */
  readonly run: (session: Session, driver: Driver, sealing: () => void) => Promise<T>;
}

export function createDatabaseClient(settings: DatabaseClientSettings = {}): DatabaseClient {
  const pool = createSessionPool({
    egress: settings.egress ?? createEgressPolicy({ mode: 'open' }),
    lookup: settings.lookup ?? lookupSystem,
    connectTimeoutMs: settings.connectTimeoutMs ?? 10_000,
    idleMs: settings.idleMs ?? 30_000,
  });
  const shapes = new Map<string, { readonly shape: TableShape; readonly until: number }>();

  /** The work in a transaction, within the time of the server; the session is given back or ended. */
  async function inTransaction<T>({ server, signal, fresh = false, run }: Work<T>): Promise<T> {
    const driver = drivers[server.engine];
    let lease: Lease | null = null;
    let sealed = false;
    let stopped: DatabaseFailure | null = null;
    let stop: (failure: DatabaseFailure) => void = () => undefined;
    const ended = new Promise<never>((_, reject) => {
      stop = (failure) => {
        stopped ??= failure;
        lease?.session.destroy();
        reject(stopped);
      };
    });
    ended.catch(() => undefined);
    const onAbort = (): void => stop(new DatabaseFailure('aborted', 'the worker is stopping'));
    const timer = setTimeout(
      () => stop(new DatabaseFailure('timeout', `not done within ${server.timeoutMs} ms`)),
      server.timeoutMs,
    );
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    // A driver may leave a call open for ever when its session is ended under it.
    const guarded = <Value>(call: Promise<Value>): Promise<Value> => Promise.race([call, ended]);
    // Also when this call is over by then: a session that comes late goes back to the pool.
    const take = async (isNew: boolean): Promise<Lease> => {
      const taking = pool.take(server, driver, isNew);
      void taking.then(
        ({ session }) => stopped !== null && pool.give(server, session),
        () => undefined,
      );
      return guarded(taking);
    };
    try {
      lease = await take(fresh);
      try {
        await guarded(driver.begin(lease.session, server));
      } catch (error) {
        if (stopped !== null || !lease.reused || isAnswer(error, driver)) throw error;
        lease.session.destroy();
        pool.give(server, lease.session);
        lease = null;
        lease = await take(true);
        await guarded(driver.begin(lease.session, server));
      }
      const { session } = lease;
      return await guarded(
        run(session, driver, () => {
          sealed = true;
        }),
      );
    } catch (error) {
      const session = lease?.session ?? null;
      const failure = stopped ?? failureOf(error as Error, driver, session);
      const answered = stopped === null && session !== null && isAnswer(error, driver);
      if (!answered) session?.destroy();
      else await guarded(session.run('ROLLBACK')).catch(() => session.destroy());
      const uncertain = sealed && !answered;
      throw uncertain
        ? new DatabaseFailure(failure.failure, `${failure.message}; the commit was sent`, {
            uncertain,
            cause: error,
          })
        : failure;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (lease !== null) pool.give(server, lease.session);
    }
  }

  return {
    async ping(server, signal) {
      await inTransaction({
        server,
        signal,
        fresh: true,
        run: async (session) => {
          await session.run('SELECT 1');
          await session.run('COMMIT');
        },
      });
    },
    async describe(server, table, signal) {
      const key = `${serverKey(server)} ${JSON.stringify(table)}`;
      const known = shapes.get(key);
      if (known !== undefined && known.until > performance.now()) return known.shape;
      const shape = await inTransaction({
        server,
        signal,
        run: async (session, driver) => {
          const found = await driver.describe(session, table);
          await session.run('COMMIT');
          return found;
        },
      });
      if (shapes.size >= maxShapes) shapes.clear();
      if (shape !== null) shapes.set(key, { shape, until: performance.now() + (settings.shapeMs ?? 60_000) });
      return shape;
    },
    async write(server, statements, signal) {
      try {
        return await inTransaction({
          server,
          signal,
          run: (session, _driver, sealing) => writeAll(session, statements, sealing),
        });
      } catch (error) {
        // The table may have changed since it was looked at.
        if (error instanceof DatabaseFailure && error.failure === 'object') shapes.clear();
        throw error;
      }
    },
    close: () => pool.close(),
  };
}

async function writeAll(
  session: Session,
  statements: readonly Statement[],
  sealing: () => void,
): Promise<WriteReceipt> {
  const affected: number[] = [];
  for (const { sql, values, mustCount } of statements) {
    const result = await session.run(sql, values);
    if (mustCount === undefined) affected.push(result.affected);
    else if (Number(result.rows[0]?.[0]) !== mustCount)
      throw new DatabaseFailure('unique', 'another row has the value of another unique index');
  }
  sealing();
  await session.run('COMMIT');
  return { affected };
}

/** The server or this file said it about the statement, and the session is still in order. */
function isAnswer(error: unknown, driver: Driver): boolean {
  if (error instanceof DatabaseFailure) return true;
  const verdict = driver.judge(error as Error);
  return verdict !== null && verdict.ends !== true;
}

// What the engine said wins; without that, the connection broke or never stood.
function failureOf(error: Error, driver: Driver, session: Session | null): DatabaseFailure {
  if (error instanceof DatabaseFailure) return error;
  const verdict = driver.judge(error);
  if (verdict !== null) return new DatabaseFailure(verdict.failure, verdict.message, { cause: error });
  const { code } = error as { code?: string };
  const text = `${code ?? error.message}`.slice(0, 200);
  if (isTlsCode(code) || /certificate/i.test(error.message))
    return new DatabaseFailure('tls', text, { cause: error });
  if (session === null) return new DatabaseFailure('connect', text, { cause: error });
  return new DatabaseFailure('reset', `the connection broke: ${text}`, { cause: error });
}
