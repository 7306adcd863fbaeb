// The contract of fold stores against a real Redis.
import { redisUrl, uniqueName } from '@tocsin/testing/servers.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { connectRedis } from '../redis/connect.ts';
import { foldStoreContract } from './fold-store-contract.ts';
import { createRedisFoldStore } from './redis.ts';

const redis = connectRedis({ url: redisUrl(), name: 'fold-test', logger: fakeLogger() });
afterAll(async () => void (await redis.quit()));

describe('redis', () => {
  foldStoreContract(() => createRedisFoldStore(redis, `${uniqueName('fold')}:`));

  it('a state that may vanish does so a day after its time', async () => {
    const prefix = `${uniqueName('fold')}:`;
    const store = createRedisFoldStore(redis, prefix);
    const place = { fold: 'runs', partition: 0 };
    const keepUntil = Date.now() + 3_600_000;
    await store.claim(place, 'a', 0);
    const write = { key: 'x', expected: 0, version: 1, body: '1', keepUntil };
    await store.advance(place, 'a', { from: null, to: 1, now: 0, writes: [write] });
    const key = `${prefix}{runs-0}:s:x`;
    const left = keepUntil + 86_400_000 - Date.now();
    expect(Math.abs((await redis.pttl(key)) - left)).toBeLessThan(10_000);
    await store.advance(place, 'a', {
      from: 1,
      to: 2,
      now: 0,
      writes: [{ ...write, expected: 1, version: 2, keepUntil: null }],
    });
    expect(await redis.pttl(key)).toBe(-1);
  });
});
