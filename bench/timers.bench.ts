// `bench timers`: memory of pending timers, time to take them over, and lateness while they fire, on a real Kafka.
//
// Invariant: the measured process only owns timers; whoever filled the topic was another process, so its garbage is not counted.
// Surprise: lateness ends with the acknowledgement of the input by Kafka, which runs on the same machine.
//
// Usage: node bench/timers.bench.ts [pending] [fires per second] [seconds]. KAFKA_BROKERS names a broker to use; otherwise one is
// started. Prints JSON.
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { topicSpec } from '@tocsin/topologies/all-topics.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import type { TimersReport } from './timers.child.ts';

const [pending = 1_000_000, rate = 2_000, seconds = 20] = process.argv.slice(2).map(Number);
const child = fileURLToPath(new URL('./timers.child.ts', import.meta.url));

async function runChild(...args: readonly (string | number)[]): Promise<string> {
  const flags = ['--expose-gc', child, ...args.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 600_000 });
  return stdout;
}

async function run(brokers: string): Promise<void> {
  const client = await openLogClient({
    client: 'platformatic',
    brokers: brokers.split(','),
    clientId: 'bench',
  });
  const admin = client.admin();
  const base = `bench-timers-${process.pid}`;
  const names = { timers: `${base}-timers`, input: `${base}-input` };
  await admin.ensureTopics([
    topicSpec({ ...topics.timers, name: names.timers }),
    topicSpec({ ...topics.results, name: names.input }),
  ]);
  await admin.close();
  await runChild('fill', brokers, names.timers, names.input, pending);
  const owner = await runChild('own', brokers, names.timers, names.input, rate, seconds);
  const report = JSON.parse(owner) as TimersReport;
  const { takeOver, steady, burst } = report;
  process.stdout.write(
    `${JSON.stringify(
      {
        date: new Date().toISOString(),
        machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
        ...report,
        target: {
          memoryMegabytes: { limit: 400, met: takeOver.heapMegabytes < 400 },
          latenessP99Ms: { limit: 250, met: steady.latenessMs.p99 < 250 },
          burstSeconds: { limit: 30, met: burst.seconds < 30 },
        },
      },
      null,
      2,
    )}\n`,
  );
}

const given = process.env.KAFKA_BROKERS;
if (given) await run(given);
else {
  const scratch = scratchFolder('bench-timers');
  const kafka = await startKafka({ dataDir: scratch.path, say: (line) => process.stderr.write(`${line}\n`) });
  try {
    await run(kafka.brokers);
  } finally {
    await kafka.stop();
    scratch.remove();
  }
}
