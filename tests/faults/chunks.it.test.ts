// A run in three chunks on real servers: the collector is killed between them, Redis loses everything, and its rows are
// written once.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@tocsin/adapters/postgres/silent-logger.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logOf, type Process, type System, startSystem } from './system.ts';
import { readTopic, until, untilIdle } from './topic.ts';

let system: System;
let collector: Process;

beforeAll(async () => {
  system = await startSystem();
  system.configure([
    { kind: 'action', id: 'write', type: 'log', params: {} },
    {
      kind: 'rule',
      id: 'logins',
      source: 'search-results',
      when: { 'search.job_id': 'logins', failed: { gte: 50 } },
      then: [{ action: 'write', mode: 'all' }],
    },
  ]);
  // Alone, because it migrates the database.
  await system.service('config-api', { CONFIG_DIR: '' });
  [collector] = await Promise.all([
    system.service('collector'),
    system.service('evaluator'),
    system.service('actions', { ACTIONS: 'log', ACTION_LOG_FILE: rowsFile() }),
  ]);
});

afterAll(async () => {
  await system?.stop();
});

const rowsFile = (): string => join(system.home, 'rows.log');

const rows = Array.from({ length: 30 }, (_, n) => ({ host: `dc-${n}`, failed: n % 3 === 0 ? 412 : 7 }));

async function publish(chunk: number): Promise<void> {
  const value = {
    job_id: 'logins',
    run_id: 'r1',
    chunk,
    chunks: 3,
    row_base: chunk * 10,
    rows: rows.slice(chunk * 10, chunk * 10 + 10),
  };
  const producer = system.client.producer();
  await producer.send([{ topic: topics.searchResults.name, key: 'logins', value: JSON.stringify(value) }]);
  await producer.close();
}

const sizeOf = async (topic: string): Promise<number> => (await readTopic(system.client, topic)).length;

const commands = async (): Promise<Command[]> =>
  (await readTopic(system.client, commandTopic('log').name)).map(
    ({ value }) => JSON.parse(String(value)) as Command,
  );

test('the collector is killed and Redis emptied between chunks: one command with all rows, carried out once', async () => {
  await publish(0);
  await until('chunk 0 is applied', async () => (await sizeOf(topics.collectionChanges.name)) === 1);
  await collector.kill();
  await publish(2);
  await until('chunk 2 waits', async () => (await sizeOf(topics.collections.name)) === 2);
  const redis = connectRedis({
    url: system.env['REDIS_URL'] as string,
    name: 'chunks-test',
    logger: silentLogger,
  });
  expect((await redis.keys('*collections*')).length).toBeGreaterThan(0);
  await redis.flushall();
  await redis.quit();
  await collector.start();
  await until('chunk 2 is applied', async () => (await sizeOf(topics.collectionChanges.name)) >= 2);
  expect(await commands()).toEqual([]);
  await publish(1);
  await collector.kill();
  await collector.start();
  await until('there is a command', async () => (await commands()).length > 0);
  await publish(1);
  const idle = { group: groups.collector.id, topics: [topics.collections.name] };
  const written = { group: 'tocsin.action.log', topics: [commandTopic('log').name] };
  await untilIdle(system.client, [idle, written]);

  const made = await commands();
  expect(new Set(made.map((command) => JSON.stringify(command))).size).toBe(1);
  expect(made[0]).toMatchObject({
    row_index: 'all',
    source: { id: 'logins/r1' },
    subject: { rows: rows.filter(({ failed }) => failed === 412), total_rows: 30 },
  });
  const file = rowsFile();
  // The log action writes a line for each row.
  const hosts = rows.filter(({ failed }) => failed === 412).map(({ host }) => host);
  const lines = (): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
  await until('the lines are written', () => lines().length >= hosts.length);
  expect(
    lines().map((line) => (JSON.parse(line) as { row: { host: string } }).row.host),
    logOf(collector),
  ).toEqual(hosts);
  expect(readFileSync(collector.logFile, 'utf8')).toContain('states were rebuilt from the changelog');
  expect(await readTopic(system.client, topics.deadLetters.name)).toEqual([]);
}, 180_000);
