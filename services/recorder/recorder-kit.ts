// For tests: a consumer of the recorder on a real broker, with a database of its own.
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { migrate, openDatabase } from '@tocsin/adapters/postgres/migrate.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { silentLogger } from '@tocsin/adapters/postgres/silent-logger.ts';
import { kafkaBrokers, newDatabase, uniqueName } from '@tocsin/testing/servers.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import type { RecordBatchesOptions } from './record-batches.ts';

const metrics = { count: () => undefined, gauge: () => undefined, observe: () => undefined };

export type RecorderKit = Awaited<ReturnType<typeof openRecorderKit>>;

export async function openRecorderKit(name: string) {
  const client = await openLogClient(parseLogSettings({ KAFKA_BROKERS: kafkaBrokers() }, `${name}-test`));
  const admin = client.admin();
  const producer = client.producer();
  const connectionString = await newDatabase();
  const connect = (url: string) =>
    createPool({ connectionString: url, applicationName: `${name}-test`, logger: silentLogger });
  const pool = connect(connectionString);
  const db = openDatabase(pool);
  await migrate(db);
  await admin.ensureTopics([
    { name: topics.deadLetters.name, partitions: 1, replicationFactor: 1, config: {} },
  ]);

  return {
    client,
    admin,
    producer,
    pool,
    db,
    connectionString,
    /** Over another way to the same database. */
    open: (url: string) => openDatabase(connect(url)),
    async start(topic: string, group: string, handlerOf: (options: RecordBatchesOptions) => BatchHandler) {
      const outbox = createOutbox({ producer, clock: systemClock, logger: silentLogger });
      const failures: Error[] = [];
      const consumer = client.consumer({
        group,
        topics: [topic],
        commitIntervalMs: 100,
        onFailure: (error) => failures.push(error),
        handler: handlerOf({ outbox, clock: systemClock, metrics, logger: silentLogger, retryMs: 50 }),
      });
      await consumer.start();
      return { failures, stop: () => consumer.stop() };
    },
    async newTopic(): Promise<string> {
      const topic = uniqueName(name);
      await admin.ensureTopics([{ name: topic, partitions: 2, replicationFactor: 1, config: {} }]);
      return topic;
    },
    async waiting(group: string, topic: string): Promise<number> {
      const lag = await admin.lag(group, [topic]);
      return lag.reduce((sum, each) => sum + each.records, 0);
    },
    /** Dead letters whose source begins so. */
    async deadLetters(source: string) {
      const found: { reason: string; value: Buffer | null }[] = [];
      const table = client.table({
        topic: topics.deadLetters.name,
        onBatch(batch) {
          for (let index = 0; index < batch.count; index += 1) {
            const headers = new Map(batch.headers(index).map(([key, value]) => [key, value.toString()]));
            if (!headers.get('x-dlq-source')?.startsWith(source)) continue;
            const value = batch.value(index);
            found.push({
              reason: headers.get('x-dlq-reason') ?? '',
              value: value === null ? null : Buffer.from(value),
            });
          }
        },
      });
      await table.start();
      await table.stop();
      return found;
    },
    async close() {
      await producer.close();
      await admin.close();
      await db.destroy();
    },
  };
}
