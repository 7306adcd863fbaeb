// Throughput of a sink: a preloaded Kafka topic to a counting receiver that stores nothing, the sink in a process of its own.
//
// Surprise: the first round warms the compiler up and is not counted; CPU is that of the sink process alone, kernel time
// included, from the first batch to the last delivery.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { Plan, RoundResult } from './sink.child.ts';

const overHttp: Connection = {
  kind: 'connection',
  id: 'null',
  type: 'http',
  protocol: 'http',
  allow_insecure: true,
  host: '127.0.0.1',
};
const partitions = 4;
const findingBytes = 407;

/** A finding of exactly 407 bytes, in the shape of the SIEM guide's own example. */
function finding(number: number): string {
  const id = String(number).padStart(8, '0');
  const severity = ['critical', 'high', 'medium', 'low'][number % 4]!;
  const event = (description: string): string =>
    JSON.stringify({
      event: 'finding.new',
      timestamp: new Date(1_777_377_600_000 + number).toISOString(),
      data: {
        finding_id: `f-${id}`,
        title: 'SQL Injection in /api/login',
        severity,
        cvss: 9.8,
        asset: { id: `a-${number % 1000}`, name: `host${number % 1000}.example.com`, type: 'domain' },
        scan_id: 'sc-44021',
        description,
        remediation: 'Use parameterized queries or an ORM.',
      },
    });
  const text = 'User input is passed directly to SQL query without parameterization. ';
  return event(
    text
      .padEnd(text.length + findingBytes - Buffer.byteLength(event(text)), '.')
      .slice(0, text.length + findingBytes - event(text).length),
  );
}

const children: ChildProcess[] = [];

function start(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
  flags: readonly string[] = [],
): ChildProcess {
  const path = new URL(file, import.meta.url).pathname;
  const child = spawn(process.execPath, [...flags, path, ...args], {
    // As infra/local/stack.ts starts services.
    env: { MALLOC_ARENA_MAX: '2', ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function* lines(child: ChildProcess): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: child.stdout! }))
    yield JSON.parse(line) as Record<string, unknown>;
}

async function preload(brokers: string, topic: string, events: number): Promise<void> {
  const client = await openLogClient(
    parseLogSettings({ ...process.env, KAFKA_BROKERS: brokers }, 'bench-producer'),
  );
  const admin = client.admin();
  await admin.ensureTopics([{ name: topic, partitions, replicationFactor: 1, config: {} }]);
  await admin.close();
  const producer = client.producer();
  for (let from = 0; from < events; from += 5_000) {
    const records: OutRecord[] = [];
    for (let n = from; n < Math.min(events, from + 5_000); n++)
      records.push({ topic, key: `a-${n % 1000}`, value: finding(n), partition: n % partitions });
    await producer.send(records);
  }
  await producer.close();
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Runs the benchmark with `[--gzip] [--filters] [events] [rounds] [flags of node…]` of the command line and prints one JSON object. KAFKA_BROKERS uses a
 * running broker. `receiverFile` is in infra/testing/receivers: it prints its port, answers GET /stats with its totals there or on `statsPort`,
 * and prints its authority as `ca` when it speaks TLS.
 */
export async function benchSink(
  bench: string,
  receiverFile: string,
  sink: Pick<Plan, 'type' | 'params'>,
  connection: Connection = overHttp,
): Promise<void> {
  const words = process.argv.slice(2);
  const option = (name: string): boolean => {
    const at = words.indexOf(name);
    if (at >= 0) words.splice(at, 1);
    return at >= 0;
  };
  const params = { ...sink.params, ...(option('--gzip') ? { gzip: true } : {}) };
  // All findings of the topic pass, so that all of them are counted by the receiver.
  const filters = option('--filters') ? { min_severity: 'low' as const, events: ['finding.*'] } : undefined;
  const [eventsText = '500000', roundsText = '4', ...nodeArguments] = words;
  const events = Number(eventsText);
  const rounds = Number(roundsText);
  const scratch = scratchFolder('bench-sink');
  const own = process.env['KAFKA_BROKERS']
    ? null
    : await startKafka({ dataDir: `${scratch.path}/kafka`, say });
  try {
    if (Buffer.byteLength(finding(123)) !== findingBytes) throw new Error('the finding has another size');
    const brokers = own?.brokers ?? process.env['KAFKA_BROKERS']!;
    const topic = `bench-sink-${randomBytes(4).toString('hex')}`;
    say(`loading ${events} findings of ${findingBytes} bytes`);
    await preload(brokers, topic, events);
    const receiver = start(`../../infra/testing/receivers/${receiverFile}`, [], {});
    const started = (await lines(receiver).next()).value as { port: number; statsPort?: number; ca?: string };
    const { port, statsPort = port, ca } = started;
    say(`receiver on port ${port}`);
    const tls = ca === undefined ? {} : { tls: { ca } };
    const plan: Plan = {
      topic,
      events,
      rounds: rounds + 1,
      connection: { ...connection, port, ...tls } as Connection,
      ...sink,
      params,
      ...(filters === undefined ? {} : { filters }),
    };
    const child = start(
      './sink.child.ts',
      [],
      { KAFKA_BROKERS: brokers, BENCH_PLAN: JSON.stringify(plan) },
      nodeArguments,
    );
    const results: RoundResult[] = [];
    for await (const result of lines(child)) {
      results.push(result as unknown as RoundResult);
      say(JSON.stringify(result));
    }
    if (results.length !== rounds + 1) throw new Error('the sink process ended early');
    const totals = (await (await fetch(`http://127.0.0.1:${statsPort}/stats`)).json()) as {
      events: number;
      broken: number;
      bytes: number;
    };
    const counted = results.slice(1);
    const sum = (of: (result: RoundResult) => number): number =>
      counted.reduce((total, result) => total + of(result), 0);
    const model =
      readFileSync('/proc/cpuinfo', 'utf8').match(/model name\s*:\s*(.*)/)?.[1] ?? cpus()[0]?.model;
    process.stdout.write(
      `${JSON.stringify({
        bench,
        params,
        ...(filters === undefined ? {} : { filters }),
        load: loadavg().map((load) => Math.round(load * 10) / 10),
        wire_bytes_per_event: Math.round(totals.bytes / totals.events),
        events_per_second: Math.round((events * rounds) / sum(({ seconds }) => seconds)),
        events_per_cpu_second: Math.round((events * rounds) / sum(({ cpuSeconds }) => cpuSeconds)),
        best_round_per_cpu_second: Math.round(
          Math.max(...counted.map(({ cpuSeconds }) => events / cpuSeconds)),
        ),
        rss_mb: Math.round(Math.max(...results.map(({ rssMb }) => rssMb))),
        event_bytes: findingBytes,
        // Every event passed the splice check, and the receiver counted each of them once per round, none cut off.
        validated: totals.events === events * (rounds + 1) && totals.broken === 0,
        received: totals.events,
        machine: {
          cpu: model,
          cores: cpus().length,
          memory_gb: Math.round(totalmem() / 2 ** 30),
          node: process.version,
        },
        date: new Date().toISOString(),
      })}\n`,
    );
  } finally {
    for (const child of children) child.kill('SIGTERM');
    await own?.stop();
    scratch.remove();
  }
}
