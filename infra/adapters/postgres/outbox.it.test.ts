// The outbox over a real database and a real broker: everything written arrives, in order per key, whatever dies.
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { ConfigRecord } from '@tocsin/schemas/types.ts';
import { kafkaBrokers, newDatabase, uniqueName } from '@tocsin/testing/servers.ts';
import type { LogClient, LogProducer, OutRecord } from '@tocsin/topologies/ports/log.ts';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLogClient, parseLogSettings } from '../log/client.ts';
import { createConfigStore, type Document } from './config-store.ts';
import { listen } from './listen.ts';
import { migrate, openDatabase } from './migrate.ts';
import { newestPerKey, type OutboxOptions, startOutbox } from './outbox.ts';
import { createPool } from './pool.ts';
import { silentLogger } from './silent-logger.ts';

const admin = { id: 'test', scopes: ['admin'] };
const action = (id: string, name: string) =>
  ({ kind: 'action', id, type: 'log', name, params: {} }) as unknown as Document;

let url: string;
let client: LogClient;
let topics: OutboxOptions['topics'];

beforeAll(async () => {
  client = await openLogClient(parseLogSettings({ KAFKA_BROKERS: kafkaBrokers() }, 'outbox-test'));
});
beforeEach(async () => {
  url = await newDatabase();
  topics = {
    config: uniqueName('config'),
    audit: uniqueName('audit'),
    'playbook-versions': uniqueName('versions'),
    events: uniqueName('events'),
  };
  const log = client.admin();
  const spec = { partitions: 1, replicationFactor: 1, config: {} };
  await log.ensureTopics(Object.values(topics).map((name) => ({ name, ...spec })));
  await log.close();
});

async function openStore() {
  const pool = createPool({ connectionString: url, applicationName: 'outbox-test', logger: silentLogger });
  const db = openDatabase(pool);
  await migrate(db);
  return { pool, db, store: createConfigStore(db), close: () => db.destroy() };
}

interface Seen {
  key: string;
  record: ConfigRecord | null;
}

async function readAll(topic: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  const table = client.table({
    topic,
    onBatch(batch) {
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        seen.push({
          key: batch.key(index)?.toString() ?? '',
          record: value === null ? null : (JSON.parse(value.toString()) as ConfigRecord),
        });
      }
    },
  });
  await table.start();
  await table.stop();
  return seen;
}

function publish(pool: OutboxOptions['pool'], producer: LogProducer, more: Partial<OutboxOptions> = {}) {
  return startOutbox({ pool, producer, topics, logger: silentLogger, pollMs: 50, ...more });
}

it('publishes config records and tombstones, then the audit trail, and marks them', async () => {
  const { pool, db, store, close } = await openStore();
  const producer = client.producer();
  const outbox = publish(pool, producer);
  await store.write(admin, (writer) => writer.put(action('a', 'one')));
  await store.write(admin, (writer) => writer.put(action('b', 'two')));
  const waiting = () => db.selectFrom('outbox').select('seq').where('published_at', 'is', null).execute();
  await expect.poll(async () => (await waiting()).length, { timeout: 10_000 }).toBe(0);
  await store.write(admin, (writer) => writer.remove('action', 'a'));
  await expect.poll(async () => (await waiting()).length, { timeout: 10_000 }).toBe(0);
  await outbox.stop();

  const records = await readAll(topics.config);
  expect(records.map(({ key, record }) => [key, record?.revision ?? null])).toEqual([
    ['action/a', 1],
    ['action/b', 1],
    ['action/a', null],
  ]);
  for (const { record } of records)
    if (record !== null) expect(checkDocument('config-record.json', record)).toEqual([]);
  const trail = await readAll(topics.audit);
  expect(trail.map(({ key, record }) => [key, (record as unknown as { verb: string }).verb])).toEqual([
    ['action/a', 'create'],
    ['action/b', 'create'],
    ['action/a', 'delete'],
  ]);
  await producer.close();
  await close();
});

it('has the version of a playbook acknowledged before it sends the revision', async () => {
  const { pool, store, close } = await openStore();
  const sends: string[][] = [];
  const producer: LogProducer = {
    async send(records) {
      sends.push(records.map(({ topic, key }) => `${topic} ${key}`));
      if (sends.length === 1) throw new Error('broker away');
    },
    close: async () => undefined,
  };
  const playbook = { kind: 'playbook', id: 'p', steps: [{ id: 'a', action: 'a' }] } as unknown as Document;
  await store.write(admin, async (writer) => {
    await writer.put(action('a', 'one'));
    await writer.put(playbook);
  });
  const outbox = publish(pool, producer);
  const waiting = () => pool.query('select 1 from outbox where published_at is null');
  await expect.poll(async () => (await waiting()).rowCount, { timeout: 10_000 }).toBe(0);
  await outbox.stop();
  const version = [`${topics['playbook-versions']} p@1`];
  const [config, audit] = [topics.config, topics.audit];
  expect(sends).toEqual([
    version,
    version,
    [`${config} action/a`, `${audit} action/a`, `${config} playbook/p`, `${audit} playbook/p`],
  ]);
  await close();
});

it('wakes by notification: a change is on the topic long before the next poll', async () => {
  const { pool, db, store, close } = await openStore();
  const producer = client.producer();
  const outbox = publish(pool, producer, { pollMs: 60_000 });
  const listener = listen({
    connectionString: url,
    channel: 'tocsin_outbox',
    onWake: () => outbox.wake(),
    logger: silentLogger,
  });
  await expect.poll(() => outbox.active, { timeout: 10_000 }).toBe(true);
  await sleep(300);
  await store.write(admin, (writer) => writer.put(action('a', 'one')));
  const waiting = () => db.selectFrom('outbox').select('seq').where('published_at', 'is', null).execute();
  await expect.poll(async () => (await waiting()).length, { timeout: 10_000 }).toBe(0);
  await outbox.stop();
  await listener.stop();
  await producer.close();
  await close();
});

