// `bench end to end`: from the producer's send call to the first byte of the webhook at its receiver, everything on this machine.
//
// Invariant: the rate is held by the producer whatever the system does (open loop), so a stall shows as latency and not as a
// lower rate; every finding must arrive, or the run is void.
//
// Usage: node bench/end-to-end.bench.ts [findings per second] [seconds] [share of findings that fire, 0 to 1]. Prints JSON.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServers, startServices } from '@tocsin/local/stack.ts';

const rate = Number(process.argv[2] ?? 1_000);
const seconds = Number(process.argv[3] ?? 20);
const share = Number(process.argv[4] ?? 0.1);
const warmupSeconds = 10;

/** Messages of bench/end-to-end.child.ts. */
interface ReceiverBooks {
  readonly latencies: readonly number[];
  readonly duplicates: number;
}

function child(role: 'receiver' | 'producer', args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(new URL('./end-to-end.child.ts', import.meta.url)), [role, ...args]);
}

function message<T>(process: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    process.once('message', (value) => resolve(value as T));
    process.once('exit', (code) => reject(new Error(`${process.spawnargs.at(2)} ended with ${code}`)));
  });
}

function percentile(sorted: readonly number[], part: number): number {
  return Number((sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN).toFixed(1));
}

const home = mkdtempSync(join(tmpdir(), 'tocsin-bench-'));
mkdirSync(join(home, 'config'));
const receiver = child('receiver', []);
const { port } = await message<{ port: number }>(receiver);
writeFileSync(
  join(home, 'config', 'bench.json'),
  JSON.stringify([
    {
      kind: 'connection',
      id: 'hook',
      type: 'http',
      host: '127.0.0.1',
      port,
      protocol: 'http',
      allow_insecure: true,
      allow_cidrs: ['127.0.0.0/8'],
      concurrency: 32,
    },
    { kind: 'action', id: 'hook', type: 'webhook', connection: 'hook', params: {} },
    {
      kind: 'rule',
      id: 'critical',
      when: { events: ['finding.new'], min_severity: 'critical' },
      then: [{ action: 'hook' }],
    },
  ]),
);
const servers = await startServers({ home, env: {} });
const services = await startServices({
  home,
  servers: servers.env,
  names: ['config-api', 'recorder', 'actions', 'evaluator'],
  env: { CONFIG_DIR: join(home, 'config'), LOG_LEVEL: 'warn' },
});
try {
  await services.healthy(60_000);
  const producer = child('producer', [
    servers.env.KAFKA_BROKERS,
    String(rate),
    String(warmupSeconds),
    String(seconds),
    String(share),
  ]);
  const { fired } = await message<{ fired: number }>(producer);
  let books: ReceiverBooks = { latencies: [], duplicates: 0 };
  for (
    const deadline = performance.now() + 60_000;
    books.latencies.length < fired && performance.now() < deadline;
  ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    receiver.send('books');
    books = await message<ReceiverBooks>(receiver);
  }
  const sorted = [...books.latencies].sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      benchmark: 'end to end',
      valid: sorted.length === fired && books.duplicates === 0,
      findings_per_second: rate,
      seconds,
      webhooks: fired,
      arrived: sorted.length,
      duplicates: books.duplicates,
      latency_ms: {
        p50: percentile(sorted, 0.5),
        p90: percentile(sorted, 0.9),
        p99: percentile(sorted, 0.99),
        max: percentile(sorted, 1),
      },
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', node: process.version },
      date: new Date().toISOString(),
    }),
  );
} finally {
  await services.stop();
  await servers.stop();
  receiver.kill();
  rmSync(home, { recursive: true, force: true });
}
