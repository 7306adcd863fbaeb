// Servers that the environment names are used and none is started; the keyring is made once.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, expect, it } from 'vitest';
import { benchmarkNames, chooseBenchmark } from './commands/bench.ts';
import { withoutPassword } from './commands/up.ts';
import { ensureKeyring, ensureStackId, startServers } from './stack.ts';
import { restartPause } from './supervise.ts';

const scratch = scratchFolder('stack');
afterAll(() => scratch.remove());

it('takes all three servers from the environment', async () => {
  const env = { KAFKA_BROKERS: 'kafka:9092', REDIS_URL: 'redis://r', DATABASE_URL: 'postgres://p' };
  const servers = await startServers({ home: join(scratch.path, 'given'), env });
  expect(servers.env).toEqual(env);
  expect(servers.given.sort()).toEqual(['DATABASE_URL', 'KAFKA_BROKERS', 'REDIS_URL']);
  await servers.stop();
  for (const name of ['kafka', 'redis', 'postgres'])
    expect(existsSync(join(scratch.path, 'given', name))).toBe(false);
});

it('makes a keyring that only its owner reads, and keeps it', () => {
  const file = ensureKeyring(join(scratch.path, 'keyring.json'));
  expect(statSync(file).mode & 0o777).toBe(0o400);
  const text = readFileSync(file, 'utf8');
  const keyring = JSON.parse(text) as { active: string; keys: Record<string, string> };
  expect(Buffer.from(keyring.keys[keyring.active] ?? '', 'base64')).toHaveLength(32);
  ensureKeyring(file);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

it('has one id per folder, different from that of another one', () => {
  const [one, two] = ['one', 'two'].map((name) => join(scratch.path, name)) as [string, string];
  expect(ensureStackId(one)).toMatch(/^[0-9a-f]{8}$/);
  expect(ensureStackId(one)).toBe(ensureStackId(one));
  expect(ensureStackId(one)).not.toBe(ensureStackId(two));
});

it.each([
  ['postgres://tocsin:secret@127.0.0.1:5432/postgres', 'postgres://tocsin:***@127.0.0.1:5432/postgres'],
  ['redis://:secret@127.0.0.1:6379', 'redis://:***@127.0.0.1:6379'],
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
])('shows %s without its password', (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});

it('waits longer after every failure, at most 30 s', () => {
  expect([1, 2, 3, 20].map(restartPause)).toEqual([500, 1_000, 2_000, 30_000]);
});

it('finds a benchmark by its words, the longest name first', () => {
  const names = ['log', 'sink', 'sink-hec'];
  expect(chooseBenchmark(['sink', 'hec', '--seconds', '5'], names)).toEqual({
    name: 'sink-hec',
    args: ['--seconds', '5'],
  });
  expect(chooseBenchmark(['log', '--json'], names)).toEqual({ name: 'log', args: ['--json'] });
  expect(chooseBenchmark(['nothing'], names)).toBeUndefined();
  expect(chooseBenchmark(['../secrets'], benchmarkNames())).toBeUndefined();
});
