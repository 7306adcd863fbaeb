// The config API: people and pipelines change configuration here; PostgreSQL keeps it, the outbox publishes it.
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
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
import { listen } from '@tocsin/adapters/postgres/listen.ts';
import { createMitreSearch } from '@tocsin/adapters/postgres/mitre-store.ts';
import { openMigratedDatabase } from '@tocsin/adapters/postgres/open-database.ts';
import { startOutbox } from '@tocsin/adapters/postgres/outbox.ts';
import { publishedHead } from '@tocsin/adapters/postgres/publish-version.ts';
import { startRedriveQueue } from '@tocsin/adapters/postgres/redrive-queue.ts';
import { createRiskSearch } from '@tocsin/adapters/postgres/risk-search.ts';
import { createRunSearch } from '@tocsin/adapters/postgres/run-search.ts';
import { loadKeyring } from '@tocsin/adapters/secrets/keyring.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { allTopics, topicSpec } from '@tocsin/topologies/all-topics.ts';
import type { LogAdmin } from '@tocsin/topologies/ports/log.ts';
import { createStreamHub } from '@tocsin/topologies/run/event-stream/stream-hub.ts';
import { watchLag } from '@tocsin/topologies/run/lag-watch.ts';
import { sinks } from '@tocsin/topologies/sinks/registry.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';
import { createDirectoryStore, readOnlyReason } from './directory-store.ts';
import { createPaging } from './paging.ts';
import { groupReaders } from './routes/lag.ts';
import { streamTopics } from './stream-query.ts';
import { checkKeyring, createVault } from './vault.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, check, onStop }) => {
  const { databaseUrl: connectionString } = config;
  const secretKeys = loadKeyring(config.keyringFile);
  const database = await openMigratedDatabase({
    connectionString,
    applicationName: 'tocsin-config-api',
    logger,
    clock,
    signal,
  });
  const { pool, db } = database;
  onStop(() => database.close());
  await checkKeyring(db, secretKeys);
  const pepper = await loadPepper(db);
  const firstKey = await createFirstKey(db, pepper, config.firstKeyFile);
  if (firstKey !== null) logger.info('first admin key written', { file: config.firstKeyFile, id: firstKey });
  const keyring = openKeyring({ db, connectionString, pepper, logger });
  onStop(() => keyring.stop());
  check('database', () => keyring.fresh || 'does not answer');

  const client = await openLogClient(config.log);
  const admin = client.admin();
  onStop(() => admin.close());
  let store = createConfigStore(db);
  if (config.configDir !== null) {
    const source = createConfigSource({
      client,
      directory: config.configDir,
      logger,
      metrics,
      onFailure: fail,
    });
    onStop(() => source.stop());
    await source.start();
    store = createDirectoryStore(() => source.table, store, new Date(clock.now()));
  }

  const events = createStreamHub({
    log: client,
    admin,
    topics: streamTopics,
    clock,
    metrics,
    logger,
    limits: config.stream,
  });
  const producer = client.producer();
  onStop(() => producer.close());

  const { http } = await createApp(
    {
      store,
      readOnly: config.configDir === null ? null : readOnlyReason,
      db,
      keyring,
      pepper,
      vault: createVault(db, secretKeys),
      history: createHistoryStore(db),
      catalogue: { actions, sinks },
      paging: createPaging(pepper),
      lag: (group, names) => admin.lag(group, names),
      runs: createRunSearch(db),
      approvals: createApprovalStore(db),
      audit: createAuditStore(db),
      incidents: createIncidentDesk(db),
      risks: createRiskSearch(db),
      mitre: createMitreSearch(db),
      events,
      letters: createDeadLetterSearch(db),
      deliveries: createDeliveryStore(db),
      checks: createCheckStore(db),
      producer,
      playbookHead:
        config.configDir === null ? (id) => publishedHead(db, id) : (id) => store.get('playbook', id),
      publicUrl: config.publicUrl,
      logger,
    },
    { rateLimit: config.rateLimit },
  );
  onStop(() => http.close());
  const address = await http.listen({ host: config.http.host, port: config.http.port });
  logger.info('API listens', { address, docs: `${address}/docs` });

  // After the API listens: it is of use without the log, and what is written waits in the outbox.
  for (let made = false; !made && !signal.aborted; ) {
    made = await createTopics(admin).then(
      (created) => {
        if (created.length > 0) logger.info('topics created', { created });
        return true;
      },
      async (error: unknown) => {
        logger.warn('topics cannot be created yet, trying again', { error: String(error) });
        await clock.sleep(1_000, signal).catch(() => undefined);
        return false;
      },
    );
  }
  // Here, because lag of a dead service must still be measured, and only the API knows all configured sinks.
  void watchLag({ admin, groups: () => groupReaders(store), clock, metrics, logger, signal });
  const outbox = startOutbox({
    pool,
    producer,
    topics: {
      config: topics.config.name,
      audit: topics.audit.name,
      'playbook-versions': topics.playbookVersions.name,
      events: topics.events.name,
    },
    logger,
  });
  onStop(() => outbox.stop());
  const redrives = startRedriveQueue({ pool, producer, logger, metrics, perSecond: config.redrivePerSecond });
  onStop(() => redrives.stop());
  const listener = listen({
    connectionString,
    channel: 'tocsin_outbox',
    onWake: () => outbox.wake(),
    logger,
  });
  onStop(() => listener.stop());
});

/** Topics that exist are left as they are: the cluster may be somebody else's. */
async function createTopics(admin: LogAdmin): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const missing = allTopics().filter((topic) => !existing.has(topic.name));
  return missing.length === 0 ? [] : admin.ensureTopics(missing.map((topic) => topicSpec(topic)));
}
