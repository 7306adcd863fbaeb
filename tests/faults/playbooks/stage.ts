// Kafka, Redis and engines of playbooks that a test may kill, freeze and set back in time.
//
// Invariant: `stop` ends every process and removes the data. The session timeout is short: after a SIGKILL the group waits for it.
import { type ChildProcess, fork } from 'node:child_process';
import { appendFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { connectRedis, type Redis } from '@tocsin/adapters/redis/connect.ts';
import { type Kafka, startKafka } from '@tocsin/local/servers/kafka.ts';
import { startRedis } from '@tocsin/local/servers/redis.ts';
import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { topicSpec } from '@tocsin/topologies/all-topics.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { commandTopic } from '@tocsin/topologies/topics.ts';
import { until } from '../topic.ts';

export const partitions = 6;
export const commands = commandTopic('webhook').name;

export interface EngineProcess {
  readonly pid: number;
  /** What it counted so far, by name or `name.reason`. */
  counted(name: string): number;
  /** Settles when it has ended, by whatever. */
  readonly ended: Promise<void>;
  running(): boolean;
  kill(): Promise<void>;
  /** SIGSTOP for so long, then SIGCONT. */
  freeze(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export interface Stage {
  readonly client: LogClient;
  readonly redis: Redis;
  readonly kafka: Kafka;
  readonly env: Readonly<Record<string, string>>;
  readonly home: string;
  /** Resolves when it has joined the group. `faults` are variables of engine.child.ts. */
  engine(faults?: Readonly<Record<string, string | number>>): Promise<EngineProcess>;
  /** Keeps what Redis has now, to be set back to. */
  keepRedis(): Promise<void>;
  /** Kills Redis and starts it with what was kept. */
  setRedisBack(): Promise<void>;
  /** SIGSTOP of Redis for so long. */
  freezeRedis(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startStage(): Promise<Stage> {
  const scratch = scratchFolder('faults-playbooks');
  const dataDir = join(scratch.path, 'redis');
  const [kafka, firstRedis] = await Promise.all([
    startKafka({
      dataDir: join(scratch.path, 'kafka'),
      extraProperties: { 'group.min.session.timeout.ms': '1000', 'message.max.bytes': '8388608' },
    }),
    startRedis({ dataDir }),
  ]);
  let server = firstRedis;
  const env = {
    KAFKA_BROKERS: kafka.brokers,
    REDIS_URL: server.url,
    KAFKA_SESSION_TIMEOUT_MS: '2500',
  };
  const client = await openLogClient(parseLogSettings(env, 'faults'));
  const redis = connectRedis({ url: server.url, name: 'faults', logger: fakeLogger() });
  const admin = client.admin();
  await admin.ensureTopics(
    [...Object.values(engineTopics), commandTopic('webhook')].map((topic) =>
      topicSpec({ ...topic, partitions }, 1),
    ),
  );
  await admin.close();
  const children = new Set<ChildProcess>();
  const kept = join(scratch.path, 'kept.aof');
  const appended = join(dataDir, 'appendonly.aof');
  const logFile = join(scratch.path, 'engines.log');

  async function engine(faults: Readonly<Record<string, string | number>> = {}): Promise<EngineProcess> {
    const counts = new Map<string, number>();
    const variables = Object.entries(faults).map(([name, value]) => [name, String(value)]);
    const child = fork(fileURLToPath(new URL('./engine.child.ts', import.meta.url)), [], {
      env: { ...process.env, ...env, ...Object.fromEntries(variables) },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    children.add(child);
    child.stderr?.on('data', (text) => appendFileSync(logFile, text));
    let running = true;
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => {
        running = false;
        children.delete(child);
        resolve();
      });
    });
    const ready = Promise.withResolvers<void>();
    child.on('message', (message: { ready?: true; count?: string; by?: number }) => {
      if (message.ready === true) ready.resolve();
      else if (message.count !== undefined)
        counts.set(message.count, (counts.get(message.count) ?? 0) + (message.by ?? 1));
    });
    // One that is told to die early may do so before it is ready.
    await Promise.race([ready.promise, ended]);
    return {
      pid: child.pid as number,
      counted: (name) => counts.get(name) ?? 0,
      ended,
      running: () => running,
      async kill() {
        child.kill('SIGKILL');
        await ended;
      },
      async freeze(ms) {
        child.kill('SIGSTOP');
        await pause(ms);
        child.kill('SIGCONT');
      },
      async stop() {
        if (running) child.send('stop');
        await Promise.race([ended, pause(20_000)]);
        if (running) throw new Error('the engine does not stop');
      },
    };
  }

  return {
    client,
    redis,
    kafka,
    env,
    home: scratch.path,
    engine,
    async keepRedis() {
      copyFileSync(appended, kept);
    },
    async setRedisBack() {
      const port = Number(new URL(server.url).port);
      await server.kill();
      // The copy may end in the middle of a command; Redis cuts that off (aof-load-truncated).
      copyFileSync(kept, appended);
      server = await startRedis({ dataDir, port });
      await until('Redis answers again', () =>
        redis.ping().then(
          () => true,
          () => false,
        ),
      );
    },
    async freezeRedis(ms) {
      process.kill(server.pid, 'SIGSTOP');
      await pause(ms);
      process.kill(server.pid, 'SIGCONT');
    },
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      redis.disconnect();
      await Promise.all([kafka.stop(), server.stop()]);
      // FAULTS_KEEP=1 leaves data and logs for whoever looks for the cause of a failure.
      if (process.env['FAULTS_KEEP'] !== undefined) process.stdout.write(`kept: ${scratch.path}\n`);
      else scratch.remove();
    },
  };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
