// Servers of the project `it`: Kafka, Redis and PostgreSQL, started once for all test files on data that is thrown away.
// Whatever KAFKA_BROKERS, REDIS_URL or DATABASE_URL names is used as it is and never stopped.
import { randomBytes } from 'node:crypto';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { startPostgres } from '@tocsin/local/servers/postgres.ts';
import { startRedis } from '@tocsin/local/servers/redis.ts';
import type { TestProject } from 'vitest/node';
import { dropDatabases } from './database.ts';
import { scratchFolder } from './scratch.ts';
import './provided.ts';

type Stoppable = { stop(): Promise<void> };

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = scratchFolder('it');
  const started: Stoppable[] = [];
  const keep = <Server extends Stoppable>(server: Server): Server => {
    started.push(server);
    return server;
  };
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const env = process.env;
  const dataDir = (name: string) => `${scratch.path}/${name}`;
  const teardown = async () => {
    await Promise.all(started.map((server) => server.stop()));
    scratch.remove();
  };
  // All are awaited even when one fails: what did start has to be stopped.
  const results = await Promise.allSettled([
    env.KAFKA_BROKERS || startKafka({ dataDir: dataDir('kafka'), say }).then((kafka) => keep(kafka).brokers),
    env.REDIS_URL || startRedis({ dataDir: dataDir('redis'), say }).then((redis) => keep(redis).url),
    env.DATABASE_URL ||
      startPostgres({
        dataDir: dataDir('postgres'),
        settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
        say,
      }).then((postgres) => keep(postgres).url),
  ]);
  const urls: string[] = [];
  for (const result of results) {
    if (result.status === 'rejected') {
      await teardown();
      throw result.reason;
    }
    urls.push(result.value);
  }
  const [kafka = '', redis = '', postgres = ''] = urls;
  project.provide('kafka', kafka);
  project.provide('redis', redis);
  project.provide('postgres', postgres);
  const databasePrefix = `tocsin_test_${randomBytes(4).toString('hex')}_`;
  project.provide('databasePrefix', databasePrefix);
  return async () => {
    if (env.DATABASE_URL) await dropDatabases(postgres, databasePrefix);
    await teardown();
  };
}
