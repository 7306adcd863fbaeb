// The measured process of `bench playbooks`: one engine, as a service has it, that tells what it used and did when asked.
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { engineTopics, startPlaybookEngine } from '@tocsin/testing/playbook-engine.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { benchProgram } from './playbook.ts';

export interface EngineUsage {
  /** Inputs applied since the start. */
  readonly inputs: number;
  /** When the last of them was, epoch ms. */
  readonly lastInputAt: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly heapMb: number;
}

/** What the process says by itself, once, counted from its own start. */
export interface EngineReady {
  readonly readySeconds: number;
}

const say = (message: string, fields?: object): void =>
  void process.stderr.write(`engine: ${message} ${JSON.stringify(fields ?? {})}\n`);
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: say,
  error: say,
  child: () => logger,
};
let inputs = 0;
let lastInputAt = 0;
const program = benchProgram();
const client = await openLogClient(parseLogSettings(process.env, 'bench-engine'));
const redis = connectRedis({ url: process.env['REDIS_URL']!, name: 'bench-engine', logger });
const engine = await startPlaybookEngine({
  client,
  redis,
  definitions: (_playbook, revision) => (revision === program.version.revision ? program : null),
  metrics: {
    count: (name, _labels, by = 1) => {
      if (name !== 'tocsin_fold_inputs_total') return;
      inputs += by;
      lastInputAt = Date.now();
    },
    gauge: () => undefined,
    observe: () => undefined,
  },
  logger,
  onFailure: (error) => {
    throw error;
  },
});

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
process.on('message', (message) => {
  if (message === 'usage') {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const usage: EngineUsage = {
      inputs,
      lastInputAt,
      cpuSeconds: (user + system) / 1e6,
      rssMb: megabytes(rss),
      heapMb: megabytes(heapUsed),
    };
    process.send?.(usage);
  } else
    void engine.stop().then(() => {
      redis.disconnect();
      process.exit(0);
    });
});

await engine.ready(engineTopics.runs.partitions);
process.send?.({ readySeconds: performance.now() / 1000 } satisfies EngineReady);
