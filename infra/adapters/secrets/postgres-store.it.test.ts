// The secret store in a real PostgreSQL.
import { randomBytes } from 'node:crypto';
import { postgresUrl } from '@tocsin/testing/servers.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPool } from '../postgres/pool.ts';
import { createSecrets } from './composite.ts';
import { parseKeyring } from './keyring.ts';
import {
  createStoredSecrets,
  describeSecret,
  destroySecret,
  putSecret,
  resolveSecret,
} from './postgres-store.ts';
import { ensureSecretTables } from './schema.sql.ts';

const keyring = parseKeyring(
  JSON.stringify({ active: 'k1', keys: { k1: randomBytes(32).toString('base64') } }),
);
let pool: ReturnType<typeof createPool>;
beforeAll(async () => {
  pool = createPool({
    connectionString: await postgresUrl(),
    applicationName: 'secrets-test',
    logger: fakeLogger(),
  });
  await Promise.all([1, 2, 3].map(() => ensureSecretTables(pool)));
});
afterAll(() => pool.end());
beforeEach(() => pool.query('truncate secrets, secret_versions'));

describe('stored secrets', () => {
  it('are versions; the newest or a pinned one is read', async () => {
    expect(await putSecret(pool, keyring, { id: 'a', value: 'one', by: 'anna' })).toBe(1);
    expect(await putSecret(pool, keyring, { id: 'a', value: 'two', by: 'ben' })).toBe(2);
    expect(await putSecret(pool, keyring, { id: 'b', value: 'other', by: 'ben' })).toBe(1);
    expect((await resolveSecret(pool, keyring, { secret: 'a' })).reveal()).toBe('two');
    expect((await resolveSecret(pool, keyring, { secret: 'a', version: 1 })).reveal()).toBe('one');
    expect(await describeSecret(pool, 'a')).toMatchObject({ version: 2, updatedBy: 'ben' });
    expect(await describeSecret(pool, 'none')).toBeNull();
  });

  it('get distinct versions from concurrent writers, and none from a transaction that is rolled back', async () => {
    const versions = await Promise.all(
      Array.from({ length: 20 }, (_, i) => putSecret(pool, keyring, { id: 'c', value: `v${i}`, by: 'x' })),
    );
    expect([...versions].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const client = await pool.connect();
    await client.query('begin');
    await putSecret(client, keyring, { id: 'c', value: 'never', by: 'x' });
    await client.query('rollback');
    client.release();
    expect((await describeSecret(pool, 'c'))?.version).toBe(20);
  });

  it('are nowhere in clear text', async () => {
    await putSecret(pool, keyring, { id: 'a', value: 'canary-value', by: 'x' });
    const dump = await pool.query(
      "select encode(ct, 'escape') || encode(dek_wrapped, 'escape') || v::text as text from secret_versions v",
    );
    const text = String(dump.rows[0].text);
    for (const form of ['canary-value', Buffer.from('canary-value').toString('hex')])
      expect(text).not.toContain(form);
  });

  it('do not open in another row', async () => {
    await putSecret(pool, keyring, { id: 'a', value: 'one', by: 'x' });
    await putSecret(pool, keyring, { id: 'b', value: 'two', by: 'x' });
    await pool.query(`update secret_versions b set dek_wrapped = a.dek_wrapped, dek_iv = a.dek_iv, iv = a.iv, ct = a.ct, tag = a.tag
      from secret_versions a where a.secret_id = 'a' and b.secret_id = 'b'`);
    await expect(resolveSecret(pool, keyring, { secret: 'b' })).rejects.toThrow('does not decrypt');
    expect((await resolveSecret(pool, keyring, { secret: 'a' })).reveal()).toBe('one');
  });

  it('can be destroyed for good', async () => {
    await putSecret(pool, keyring, { id: 'a', value: 'one', by: 'x' });
    await putSecret(pool, keyring, { id: 'a', value: 'two', by: 'x' });
    await destroySecret(pool, 'a', 1);
    await expect(resolveSecret(pool, keyring, { secret: 'a', version: 1 })).rejects.toThrow('is destroyed');
    expect((await resolveSecret(pool, keyring, { secret: 'a' })).reveal()).toBe('two');
    await destroySecret(pool, 'a');
    await expect(resolveSecret(pool, keyring, { secret: 'a' })).rejects.toThrow('is destroyed');
    const left = await pool.query(
      'select count(*)::int as n from secret_versions where ct is not null or dek_wrapped is not null',
    );
    expect(left.rows[0].n).toBe(0);
    await expect(resolveSecret(pool, keyring, { secret: 'nope' })).rejects.toThrow('does not exist');
  });

  it('are read once a minute at most, by any number of callers; failures are not kept', async () => {
    let now = 1_000;
    let queries = 0;
    const counting = {
      query: (text: string, values?: unknown[]) => {
        queries += 1;
        return pool.query(text, values);
      },
    };
    const stored = createStoredSecrets(counting, keyring, { now: () => now, cacheMs: 3_600_000 });
    const secrets = createSecrets({ env: {}, stored });
    await expect(secrets.resolve({ secret: 'a' })).rejects.toThrow('does not exist');
    await putSecret(pool, keyring, { id: 'a', value: 'one', by: 'x' });
    queries = 0;
    const values = await Promise.all(Array.from({ length: 10 }, () => secrets.resolve({ secret: 'a' })));
    expect(values.map((value) => value.reveal())).toEqual(Array(10).fill('one'));
    expect(queries).toBe(1);
    await putSecret(pool, keyring, { id: 'a', value: 'two', by: 'x' });
    now += 59_999;
    expect((await secrets.resolve({ secret: 'a' })).reveal()).toBe('one');
    now += 1;
    expect((await secrets.resolve({ secret: 'a' })).reveal()).toBe('two');
  });

  it('fail without details of the database when it is gone', async () => {
    const gone = createPool({
      connectionString: 'postgres://user:canary@127.0.0.1:1/x',
      applicationName: 'gone',
      logger: fakeLogger(),
    });
    const stored = createStoredSecrets(gone, keyring, { now: () => 0 });
    const failure = await createSecrets({ env: {}, stored })
      .resolve({ secret: 'a' })
      .catch((error: Error) => error);
    expect(String(failure)).toBe('SecretError: secret a: the secret store does not answer');
    await gone.end();
  });
});
