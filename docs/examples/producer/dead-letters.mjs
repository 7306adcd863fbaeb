// Prints what is in dead-letters.v1 now, one line of JSON each: why, who gave up, and where the record was.
//
//   KAFKA_BROKERS=127.0.0.1:9092 node docs/examples/producer/dead-letters.mjs
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';

const topic = 'dead-letters.v1';
const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const kafka = new Kafka({ clientId: 'example-dead-letters', brokers, logLevel: logLevel.NOTHING });

const admin = kafka.admin();
await admin.connect();
const groupId = `example-dead-letters-${randomUUID()}`;
const wanted = new Map();
for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
  if (Number(high) > Number(low)) wanted.set(partition, Number(high) - 1);

if (wanted.size > 0) {
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          const last = wanted.get(partition);
          if (last === undefined) return;
          const header = (name) => message.headers?.[`x-dlq-${name}`]?.toString();
          const letter = Object.fromEntries(
            ['service', 'reason', 'error', 'source', 'at'].map((name) => [name, header(name)]),
          );
          process.stdout.write(`${JSON.stringify(letter)}\n`);
          if (Number(message.offset) >= last) wanted.delete(partition);
          if (wanted.size === 0) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
}
await admin.disconnect();
