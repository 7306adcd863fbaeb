// The embedded servers keep their data over a clean stop and over a crash, and end with the process that started them.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import type { LogAdmin } from '@tocsin/topologies/ports/log.ts';
import { afterAll, expect, it } from 'vitest';
import { processIdentity } from '../process.ts';
import { startKafka } from './kafka.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

const scratch = scratchFolder('servers');
afterAll(() => scratch.remove());

const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };

async function withAdmin<T>(brokers: string, use: (admin: LogAdmin) => Promise<T>) {
  const admin = (await openLogClient(parseLogSettings({ KAFKA_BROKERS: brokers }, 'test'))).admin();
  try {
    return await use(admin);
  } finally {
    await admin.close();
  }
}

async function sql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const pool = createPool({ connectionString: url, applicationName: 'test', logger, max: 1 });
  try {
    return (await pool.query<Record<string, unknown>>(text)).rows;
  } finally {
    await pool.end();
  }
}

/** Sends commands and answers everything until the server closes the connection (QUIT). */
async function redis(url: string, ...commands: string[]): Promise<string[]> {
  const { port, hostname, password } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write([`AUTH ${password}`, ...commands, 'QUIT', ''].join('\r\n'));
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer.split('\r\n').slice(1, -2);
}

it('Kafka keeps topics over a stop and over a crash, on another port, and creates none by itself', async () => {
  const dataDir = join(scratch.path, 'kafka');
  const topic = {
    name: 'kept',
    partitions: 3,
    replicationFactor: -1,
    config: { 'cleanup.policy': 'compact' },
  };
  const first = await startKafka({ dataDir });
  await withAdmin(first.brokers, (admin) => admin.ensureTopics([topic]));
  await first.stop();
  const second = await startKafka({ dataDir });
  expect(second.brokers).not.toBe(first.brokers);
  expect(await withAdmin(second.brokers, (admin) => admin.listTopics())).toEqual(['kept']);
  await second.kill(0);
  expect(second.pids).toEqual([0]);
  const third = await startKafka({ dataDir });
  expect(await withAdmin(third.brokers, (admin) => admin.partitionCount('kept'))).toBe(3);
  await expect(withAdmin(third.brokers, (admin) => admin.partitionCount('absent'))).rejects.toThrow(
    'does not exist',
  );
  await third.stop();
});

it('three Kafka brokers form one cluster that outlives a kill', async () => {
  const kafka = await startKafka({
    dataDir: join(scratch.path, 'kafka three'),
    brokers: 3,
    extraListeners: { SECURE: 'SASL_PLAINTEXT' },
    extraProperties: {
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.secure.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="wonder";',
    },
  });
  try {
    expect(kafka.brokers.split(',')).toHaveLength(3);
    const topic = {
      name: 'spread',
      partitions: 6,
      replicationFactor: 3,
      config: { 'min.insync.replicas': '2' },
    };
    expect(await withAdmin(kafka.brokers, (admin) => admin.ensureTopics([topic]))).toEqual(['spread']);
    await kafka.kill(1);
    expect(await withAdmin(kafka.brokers, (admin) => admin.partitionCount('spread'))).toBe(6);
    await kafka.restart(1);
    expect(kafka.pids.every((pid) => processIdentity(pid) !== undefined)).toBe(true);
    const secure = { KAFKA_BROKERS: kafka.listeners.SECURE ?? '' };
    const sasl = {
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_SASL_USERNAME: 'alice',
      KAFKA_SASL_PASSWORD: 'wonder',
    };
    const admin = (await openLogClient(parseLogSettings({ ...secure, ...sasl }, 'test'))).admin();
    expect(await admin.listTopics()).toContain('spread');
    await admin.close();
  } finally {
    await kafka.stop();
  }
});

it('Redis keeps keys over a stop, keeps all but the last second over a crash, and heals a torn file', async () => {
  const dataDir = join(scratch.path, 'redis with space');
  const first = await startRedis({ dataDir });
  expect(await redis(first.url, 'SET a 1', 'CONFIG GET maxmemory-policy')).toContain('noeviction');
  await first.stop();
  const second = await startRedis({ dataDir });
  expect(await redis(second.url, 'GET a')).toEqual(['$1', '1']);
  await redis(second.url, 'SET b 2');
  await delay(1_500);
  await second.kill();
  const file = join(dataDir, 'appendonly.aof');
  const { truncateSync } = await import('node:fs');
  truncateSync(file, statSync(file).size - 3);
  const third = await startRedis({ dataDir });
  expect(await redis(third.url, 'GET a')).toEqual(['$1', '1']);
  await third.stop();
  expect(statSync(join(dataDir, 'redis.conf')).mode & 0o077).toBe(0);
});

it('PostgreSQL keeps rows over a stop and a crash, wants its password, and never runs as root', async () => {
  const dataDir = join(scratch.path, 'postgres with space');
  const first = await startPostgres({ dataDir });
  if (process.platform === 'linux') {
    const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${first.pid}/status`, 'utf8'))?.[1];
    expect(uid).not.toBe('0');
  }
  await sql(first.url, 'create table kept as select 1 as n');
  const wrong = new URL(first.url);
  wrong.password = 'wrong';
  await expect(sql(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
  await first.stop();
  const second = await startPostgres({ dataDir });
  await sql(second.url, 'insert into kept values (2)');
  await second.kill();
  const third = await startPostgres({ dataDir });
  expect(await sql(third.url, 'select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  expect(statSync(join(dataDir, 'password')).mode & 0o077).toBe(0);
  await third.stop();
});

it('leaves nothing behind when the process that started them is killed', async () => {
  const program = `
    import { startKafka } from '@tocsin/local/servers/kafka.ts';
    import { startPostgres } from '@tocsin/local/servers/postgres.ts';
    import { startRedis } from '@tocsin/local/servers/redis.ts';
    const at = (name) => ({ dataDir: process.argv[1] + '/' + name });
    const [kafka, redis, postgres] = await Promise.all([startKafka(at('k')), startRedis(at('r')), startPostgres(at('p'))]);
    console.log([kafka.pids[0], redis.pid, postgres.pid].join(' '));
    setInterval(() => {}, 1000);`;
  const dir = join(scratch.path, 'orphans');
  const start = async (): Promise<{ child: ChildProcess; pids: number[] }> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) =>
      child.stdout?.once('data', (chunk) => resolve(String(chunk))),
    );
    return { child, pids: line.trim().split(' ').map(Number) };
  };
  const { child, pids } = await start();
  expect(pids.map((pid) => processIdentity(pid) !== undefined)).toEqual([true, true, true]);
  child.kill('SIGKILL');
  const deadline = performance.now() + 12_000;
  while (pids.some((pid) => processIdentity(pid) !== undefined) && performance.now() < deadline)
    await delay(50);
  expect(pids.map((pid) => processIdentity(pid))).toEqual([undefined, undefined, undefined]);
  // The next start finds a clean folder, also when it begins at once.
  const again = await start();
  again.child.kill('SIGKILL');
  const third = await start();
  third.child.kill('SIGKILL');
  while (third.pids.some((pid) => processIdentity(pid) !== undefined)) await delay(50);
});
