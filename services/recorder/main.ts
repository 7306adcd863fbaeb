// The recorder: results of actions, changes of runs and dead letters become what people search.
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { createDeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import { createDeliveryStore } from '@tocsin/adapters/postgres/delivery-store.ts';
import { createHistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import { openMigratedDatabase } from '@tocsin/adapters/postgres/open-database.ts';
import { createRunStore } from '@tocsin/adapters/postgres/run-store.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import type { PerformFlow } from '@tocsin/topologies/flows/flow.ts';
import {
  deliveryRecorderFlow,
  letterRecorderFlow,
  recorderFlow,
  runRecorderFlow,
} from '@tocsin/topologies/flows/recorder.ts';
import type { Group } from '@tocsin/topologies/groups.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { keepMsOf, pruneHourly } from '@tocsin/topologies/run/prune.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { readConfig } from './config.ts';
import { createRecorder } from './record.ts';
import { createDeliveryRecorder } from './record-deliveries.ts';
import { createLetterRecorder } from './record-letters.ts';
import { createRunRecorder } from './record-runs.ts';

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
  const options = { outbox, clock, metrics, logger };
  const consume = async (flow: PerformFlow, handler: BatchHandler): Promise<void> => {
    const consumer = client.consumer({
      group: (flow.group as Group).id,
      topics: flow.reads.map((topic) => topic.name),
      handler,
      onFailure: fail,
      onNotice: (notice) => {
        metrics.count('tocsin_consumer_notices_total', { service: flow.service, kind: notice.kind });
        logger.info(notice.message, { kind: notice.kind });
      },
    });
    onStop(() => consumer.stop());
    await consumer.start();
  };
  await consume(recorderFlow, createRecorder({ ...options, history: createHistoryStore(database.db) }));
  await consume(
    deliveryRecorderFlow,
    createDeliveryRecorder({ ...options, deliveries: createDeliveryStore(database.db) }),
  );
  await consume(runRecorderFlow, createRunRecorder({ ...options, runs: createRunStore(database.db) }));
  const store = createDeadLetterStore(database.db);
  await consume(letterRecorderFlow, createLetterRecorder({ ...options, store }));
  void pruneHourly({
    prune: (before, limit) => store.prune(new Date(before), limit),
    keepMs: keepMsOf(topics.deadLetters),
    pieces: 1_000,
    what: 'dead letters',
    clock,
    logger,
    signal,
  });
});
