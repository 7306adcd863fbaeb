// `bench log`: records per second of CPU time for reading and writing Kafka, both adapters and kafkajs by itself, in one run.
//
// Invariant: each measurement is a process of its own, so that its CPU time is its own; the broker's is not counted. The
// first tenth of the records warms up and is not measured.
//
// Usage: node bench/log.bench.ts [records]. KAFKA_BROKERS names a broker to use; otherwise one is started. Prints JSON.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import type { Measurement } from './log.subjects.ts';

const PARTITIONS = 4;
const records = Number(process.argv[2] ?? 1_000_000);
const subjects = fileURLToPath(new URL('./log.subjects.ts', import.meta.url));

async function measure(name: string, brokers: string, topic: string): Promise<Measurement> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [subjects, name, brokers, topic, String(records)],
    { timeout: 300_000 },
  );
  return JSON.parse(stdout) as Measurement;
}

async function run(brokers: string): Promise<void> {
  const admin = (
    await openLogClient({
      client: 'platformatic',
      brokers: brokers.split(','),
      clientId: 'bench',
    })
  ).admin();
  const topic = async (name: string) => {
    const unique = `bench-${name}-${process.pid}`;
    await admin.ensureTopics([{ name: unique, partitions: PARTITIONS, replicationFactor: 1, config: {} }]);
    return unique;
  };
  const input = await topic('input');
  const results: Measurement[] = [await measure('produce/platformatic', brokers, input)];
  for (const name of ['produce/kafkajs', 'produce/kafkajs-plain'])
    results.push(await measure(name, brokers, await topic(name.replace('/', '-'))));
  // Twice each, in turn, and the better one: the machine is shared.
  for (const name of [
    'fetch/platformatic',
    'fetch/kafkajs',
    'fetch/kafkajs-documented',
    'fetch/kafkajs-plain',
  ]) {
    const [first, second] = [await measure(name, brokers, input), await measure(name, brokers, input)];
    results.push(first.recordsPerCpuSecond > second.recordsPerCpuSecond ? first : second);
  }
  await admin.close();
  const rate = (name: string) => results.find((result) => result.name === name)!.recordsPerCpuSecond;
  const ratio = (name: string, baseline: string) => Math.round((rate(name) / rate(baseline)) * 100) / 100;
  const fetchRatio = ratio('fetch/platformatic', 'fetch/kafkajs-documented');
  const report = {
    date: new Date().toISOString(),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
    records,
    recordBytes: 407,
    results,
    /** CPU efficiency relative to kafkajs as its documentation shows it, and to the least that kafkajs can do. */
    ratio: {
      fetch: {
        documented: fetchRatio,
        plain: ratio('fetch/platformatic', 'fetch/kafkajs-plain'),
        adapterOnKafkajs: ratio('fetch/kafkajs', 'fetch/kafkajs-documented'),
      },
      produce: {
        plain: ratio('produce/platformatic', 'produce/kafkajs-plain'),
        adapterOnKafkajs: ratio('produce/kafkajs', 'produce/kafkajs-plain'),
      },
    },
    target: { fetchRatio: 2.5, against: 'kafkajs-documented', met: fetchRatio >= 2.5 },
  };
  console.log(JSON.stringify(report, null, 2));
  if (!report.target.met) process.exitCode = 1;
}

if (process.env.KAFKA_BROKERS) {
  await run(process.env.KAFKA_BROKERS);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'bench-log-'));
  const kafka = await startKafka({ dataDir: folder });
  try {
    await run(kafka.brokers);
  } finally {
    await kafka.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
