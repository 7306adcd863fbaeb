// The sinks: everything on the input topics forwarded to SIEM receivers; one consumer group per configured sink.
import { hostname } from 'node:os';
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { createSchemaSource } from '@tocsin/adapters/registry/schema-source.ts';
import { openSecrets } from '@tocsin/adapters/secrets/open-secrets.ts';
import { expectLargeBuffers } from '@tocsin/adapters/service/large-buffers.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { startRequestConsumer } from '@tocsin/topologies/run/request-consumer.ts';
import { createSinkDecode } from '@tocsin/topologies/run/sink-decode.ts';
import { createFleet } from '@tocsin/topologies/run/sink-fleet.ts';
import { createSinkRequests } from '@tocsin/topologies/run/sink-requests.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { readConfig } from './config.ts';

expectLargeBuffers();
const config = readConfig();

await runService(config.service, async (context) => {
  const { logger, metrics, clock, fail, onStop } = context;
  const client = await openLogClient(config.log);
  const egress = createEgressPolicy(config.egress);
  const http = createHttpClient({ egress });
  onStop(() => http.close());
  const pool =
    config.databaseUrl === null
      ? null
      : createPool({ connectionString: config.databaseUrl, applicationName: 'tocsin-sinks', logger, max: 2 });
  onStop(() => pool?.end());
  const secrets = openSecrets({
    env: config.environment,
    sql: pool,
    keyringFile: config.keyringFile,
    now: clock.now,
    registerSecret: (value) => logger.registerSecret(value),
  });
  const producer = client.producer();
  onStop(() => producer.close());
  const letters = createOutbox({ producer, clock, logger });
  onStop(() => letters.stop());

  const source = createConfigSource({
    client,
    directory: config.configDir,
    logger,
    metrics,
    onFailure: fail,
  });
  onStop(() => source.stop());
  await source.start();
  const resources = {
    client,
    ports: { http, syslog: createSyslogClient({ egress }) },
    hostName: hostname(),
    secrets,
    letters,
    decode: createSinkDecode(createSchemaSource(config.environment)),
    clock,
    random: Math.random,
    metrics,
    logger,
    news: letters,
  };
  const fleet = createFleet({ ...resources, only: config.only });
  onStop(() => fleet.stop());
  source.onChange(() => void fleet.apply(source.table));
  await fleet.apply(source.table);

  const asked = startRequestConsumer({
    client,
    group: groups.sinkRequests.id,
    topic: topics.sinkRequests.name,
    handler: createSinkRequests({ ...resources, table: () => source.table }),
    what: 'sink request',
    clock,
    logger,
  });
  onStop(() => asked.stop());
});
