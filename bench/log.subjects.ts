// One measurement of log.bench.ts, in a process of its own: reads or writes records and prints what it cost.
// Arguments: name, brokers, topic, number of records.
//
// Surprise: our kafkajs adapter repairs the library when it is loaded, so the plain subjects load neither.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface Measurement {
  readonly name: string;
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly recordsPerCpuSecond: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

const VALUE_BYTES = 407;
const BATCH = 1_000;

function finding(index: number): string {
  const head = `{"event":"finding.new","timestamp":"2026-04-28T12:00:00Z","data":{"id":"f-${index}","asset":{"id":"a-${index % 5000}","hostname":"srv-${index % 5000}.example.net"},"severity":"${['low', 'medium', 'high', 'critical'][index % 4]}","cve":"CVE-2026-${10000 + (index % 9000)}","port":${index % 65536},"evidence":"`;
  return `${head}${'x'.repeat(VALUE_BYTES - Buffer.byteLength(head) - 3)}"}}`;
}

/** Measures from the moment a tenth is done until all of it is done. */
class Meter {
  readonly #total: number;
  readonly #finished = Promise.withResolvers<void>();
  #count = 0;
  #began = 0;
  #startCount = 0;
  #cpu: NodeJS.CpuUsage = process.cpuUsage();
  bytes = 0;

  constructor(total: number) {
    this.#total = total;
  }

  add(records: number): void {
    this.#count += records;
    if (this.#startCount === 0 && this.#count >= this.#total / 10) {
      this.#startCount = this.#count;
      this.#began = performance.now();
      this.#cpu = process.cpuUsage();
    }
    if (this.#count >= this.#total) this.#finished.resolve();
  }

  async result(name: string): Promise<Measurement> {
    await this.#finished.promise;
    const seconds = (performance.now() - this.#began) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpuSeconds = (user + system) / 1e6;
    const records = this.#count - this.#startCount;
    return {
      name,
      records,
      recordsPerSecond: Math.round(records / seconds),
      recordsPerCpuSecond: Math.round(records / cpuSeconds),
      cpuSeconds: Math.round(cpuSeconds * 100) / 100,
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    };
  }
}

type Subject = (
  brokers: string[],
  topic: string,
  meter: Meter,
  total: number,
) => Promise<() => Promise<void>>;

const quiet = () => () => undefined;

const openLogClient: typeof import('@tocsin/adapters/log/client.ts').openLogClient =
  /-(plain|documented)$/.test(process.argv[2] ?? '')
    ? () => {
        throw new Error('a plain subject uses no adapter');
      }
    : (await import('@tocsin/adapters/log/client.ts')).openLogClient;

type KafkaJs = typeof import('@tocsin/adapters/log/kafkajs/library.ts').kafkajs;

/** kafkajs as it is installed. */
const loadPlain = (): KafkaJs =>
  createRequire(fileURLToPath(import.meta.resolve('@tocsin/adapters/package.json')))('kafkajs') as KafkaJs;

function produce(client: 'platformatic' | 'kafkajs'): Subject {
  return async (brokers, topic, meter, total) => {
    const producer = (await openLogClient({ client, brokers, clientId: 'bench' })).producer();
    for (let sent = 0; sent < total; sent += BATCH) {
      await producer.send(
        Array.from({ length: BATCH }, (_, index) => ({
          topic,
          key: `a-${index % 5000}`,
          value: finding(sent + index),
        })),
      );
      meter.add(BATCH);
    }
    return () => producer.close();
  };
}

function fetchPort(client: 'platformatic' | 'kafkajs'): Subject {
  return async (brokers, topic, meter) => {
    const consumer = (await openLogClient({ client, brokers, clientId: 'bench' })).consumer({
      group: `bench-${client}-${process.pid}`,
      topics: [topic],
      handler: {
        onBatch: async (batch, assignment) => {
          for (let index = 0; index < batch.count; index++)
            meter.bytes += batch.valueEnd[index]! - batch.valueStart[index]!;
          assignment.complete(batch.offset(0), batch.nextOffset);
          meter.add(batch.count);
        },
      },
    });
    await consumer.start();
    return () => consumer.stop();
  };
}

type Run = NonNullable<Parameters<ReturnType<InstanceType<KafkaJs['Kafka']>['consumer']>['run']>[0]>;
type EachBatchPayload = Parameters<NonNullable<Run['eachBatch']>>[0];
type Each = (payload: EachBatchPayload, meter: Meter) => Promise<void>;

function fetchPlain(each: Each): Subject {
  return async (brokers, topic, meter) => {
    const kafkajs = loadPlain();
    const consumer = new kafkajs.Kafka({ brokers, logCreator: quiet }).consumer({
      groupId: `bench-plain-${process.pid}`,
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async (payload) => {
        await each(payload, meter);
        meter.add(payload.batch.messages.length);
      },
    });
    return () => consumer.disconnect();
  };
}

const subjects: Readonly<Record<string, Subject>> = {
  'produce/platformatic': produce('platformatic'),
  'produce/kafkajs': produce('kafkajs'),
  'produce/kafkajs-plain': async (brokers, topic, meter, total) => {
    const kafkajs = loadPlain();
    const producer = new kafkajs.Kafka({ brokers, logCreator: quiet }).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (let sent = 0; sent < total; sent += BATCH) {
      await producer.send({
        topic,
        acks: -1,
        messages: Array.from({ length: BATCH }, (_, index) => ({
          key: `a-${index % 5000}`,
          value: finding(sent + index),
        })),
      });
      meter.add(BATCH);
    }
    return () => producer.disconnect();
  },
  'fetch/platformatic': fetchPort('platformatic'),
  'fetch/kafkajs': fetchPort('kafkajs'),
  'fetch/kafkajs-documented': fetchPlain(async ({ batch, resolveOffset, heartbeat }, meter) => {
    // kafka.js.org/docs/consuming-messages#a-name-each-batch-a-eachbatch: resolves and beats once per message.
    for (const message of batch.messages) {
      meter.bytes += message.value?.length ?? 0;
      resolveOffset(message.offset);
      await heartbeat();
    }
  }),
  // The least that eachBatch can do: once per batch what the documentation does once per message.
  'fetch/kafkajs-plain': fetchPlain(async ({ batch, heartbeat }, meter) => {
    for (const message of batch.messages) meter.bytes += message.value?.length ?? 0;
    await heartbeat();
  }),
};

const [name = '', brokers = '', topic = '', count = '0'] = process.argv.slice(2);
const subject = subjects[name];
if (subject !== undefined) {
  const meter = new Meter(Number(count));
  const close = await subject(brokers.split(','), topic, meter, Number(count));
  const result = await meter.result(name);
  if (name.startsWith('fetch/') && meter.bytes !== Number(count) * VALUE_BYTES)
    throw new Error(`read ${meter.bytes} bytes`);
  await close();
  console.log(JSON.stringify(result));
}
