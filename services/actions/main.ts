// The action workers: commands in, effects, results and dead letters out; one consumer group per type.
import { hostname } from 'node:os';
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { createDatabaseClient } from '@tocsin/adapters/database/client.ts';
import { createPostgresEffects, pruneEffects } from '@tocsin/adapters/effects/postgres.ts';
import { createRedisEffects } from '@tocsin/adapters/effects/redis.ts';
import { createFileStore } from '@tocsin/adapters/files/directory.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { createLineLog } from '@tocsin/adapters/line-log/file.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createCheckStore } from '@tocsin/adapters/postgres/check-store.ts';
import { createIncidentStore } from '@tocsin/adapters/postgres/incident-store.ts';
import { openDatabase } from '@tocsin/adapters/postgres/migrate.ts';
import { createMitreStore } from '@tocsin/adapters/postgres/mitre-store.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { createRiskStore } from '@tocsin/adapters/postgres/risk-store.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { createScriptHosts } from '@tocsin/adapters/script-host/hosts.ts';
import { openSecrets } from '@tocsin/adapters/secrets/open-secrets.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { createMailer } from '@tocsin/adapters/smtp/mailer.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import type { ActionPorts } from '@tocsin/topologies/domain/action/define-action.ts';
import { actionFlows } from '@tocsin/topologies/flows/actions.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { createConnectionChecks } from '@tocsin/topologies/run/connection-checks.ts';
import { createConnectionLookup, laneSettingsOf } from '@tocsin/topologies/run/connections.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { createPerformer } from '@tocsin/topologies/run/perform.ts';
import { keepMsOf, pruneHourly } from '@tocsin/topologies/run/prune.ts';
import { recordsOf } from '@tocsin/topologies/run/records.ts';
import { startRequestConsumer } from '@tocsin/topologies/run/request-consumer.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { readConfig } from './config.ts';

const config = readConfig();

await runService(config.service, async (context) => {
  const { logger, metrics, clock, signal, fail, onStop } = context;
  const client = await openLogClient(config.log);
  const pool = createPool({
    connectionString: config.databaseUrl,
    applicationName: 'tocsin-actions',
    logger,
  });
  onStop(() => pool.end());
  const redis = connectRedis({ url: config.redisUrl, name: 'tocsin-actions', logger });
  onStop(() => redis.disconnect());
  const source = createConfigSource({
    client,
    directory: config.configDir,
    logger,
    metrics,
    onFailure: fail,
  });
  onStop(() => source.stop());
  await source.start();

  const egress = createEgressPolicy(config.egress);
  const http = createHttpClient({ egress });
  onStop(() => http.close());
  const lineLog = createLineLog({
    path: config.logFile,
    ...(config.logToStdout ? { echo: process.stdout } : {}),
  });
  onStop(() => lineLog.close());
  const database = createDatabaseClient({ egress });
  onStop(() => database.close());
  const files = createFileStore({ folder: config.reportFolder, maxBytes: config.reportMaxBytes });
  const lake = createFileStore({
    folder: config.exportFolder,
    maxBytes: config.exportMaxBytes,
    names: 'paths',
  });
  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());
  // Not destroyed: that would end the pool, which is ended above.
  const db = openDatabase(pool);
  const mail = createMailer({ egress });
  const syslog = createSyslogClient({ egress });
  const scripts = createScriptHosts({ http, egress });
  const ports: ActionPorts = {
    http,
    mail,
    lineLog,
    database,
    files,
    lake,
    syslog,
    records: recordsOf(outbox),
    incidents: createIncidentStore(db),
    risks: createRiskStore(db),
    mitre: createMitreStore(db),
    scripts,
    clock,
  };
  const ledgers = { fast: createRedisEffects(redis), durable: createPostgresEffects(pool) };
  const secrets = openSecrets({
    env: config.environment,
    sql: pool,
    keyringFile: config.keyringFile,
    now: clock.now,
    registerSecret: (value) => logger.registerSecret(value),
  });
  void pruneHourly({
    prune: (before, limit) => pruneEffects(pool, before, limit),
    keepMs: keepMsOf(commandTopic('any')),
    pieces: 10_000,
    what: 'effects ledger',
    clock,
    logger,
    signal,
  });
  const connection = createConnectionLookup(() => source.table, secrets);

  for (const flow of actionFlows.filter(({ title }) => config.types.includes(title))) {
    const action = actions[flow.title as keyof typeof actions];
    const { needs, ledger, lane } = action.manifest;
    const service = `actions/${flow.title}`;
    const common = {
      service,
      outbox,
      clock,
      metrics,
      logger: logger.child({ type: flow.title }),
      signal,
      onFailure: fail,
    };
    const performer = createPerformer({
      ...common,
      action,
      ports: Object.fromEntries(needs.map((need) => [need, ports[need]])),
      effects: ledgers[ledger],
      timers: createTimers({ ...common, client, input: commandTopic(flow.title).name }),
      connection,
      laneSettings: laneSettingsOf(() => source.table, lane),
    });
    source.onChange((changes) => {
      for (const { kind, id } of changes) if (kind === 'connection') performer.connectionChanged(id);
    });
    const consumer = client.consumer({
      group: flow.group?.id ?? '',
      topics: flow.reads.map((topic) => topic.name),
      handler: performer,
      onFailure: fail,
      onNotice: (notice) => {
        metrics.count('tocsin_consumer_notices_total', { service, kind: notice.kind });
        logger.info(notice.message, { kind: notice.kind, type: flow.title });
      },
    });
    onStop(() => consumer.stop());
    await consumer.start();
  }

  const asked = startRequestConsumer({
    client,
    group: groups.connectionChecks.id,
    topic: topics.connectionChecks.name,
    handler: createConnectionChecks({
      table: () => source.table,
      secrets,
      ports: { http, mail, database, syslog, scripts },
      store: createCheckStore(db),
      actions,
      worker: hostname(),
      clock,
      logger,
    }),
    what: 'connection check',
    clock,
    logger,
  });
  onStop(() => asked.stop());
});
