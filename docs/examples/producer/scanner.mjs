// Answers the scan requests of the rescan action as a scanner would: kafkajs, plain JSON, no Tocsin code.
//
//   KAFKA_BROKERS=127.0.0.1:9092 node docs/examples/producer/scanner.mjs
//
// One scan for every request key, whose end is one scan.completed with the correlation id of each request. Every other scan finds its
// findings gone. It remembers fingerprints from findings.v1, as a scanner has them in its own database. Runs until SIGTERM or SIGINT.
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const kafka = new Kafka({ clientId: 'example-scanner', brokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: 'example-scanner' });

/** Fingerprints by finding id. */
const fingerprints = new Map();
/** Scans by request key: a request that is repeated starts nothing. */
const scans = new Map();

function scanOf({ request_key, asset, findings = [] }) {
  const known = scans.get(request_key);
  if (known !== undefined) return known;
  const persists = scans.size % 2 === 0;
  const open = persists ? findings.map((id) => fingerprints.get(id) ?? id) : [];
  const scan = { id: `sc-${70_000 + scans.size}`, asset, open };
  scans.set(request_key, scan);
  return scan;
}

function completed(request) {
  const scan = scanOf(request);
  return {
    id: `evt-${scan.id}-${request.command_id}`,
    event: 'scan.completed',
    timestamp: new Date().toISOString(),
    hops: request.hops,
    ...(request.tenant === undefined ? {} : { tenant: request.tenant }),
    data: {
      scan_id: scan.id,
      asset: { id: request.asset },
      correlation_id: request.correlation_id,
      open_fingerprints: scan.open,
    },
  };
}

function remember(text) {
  try {
    const { data } = JSON.parse(text);
    if (data?.fingerprint !== undefined) fingerprints.set(data.finding_id, data.fingerprint);
  } catch {
    // Somebody else's broken record.
  }
}

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: ['findings.v1', 'scan-requests.v1'], fromBeginning: true });
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    await consumer.disconnect();
    await producer.disconnect();
    process.exit(0);
  });
await consumer.run({
  eachMessage: async ({ topic, message }) => {
    if (topic === 'findings.v1') return remember(message.value.toString());
    const request = JSON.parse(message.value.toString());
    const event = completed(request);
    await producer.send({
      topic: 'findings.v1',
      acks: -1,
      messages: [{ key: request.asset, value: JSON.stringify(event) }],
    });
  },
});
