// The contract of the effects ledger against a real Redis and a real PostgreSQL, each through two connections.
import type { Socket } from 'node:net';
import { startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import { postgresUrl, redisUrl, uniqueName } from '@tocsin/testing/servers.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createPool } from '../postgres/pool.ts';
import { connectRedis, type Redis } from '../redis/connect.ts';
import { effectsContract } from './effects-contract.ts';
import { createPostgresEffects, pruneEffects } from './postgres.ts';
import { createRedisEffects } from './redis.ts';
import { ensureEffectsTable } from './schema.sql.ts';

const logger = fakeLogger();

describe('redis', () => {
  const prefix = `${uniqueName('effects')}:`;
  let connections: Redis[] = [];
  let turn = 0;
  beforeAll(() => {
    connections = [1, 2].map((n) =>
      connectRedis({ url: redisUrl(), name: `effects-test-${n}`, logger, together: n === 1 }),
    );
  });
  afterAll(async () => {
    await Promise.all(connections.map((redis) => redis.quit()));
  });
  const ledger = () => createRedisEffects(connections[turn++ % 2]!, prefix);
  effectsContract(ledger);

  it('entries are kept for nine days after begin and after finish', async () => {
    const [redis] = connections as [Redis];
    await ledger().begin('ttl', 1);
    const kept = 9 * 24 * 3600;
    expect(await redis.ttl(`${prefix}ttl`)).toBeGreaterThan(kept - 10);
    await redis.expire(`${prefix}ttl`, 100);
    await ledger().finish('ttl', { status: 'done' }, 2);
    const left = await redis.ttl(`${prefix}ttl`);
    expect(left).toBeGreaterThan(kept - 10);
    expect(left).toBeLessThanOrEqual(kept);
  });

  it('a Redis that has forgotten its scripts gets them again, in the middle of many commands', async () => {
    const [redis] = connections as [Redis];
    const own = createRedisEffects(redis, prefix);
    await own.begin('known', 1);
    await redis.script('FLUSH');
    const ids = Array.from({ length: 50 }, (_, n) => `forgotten-${n}`);
    const states = await Promise.all(ids.map((id) => own.begin(id, 1)));
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['fresh']));
    const again = await Promise.all(ids.map((id) => own.begin(id, 2)));
    expect(new Set(again.map(({ state }) => state))).toEqual(new Set(['uncertain']));
  });
});

describe('commands that go out together', () => {
  it('are fewer writes, keep their order, and each hears its own error', async () => {
    const redis = connectRedis({ url: redisUrl(), name: 'together', logger, together: true });
    const key = `${uniqueName('together')}`;
    await redis.set(key, 'text');
    const { length } = await countWrites(redis, async () => {
      const answers = await Promise.allSettled([
        ...Array.from({ length: 20 }, (_, n) => redis.append(key, String(n % 10))),
        redis.incr(key),
        redis.get(key),
      ]);
      expect(answers.at(-1)).toMatchObject({ value: `text${'0123456789'.repeat(2)}` });
      expect(answers.at(-2)).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringMatching(/not an integer/) },
      });
    });
    expect(length).toBe(1);
    await redis.quit();
  });
});

async function countWrites(redis: Redis, act: () => Promise<void>): Promise<readonly unknown[]> {
  const write = vi.spyOn((redis as unknown as { stream: Socket }).stream, 'write');
  await act();
  return write.mock.calls;
}

describe.each([false, true])('redis that does not answer (together: %s)', (together) => {
  it('fails within the command limit and does not send the command again', async () => {
    const silent = await startRawReceiver(() => {});
    const redis = connectRedis({
      url: `redis://127.0.0.1:${silent.port}`,
      name: 'silent',
      logger,
      together,
      commandTimeoutMs: 200,
    });
    const started = performance.now();
    await expect(createRedisEffects(redis).begin('x', 1)).rejects.toThrow(/timed out/i);
    expect(performance.now() - started).toBeLessThan(1_000);
    redis.disconnect();
    await silent.close();
  });

  it('fails when nobody listens, and says so once in the log', async () => {
    const own = fakeLogger();
    const redis = connectRedis({
      url: 'redis://127.0.0.1:1',
      name: 'gone',
      logger: own,
      together,
      commandTimeoutMs: 400,
    });
    await expect(createRedisEffects(redis).begin('x', 1)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 300));
    redis.disconnect();
    expect(own.entries.map((entry) => entry.message)).toEqual(['redis connection failed']);
  });
});

describe('postgres', () => {
  let pools: ReturnType<typeof createPool>[] = [];
  let turn = 0;
  beforeAll(async () => {
    const connectionString = await postgresUrl();
    pools = [1, 2].map((n) => createPool({ connectionString, applicationName: `effects-test-${n}`, logger }));
    await Promise.all([...pools, ...pools].map((pool) => ensureEffectsTable(pool)));
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
  });
  const ledger = () => createPostgresEffects(pools[turn++ % 2]!);
  effectsContract(ledger);

  it('old entries are pruned in bounded steps', async () => {
    await pools[0]!.query('delete from effects');
    for (let i = 0; i < 5; i++) await ledger().begin(`old-${i}`, 10 + i);
    const pool = pools[0]!;
    expect(await pruneEffects(pool, 14, 3)).toBe(3);
    await ledger().begin('old-4', 20);
    const left = await pool.query("select command_id from effects where command_id like 'old-%' order by 1");
    expect(left.rows.map((row) => row.command_id)).toEqual(['old-3', 'old-4']);
    // Begun long ago and finished just now: a redelivery may still come.
    await ledger().finish('old-3', { status: 'done' }, 30);
    expect(await pruneEffects(pool, 25)).toBe(1);
    expect(await ledger().begin('old-3', 40)).toMatchObject({ state: 'finished' });
    expect(await pruneEffects(pool, 31)).toBe(1);
  });

  it('begin and release racing never give two fresh at once', async () => {
    let holders = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const state = await ledger()
          .begin('contended', 1)
          .catch(() => null);
        if (state?.state !== 'fresh') continue;
        holders += 1;
        most = Math.max(most, holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders -= 1;
        await ledger().release('contended');
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    expect(most).toBe(1);
  });
});
