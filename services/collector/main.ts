// The collector: chunks of runs in; commands over the whole run out.
import { randomUUID } from 'node:crypto';
import { createRedisFoldStore } from '@tocsin/adapters/fold/redis.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { collectorFlow } from '@tocsin/topologies/flows/collector.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import type { LogConsumer } from '@tocsin/topologies/ports/log.ts';
import { createCollector } from '@tocsin/topologies/run/collector.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { readConfig } from './config.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, onStop }) => {
  const client = await openLogClient(config.log);
  const redis = connectRedis({ url: config.redisUrl, name: 'tocsin-collector', logger });
  onStop(() => redis.disconnect());
  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());
  const { service } = collectorFlow;
  const common = { client, outbox, clock, metrics, logger, signal };
  const consumer: LogConsumer = client.consumer({
    group: groups.collector.id,
    topics: collectorFlow.reads.map((topic) => topic.name),
    handler: createCollector({
      ...common,
      consumer: () => consumer,
      store: createRedisFoldStore(redis),
      timers: createTimers({ ...common, service, input: topics.collections.name, onFailure: fail }),
      newToken: randomUUID,
    }),
    onFailure: fail,
    onNotice: (notice) => {
      metrics.count('tocsin_consumer_notices_total', { service, kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  onStop(() => consumer.stop());
  await consumer.start();
});
