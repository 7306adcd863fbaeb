// The application over a real database, for tests: as main.ts puts it together, without a listener.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPepper, openKeyring } from '@tocsin/adapters/postgres/api-keys.ts';
import { createApprovalStore } from '@tocsin/adapters/postgres/approval-store.ts';
import { createAuditStore } from '@tocsin/adapters/postgres/audit-store.ts';
import { createFirstKey } from '@tocsin/adapters/postgres/bootstrap-key.ts';
import { createCheckStore } from '@tocsin/adapters/postgres/check-store.ts';
import { createConfigStore } from '@tocsin/adapters/postgres/config-store.ts';
import { createDeadLetterSearch } from '@tocsin/adapters/postgres/dead-letter-search.ts';
import { createDeliveryStore } from '@tocsin/adapters/postgres/delivery-store.ts';
import { createHistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import { createIncidentDesk } from '@tocsin/adapters/postgres/incident-desk.ts';
import { migrate, openDatabase } from '@tocsin/adapters/postgres/migrate.ts';
import { createMitreSearch } from '@tocsin/adapters/postgres/mitre-store.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { publishedHead } from '@tocsin/adapters/postgres/publish-version.ts';
import { createRiskSearch } from '@tocsin/adapters/postgres/risk-search.ts';
import { createRunSearch } from '@tocsin/adapters/postgres/run-search.ts';
import { parseKeyring } from '@tocsin/adapters/secrets/keyring.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { fakeClock } from '@tocsin/topologies/ports/fakes/clock.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { createStreamHub } from '@tocsin/topologies/run/event-stream/stream-hub.ts';
import { sinks } from '@tocsin/topologies/sinks/registry.ts';
import type { LightMyRequestResponse } from 'fastify';
import { type AppSettings, createApp } from './app.ts';
import type { Dependencies } from './dependencies.ts';
import { createPaging } from './paging.ts';
import { streamTopics } from './stream-query.ts';
import { createVault } from './vault.ts';

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export interface Request {
  readonly method?: string;
  readonly url: string;
  readonly key?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An event stream without places: every client is refused, and no answer is endless. */
function memoryStreams(): Dependencies['events'] {
  const clock = fakeClock();
  const log = fakeLog({ clock });
  return createStreamHub({
    log,
    admin: log.admin(),
    topics: streamTopics,
    clock,
    metrics: fakeMetrics(),
    logger: silentLogger,
    limits: { clientsPerKey: 0 },
  });
}

export async function openTestApi(
  databaseUrl: string,
  change: Partial<Dependencies> = {},
  settings: AppSettings = {},
) {
  const pool = createPool({
    connectionString: databaseUrl,
    applicationName: 'tocsin-test',
    logger: silentLogger,
  });
  const db = openDatabase(pool);
  await migrate(db);
  const pepper = await loadPepper(db);
  const keyFile = join(tmpdir(), `tocsin-key-${randomBytes(6).toString('hex')}`);
  const first = await createFirstKey(db, pepper, keyFile);
  const adminKey = first === null ? '' : (await readFile(keyFile, 'utf8')).trim();
  const keyring = openKeyring({ db, connectionString: databaseUrl, pepper, logger: silentLogger });
  await keyring.refresh();
  const secretKeys = parseKeyring(
    JSON.stringify({ active: 'k1', keys: { k1: randomBytes(32).toString('base64') } }),
  );
  const dependencies: Dependencies = {
    store: createConfigStore(db),
    readOnly: null,
    db,
    keyring,
    pepper,
    vault: createVault(db, secretKeys),
    history: createHistoryStore(db),
    catalogue: { actions, sinks },
    paging: createPaging(pepper),
    lag: async () => [],
    runs: createRunSearch(db),
    approvals: createApprovalStore(db),
    audit: createAuditStore(db),
    incidents: createIncidentDesk(db),
    risks: createRiskSearch(db),
    mitre: createMitreSearch(db),
    events: memoryStreams(),
    letters: createDeadLetterSearch(db),
    deliveries: createDeliveryStore(db),
    checks: createCheckStore(db),
    producer: { send: async () => undefined },
    playbookHead: (id) => publishedHead(db, id),
    publicUrl: null,
    logger: silentLogger,
    ...change,
  };
  const { http, routes } = await createApp(dependencies, settings);
  await http.ready();

  /** `key` null sends none; left out sends the admin key. A string body is sent as it is. */
  function call({
    method = 'GET',
    url,
    key = adminKey,
    body,
    headers = {},
  }: Request): Promise<LightMyRequestResponse> {
    return http.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
  }

  return {
    http,
    routes,
    pool,
    db,
    keyring,
    keyFile,
    secretKeys,
    adminKey,
    dependencies,
    call,
    /** Pages of a list, each of at most two entries, until there are no more. */
    async pages<Item>(url: string, key: string | null = adminKey): Promise<Item[][]> {
      const pages: Item[][] = [];
      let cursor: string | null = null;
      do {
        const next: string = `${url}${url.includes('?') ? '&' : '?'}limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
        const page = (await call({ url: next, key })).json() as { items: Item[]; next_cursor: string | null };
        pages.push(page.items);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return pages;
    },
    async close() {
      await http.close();
      await keyring.stop();
      await db.destroy();
    },
  };
}

export type TestApi = Awaited<ReturnType<typeof openTestApi>>;
