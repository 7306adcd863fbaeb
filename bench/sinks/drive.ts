// Throughput of a sink: a preloaded Kafka topic to a counting receiver that stores nothing, the sink in a process of its own.
//
// Surprise: the first round warms the compiler up and is not counted; CPU is that of the sink process alone, kernel time
// included, from the first batch to the last delivery.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { finding, findingBytes, preload } from './load.ts';
import { type PeerMapping, peerProgram, runPeer } from './peer.ts';
import type { Plan, RoundResult } from './sink.child.ts';

const overHttp: Connection = {
  kind: 'connection',
  id: 'null',
  type: 'http',
  protocol: 'http',
  allow_insecure: true,
  host: '127.0.0.1',
};
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

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Runs the benchmark with `[--gzip] [--filters] [--peer] [events] [rounds] [flags of node…]` of the command line and prints one JSON object. KAFKA_BROKERS uses a
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
  const withPeer = option('--peer');
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
    const peers: Record<string, object> = {};
    if (withPeer) {
      const program = peerProgram(say);
      const url = `http://127.0.0.1:${port}/services/collector/event`;
      const peerPlan = { brokers, topic, url, events, gzip: 'gzip' in params };
      for (const mapping of ['fast', 'parse'] as const satisfies readonly PeerMapping[]) {
        const runs = [];
        for (let number = 0; number < rounds; number += 1) {
          runs.push(await runPeer(program, peerPlan, mapping, `${topic}.${mapping}.${number}`));
          say(`peer, ${mapping}: ${JSON.stringify(runs.at(-1))}`);
        }
        peers[mapping] = {
          events_per_cpu_second: Math.round(
            (events * rounds) / runs.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0),
          ),
          rss_mb: Math.round(Math.max(...runs.map(({ rssMb }) => rssMb))),
        };
      }
    }
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
        ...(withPeer ? { peers } : {}),
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
