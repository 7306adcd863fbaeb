// The shared servers answer, and each test file gets a database of its own.
import { connect } from 'node:net';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { listsBrokers } from '@tocsin/local/servers/kafka-probe.ts';
import { expect, it } from 'vitest';
import { kafkaBrokers, newDatabase, postgresUrl, redisUrl } from './servers.ts';

const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };

async function databaseName(url: string): Promise<string> {
  const pool = createPool({ connectionString: url, applicationName: 'test', logger, max: 1 });
  const { rows } = await pool.query<{ name: string }>('select current_database() as name');
  await pool.end();
  return rows[0]?.name ?? '';
}

it('gives a Kafka broker that lists itself', async () => {
  const [first = ''] = kafkaBrokers().split(',');
  expect(await listsBrokers(Number(first.split(':')[1]), 1)).toBe(true);
});

it('gives a Redis that wants its password', async () => {
  const url = new URL(redisUrl());
  const socket = connect(Number(url.port), url.hostname);
  socket.write(`PING\r\nAUTH ${url.password}\r\nPING\r\n`);
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.endsWith('+PONG\r\n')) break;
  }
  expect(answer.split('\r\n')).toEqual(['-NOAUTH Authentication required.', '+OK', '+PONG', '']);
});

it('gives one database per file and new ones on request', async () => {
  const mine = await databaseName(await postgresUrl());
  expect(await databaseName(await postgresUrl())).toBe(mine);
  expect(await databaseName(await newDatabase())).not.toBe(mine);
});
