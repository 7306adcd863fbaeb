// The recorder: results of actions become the history that people search.
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createHistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import { openMigratedDatabase } from '@tocsin/adapters/postgres/open-database.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { recorderFlow } from '@tocsin/topologies/flows/recorder.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { readConfig } from './config.ts';
import { createRecorder } from './record.ts';

const config = readConfig();

await runService(config.service, async ({ logger, metrics, clock, signal, fail, onStop }) => {
  const database = await openMigratedDatabase({
    connectionString: config.databaseUrl,
    applicationName: 'tocsin-recorder',
    logger,
    clock,
    signal,
  });
  onStop(() => database.close());
  const client = await openLogClient(config.log);
  const producer = client.producer();
  onStop(() => producer.close());
  const outbox = createOutbox({ producer, clock, logger });
  onStop(() => outbox.stop());
  const consumer = client.consumer({
    group: groups.recorder.id,
    topics: recorderFlow.reads.map((topic) => topic.name),
    handler: createRecorder({ history: createHistoryStore(database.db), outbox, clock, metrics, logger }),
    onFailure: fail,
    onNotice: (notice) => {
      metrics.count('tocsin_consumer_notices_total', { service: recorderFlow.service, kind: notice.kind });
      logger.info(notice.message, { kind: notice.kind });
    },
  });
  onStop(() => consumer.stop());
  await consumer.start();
});
