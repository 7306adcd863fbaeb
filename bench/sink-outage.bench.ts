// Resident memory of a sink whose receiver is away, and when it is back. `node bench/sink-outage.bench.ts [seconds] [events]` prints one JSON object.
//
// Surprise: the sink is `./tocsin sink run` as a user would start it; memory during an outage does not depend on its length but on what
// may wait, so minutes show what hours would. `load` goes on during the outage.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@tocsin/local/ports.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { rssMbOf } from '@tocsin/testing/resident-memory.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { preload } from './sinks/load.ts';

const [secondsText = '120', eventsText = '1000000'] = process.argv.slice(2);
const seconds = Number(secondsText);
const events = Number(eventsText);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const scratch = scratchFolder('bench-outage');
const kafka = await startKafka({ dataDir: join(scratch.path, 'kafka'), say });
const repository = new URL('..', import.meta.url).pathname;
const children = [];
try {
  const port = await freePort();
  const topic = `outage-${randomBytes(4).toString('hex')}`;
  const file = join(scratch.path, 'sink.json');
  writeFileSync(
    file,
    JSON.stringify({
      sink: { id: 'bench', type: 'splunk-hec', params: {} },
      connection: {
        type: 'http',
        protocol: 'http',
        allow_insecure: true,
        host: '127.0.0.1',
        port,
        secrets: { token: { env: 'HEC_TOKEN' } },
      },
      kafka: { brokers: [kafka.brokers] },
      topics: [topic],
      dead_letters: { file: join(scratch.path, 'letters') },
      report_s: 1,
    }),
  );
  await preload(kafka.brokers, topic, events / 2);
  const sink = spawn(
    process.execPath,
    [join(repository, 'infra/local/cli.ts'), 'sink', 'run', '--config', file],
    {
      env: { MALLOC_ARENA_MAX: '2', ...process.env, HEC_TOKEN: 'bench' },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  children.push(sink);
  const ended = new Promise<never>((_, reject) =>
    sink.once('exit', (code) => reject(new Error(`the sink ended with ${code}`))),
  );
  let delivered = 0;
  createInterface({ input: sink.stdout }).on('line', (line) => {
    delivered = (JSON.parse(line) as { delivered: number }).delivered;
  });
  const most = async (until: () => boolean): Promise<number> => {
    let highest = 0;
    while (!until()) {
      highest = Math.max(highest, rssMbOf(sink.pid ?? 0));
      await Promise.race([delay(200), ended]);
    }
    return highest;
  };
  const end = Date.now() + seconds * 1000;
  const [during] = await Promise.all([
    most(() => Date.now() > end),
    preload(kafka.brokers, topic, events / 2),
  ]);
  say(`away for ${seconds} s: ${during} MB, ${delivered} delivered`);
  const receiver = spawn(process.execPath, [
    join(repository, 'infra/testing/receivers/hec-null.ts'),
    String(port),
  ]);
  children.push(receiver);
  const back = Date.now();
  const afterwards = await most(() => delivered >= events);
  process.stdout.write(
    `${JSON.stringify({
      bench: 'sink outage',
      away_s: seconds,
      events,
      rss_mb_away: during,
      rss_mb_afterwards: afterwards,
      caught_up_s: Math.round((Date.now() - back) / 1000),
      machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
      date: new Date().toISOString(),
    })}\n`,
  );
} finally {
  for (const child of children) child.kill('SIGKILL');
  await kafka.stop();
  scratch.remove();
}
