// Tocsin on servers of its own, in processes that a test may kill, freeze and start again at any moment.
//
// Invariant: whatever a test did, `stop` ends every process and removes the data.
// Surprise: the session timeout is short: after a SIGKILL the group waits for it.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { logTail } from '@tocsin/local/process.ts';
import { type Kafka, startKafka } from '@tocsin/local/servers/kafka.ts';
import { type Postgres, startPostgres } from '@tocsin/local/servers/postgres.ts';
import { type Redis, startRedis } from '@tocsin/local/servers/redis.ts';
import { ensureKeyring } from '@tocsin/local/stack.ts';
import { createMissingTopics } from '@tocsin/local/topics.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { createProcesses, type Process, writeDocuments } from './processes.ts';

export type { Process } from './processes.ts';

export interface System {
  readonly client: LogClient;
  readonly env: Readonly<Record<string, string>>;
  readonly home: string;
  readonly kafka: Kafka;
  /** Starts a service; a second instance of the same one gets a number. */
  service(name: string, env?: Readonly<Record<string, string>>): Promise<Process>;
  /** Writes documents into the folder that CONFIG_DIR names. */
  configure(documents: readonly object[]): void;
  killRedis(): Promise<void>;
  startRedis(): Promise<void>;
  killPostgres(): Promise<void>;
  startPostgres(): Promise<void>;
  stop(): Promise<void>;
}

export interface SystemOptions {
  /** False: services read the configuration topic, which the config API fills. */
  readonly configDir?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const scratch = scratchFolder('faults');
  const home = scratch.path;
  const configDir = join(home, 'config');
  mkdirSync(configDir);
  const started = await Promise.allSettled([
    startKafka({
      dataDir: join(home, 'kafka'),
      extraProperties: { 'group.min.session.timeout.ms': '1000', 'message.max.bytes': '8388608' },
    }),
    startRedis({ dataDir: join(home, 'redis') }),
    startPostgres({ dataDir: join(home, 'postgres') }),
  ]);
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    for (const result of started) if (result.status === 'fulfilled') await result.value.stop();
    scratch.remove();
    throw failed.reason;
  }
  const [kafka, firstRedis, firstPostgres] = started.map(
    (result) => (result as PromiseFulfilledResult<unknown>).value,
  ) as [Kafka, Redis, Postgres];
  let redis = firstRedis;
  let postgres = firstPostgres;
  const env: Record<string, string> = {
    KAFKA_BROKERS: kafka.brokers,
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    KAFKA_SESSION_TIMEOUT_MS: '2500',
    SECRETS_KEY_FILE: ensureKeyring(join(home, 'keyring.json')),
    BOOTSTRAP_KEY_FILE: join(home, 'first-api-key'),
    ACTION_LOG_FILE: join(home, 'actions.log'),
    LOG_LEVEL: 'info',
    ...(options.configDir === false ? {} : { CONFIG_DIR: configDir }),
    ...options.env,
  };
  await createMissingTopics(env);
  const processes = createProcesses(home, env);

  return {
    client: await openLogClient(parseLogSettings(env, 'faults')),
    env,
    home,
    kafka,
    service: processes.service,
    configure: (documents) => writeDocuments(configDir, documents),
    killRedis: () => redis.kill(),
    async startRedis() {
      redis = await startRedis({ dataDir: join(home, 'redis'), port: portOf(redis.url) });
    },
    killPostgres: () => postgres.kill(),
    async startPostgres() {
      postgres = await startPostgres({ dataDir: join(home, 'postgres'), port: portOf(postgres.url) });
    },
    async stop() {
      await processes.end();
      await Promise.all([kafka.stop(), redis.stop(), postgres.stop()]);
      // FAULTS_KEEP=1 leaves data and logs for whoever looks for the cause of a failure.
      if (process.env['FAULTS_KEEP'] !== undefined) process.stdout.write(`kept: ${home}\n`);
      else scratch.remove();
    },
  };
}

/** The key that config-api wrote at its first start. */
export function firstKey(system: System): string {
  return readFileSync(system.env['BOOTSTRAP_KEY_FILE'] as string, 'utf8').trim();
}

/** What a service wrote to its log last, for the message of a failed expectation. */
export function logOf(service: Process): string {
  return `${service.logFile}\n${logTail(service.logFile)}`;
}

/** A moment that nobody can foresee, at most `ms` away. */
export function randomPause(ms: number): Promise<void> {
  return delay(Math.random() * ms);
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