describe('faults', () => {
  it('a crash between publish and mark repeats a record and never goes back', async () => {
    const { pool, store, close } = await openStore();
    const real = client.producer();
    await store.write(admin, (writer) => writer.put(action('a', 'one')));
    // Acknowledged by the log, and then the process is gone before it can mark.
    let acknowledged!: () => void;
    const sent = new Promise<void>((resolve) => {
      acknowledged = resolve;
    });
    const dying: LogProducer = {
      async send(records) {
        await real.send(records);
        acknowledged();
        await new Promise(() => undefined);
      },
      close: async () => undefined,
    };
    const dyingPool = createPool({ connectionString: url, applicationName: 'dying', logger: silentLogger });
    const dead = publish(dyingPool, dying);
    await sent;
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dying'`,
    );
    await store.write(admin, (writer) => writer.put(action('a', 'two')));
    const outbox = publish(pool, real, { settleMs: 500 });
    const waiting = () => pool.query('select 1 from outbox where published_at is null');
    await expect.poll(async () => (await waiting()).rowCount, { timeout: 10_000 }).toBe(0);
    await outbox.stop();
    const revisions = (await readAll(topics.config)).map(({ record }) => record?.revision);
    expect(revisions).toEqual([1, 2]);
    void dead;
    await real.close();
    await close();
  });

  it('waits for a predecessor whose send may still land', async () => {
    const { pool, store, close } = await openStore();
    const producer = client.producer();
    await store.write(admin, (writer) => writer.put(action('a', 'one')));
    await pool.query(
      `insert into outbox_owner (owner, sending_since) values ('somebody', clock_timestamp())`,
    );
    const began = performance.now();
    const outbox = publish(pool, producer, { settleMs: 1_500 });
    await expect.poll(() => outbox.active, { timeout: 10_000, interval: 10 }).toBe(true);
    expect(performance.now() - began).toBeGreaterThan(1_300);
    await outbox.stop();
    await producer.close();
    await close();
  });

  it('does not wait for a process that is gone', async () => {
    const { pool, store, close } = await openStore();
    const producer = client.producer();
    await store.write(admin, (writer) => writer.put(action('a', 'one')));
    const child = spawnSync(process.execPath, ['-e', '']);
    const owner = `${hostname()} ${child.pid} x`;
    await pool.query('insert into outbox_owner (owner, sending_since) values ($1, clock_timestamp())', [
      owner,
    ]);
    const outbox = publish(pool, producer, { settleMs: 60_000 });
    await expect.poll(() => outbox.active, { timeout: 10_000, interval: 10 }).toBe(true);
    await outbox.stop();
    await producer.close();
    await close();
  });

  it('two publishers take turns, not sides: each row is sent once', async () => {
    const { pool, store, close } = await openStore();
    const producer = client.producer();
    const publishers = [publish(pool, producer), publish(pool, producer)];
    for (let index = 0; index < 20; index += 1)
      await store.write(admin, (writer) => writer.put(action(`k${index % 3}`, String(index))));
    const waiting = () => pool.query('select 1 from outbox where published_at is null');
    await expect.poll(async () => (await waiting()).rowCount, { timeout: 10_000 }).toBe(0);
    expect(publishers.filter((each) => each.active)).toHaveLength(1);
    await Promise.all(publishers.map((each) => each.stop()));
    const last = new Map<string, number>();
    for (const { key, record } of await readAll(topics.config)) {
      expect(record!.revision).toBeGreaterThan(last.get(key) ?? 0);
      last.set(key, record!.revision);
    }
    expect([...last.values()].reduce((sum, revision) => sum + revision, 0)).toBe(20);
    await producer.close();
    await close();
  });

  it('a log that refuses for a while loses nothing', async () => {
    const { pool, store, close } = await openStore();
    const real = client.producer();
    let failures = 3;
    const flaky: LogProducer = {
      send(records: readonly OutRecord[]) {
        failures -= 1;
        return failures >= 0 ? Promise.reject(new Error('broker away')) : real.send(records);
      },
      close: async () => undefined,
    };
    await store.write(admin, (writer) => writer.put(action('a', 'one')));
    const outbox = publish(pool, flaky);
    const waiting = () => pool.query('select 1 from outbox where published_at is null');
    await expect.poll(async () => (await waiting()).rowCount, { timeout: 15_000 }).toBe(0);
    await outbox.stop();
    expect((await readAll(topics.config)).map(({ record }) => record?.revision)).toEqual([1]);
    await real.close();
    await close();
  });
});

it('of several waiting revisions of one document only the newest is sent, of the trail everything', () => {
  const row = (seq: number, topic: keyof OutboxOptions['topics'], key: string) => ({
    seq: String(seq),
    topic,
    key,
    value: `v${seq}`,
  });
  const rows = [
    row(1, 'config', 'x'),
    row(2, 'audit', 'x'),
    row(3, 'config', 'y'),
    row(4, 'config', 'x'),
    row(5, 'audit', 'x'),
    row(6, 'playbook-versions', 'x@1'),
    row(7, 'playbook-versions', 'x@1'),
  ];
  const sent = newestPerKey(rows, { config: 'c', audit: 't', 'playbook-versions': 'v', events: 'e' });
  expect(sent.map((record) => [record.topic, record.key, record.value])).toEqual([
    ['t', 'x', 'v2'],
    ['c', 'y', 'v3'],
    ['c', 'x', 'v4'],
    ['t', 'x', 'v5'],
    ['v', 'x@1', 'v6'],
    ['v', 'x@1', 'v7'],
  ]);
});
