// The evaluator: findings, search results and the engine's own events in; commands out.
import { createConfigSource } from '@tocsin/adapters/config/config-source.ts';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createSchemaSource } from '@tocsin/adapters/registry/schema-source.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { evaluatorFlow } from '@tocsin/topologies/flows/evaluator.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { createDecider } from '@tocsin/topologies/run/decide.ts';
import { evaluatorTables } from '@tocsin/topologies/run/evaluator-tables.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { readConfig } from './config.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, onStop }) => {
  const client = await openLogClient(config.log);
  const source = createConfigSource({
    client,
    directory: config.configDir,
    logger,
    metrics,
    onFailure: fail,
  });
  let tables = evaluatorTables(source.table);
  source.onChange(() => {
    tables = evaluatorTables(source.table);
    for (const problem of tables.problems) logger.error('rule left out', { problem });
  });
  onStop(() => source.stop());
  await source.start();

  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());
  const consumer = client.consumer({
    group: groups.evaluator.id,
    topics: evaluatorFlow.reads.map((topic) => topic.name),
    handler: createDecider({
      service: evaluatorFlow.service,
      inputs: evaluatorFlow.reads,
      tables: () => tables,
      schemas: createSchemaSource(config.environment),
      outbox,
      clock,
      metrics,
      logger,
      signal,
    }),
    onFailure: fail,
    onNotice: (notice) => {
      metrics.count('tocsin_consumer_notices_total', { service: evaluatorFlow.service, kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  onStop(() => consumer.stop());
  await consumer.start();
});
