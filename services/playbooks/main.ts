// The playbook service: inputs of runs become commands, timers and history; events find the runs that wait for them.
import { randomUUID } from 'node:crypto';
import { createPlaybookVersions } from '@tocsin/adapters/config/playbook-versions.ts';
import { createRedisFoldStore } from '@tocsin/adapters/fold/redis.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { createPlaybookConsumers } from '@tocsin/topologies/run/playbooks/consumers.ts';
import { checkPartitions } from './check-partitions.ts';
import { readConfig } from './config.ts';
import { publishFiles } from './publish-files.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, onStop }) => {
  const redis = connectRedis({ url: config.redisUrl, name: 'tocsin-playbooks', logger });
  onStop(() => redis.disconnect());
  const client = await openLogClient(config.log);
  await checkPartitions(client);
  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());

  const versions = createPlaybookVersions({
    client,
    producer: outbox,
    logger,
    metrics,
    onFailure: fail,
  });
  onStop(() => versions.stop());
  await versions.start();
  if (config.configDir !== null)
    onStop(await publishFiles({ directory: config.configDir, versions, logger, onFailure: fail }));

  const consumers = createPlaybookConsumers({
    client,
    store: createRedisFoldStore(redis),
    outbox,
    versions,
    clock,
    newToken: randomUUID,
    metrics,
    logger,
    signal,
    onFailure: fail,
    onNotice: ({ service, title }, { kind, message }) => {
      metrics.count('tocsin_consumer_notices_total', { service, kind });
      logger.info(message, { kind, flow: title });
    },
  });
  for (const consumer of [consumers.correlations, consumers.runs]) {
    onStop(() => consumer.stop());
    await consumer.start();
  }
});
