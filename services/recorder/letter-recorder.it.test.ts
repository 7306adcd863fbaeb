// Dead letters on a real broker and a real database: each is stored once, and what is sent again arrives once or more, never less.
import { createDeadLetterSearch } from '@tocsin/adapters/postgres/dead-letter-search.ts';
import { createDeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import { type RedriveQueueOptions, startRedriveQueue } from '@tocsin/adapters/postgres/redrive-queue.ts';
import { silentLogger } from '@tocsin/adapters/postgres/silent-logger.ts';
import { uniqueName } from '@tocsin/testing/servers.ts';
import { deadLetterRecord } from '@tocsin/topologies/domain/dead-letter.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import { LogError, type OutRecord } from '@tocsin/topologies/ports/log.ts';
import {
  commandLetter,
  findingLetter,
  headerBytes,
  letterCommand,
  readLetterOf,
} from '@tocsin/topologies/testing/letters.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLetterRecorder } from './record-letters.ts';
import { openRecorderKit, type RecorderKit } from './recorder-kit.ts';

let kit: RecorderKit;
beforeAll(async () => {
  kit = await openRecorderKit('letters');
});
afterAll(() => kit.close());
beforeEach(() => kit.pool.query('truncate dead_letters cascade'));

const letters = () => createDeadLetterSearch(kit.db).list({}, { limit: 1_000 });
const metrics = fakeMetrics();

/** Records what is in the topic, which stands for dead-letters.v1. */
async function record(topic: string): Promise<void> {
  const group = uniqueName('letters');
  const recorder = await kit.start(topic, group, (options) =>
    createLetterRecorder({ ...options, metrics, store: createDeadLetterStore(kit.db) }),
  );
  await expect.poll(() => kit.waiting(group, topic), { timeout: 20_000 }).toBe(0);
  await recorder.stop();
  expect(recorder.failures).toEqual([]);
}

describe('the recorder of letters', () => {
  it('stores each once, also when all of them come twice and the recorder reads them again', async () => {
    const topic = await kit.newTopic();
    const many = Array.from({ length: 60 }, (_, index) =>
      deadLetterRecord({ ...findingLetter, source: { ...findingLetter.source, offset: index } }, topic),
    );
    await kit.producer.send([...many, ...many, deadLetterRecord(commandLetter, topic)]);
    await record(topic);
    await record(topic);
    expect(await letters()).toHaveLength(61);
    const [held] = await createDeadLetterSearch(kit.db).list({ type: 'webhook' }, { limit: 1 });
    expect(await createDeadLetterSearch(kit.db).contents(held?.id ?? '')).toEqual({
      key: commandLetter.key,
      value: commandLetter.value,
      headers: [],
    });
  });

  it('stores what is no letter, and writes no letter about it', async () => {
    const topic = await kit.newTopic();
    await kit.producer.send([
      { topic, key: null, value: null },
      { topic, key: 'k', value: 'not ours', headers: [['x-dlq-at', 'never']] },
    ]);
    await record(topic);
    expect((await letters()).map(({ reason, state }) => [reason, state])).toEqual([
      ['unknown', 'open'],
      ['unknown', 'open'],
    ]);
    expect(await kit.deadLetters(topic)).toEqual([]);
  });

  it('counts what the database refuses, goes on, and writes no letter about it', async () => {
    const topic = await kit.newTopic();
    await kit.pool.query("alter table dead_letters add constraint no_bad check (error <> 'bad')");
    await kit.producer.send(
      ['good', 'bad', 'fine'].map((error) => deadLetterRecord({ ...findingLetter, error }, topic)),
    );
    await record(topic);
    await kit.pool.query('alter table dead_letters drop constraint no_bad');
    expect((await letters()).map(({ error }) => error).toSorted()).toEqual(['fine', 'good']);
    expect(metrics.total('tocsin_dead_letters_unrecorded_total')).toBe(1);
    expect(await kit.deadLetters(topic)).toEqual([]);
  });
});

describe('the queue of letters that are sent again', () => {
  const open = (over: Partial<RedriveQueueOptions> = {}) =>
    startRedriveQueue({
      pool: kit.pool,
      producer: kit.producer,
      logger: silentLogger,
      metrics,
      perSecond: 1_000,
      pollMs: 20,
      ...over,
    });
  const states = async () => (await letters()).map(({ state }) => state).toSorted();
  const queueAll = () =>
    kit.pool.query(
      `update dead_letters set state = 'queued', due = now(), send_round = round + 1, job = 'j'`,
    );

  async function storeOn(topic: string, count: number): Promise<void> {
    await createDeadLetterStore(kit.db).write(
      Array.from({ length: count }, (_, index) =>
        readLetterOf({ ...findingLetter, source: { topic, partition: 0, offset: index } }),
      ),
    );
    await queueAll();
  }

  /** Every record of the topic. */
  async function recordsOf(topic: string) {
    const found: { key: string | null; value: string; headers: Record<string, string> }[] = [];
    const table = kit.client.table({
      topic,
      onBatch(batch) {
        for (let index = 0; index < batch.count; index += 1)
          found.push({
            key: batch.key(index)?.toString('hex') ?? null,
            value: batch.value(index)?.toString('latin1') ?? '',
            headers: Object.fromEntries(
              batch.headers(index).map(([name, content]) => [name, content.toString('latin1')]),
            ),
          });
      },
    });
    await table.start();
    await table.stop();
    return found;
  }

  it('brings key, bytes and headers back to the topic, a command in a higher round', async () => {
    const topic = await kit.newTopic();
    const plain = readLetterOf({ ...findingLetter, source: { topic, partition: 0, offset: 5 } });
    const command = readLetterOf({ ...commandLetter, source: { topic, partition: 1, offset: 6 } });
    await createDeadLetterStore(kit.db).write([plain, command]);
    await queueAll();
    const queue = open();
    await expect.poll(states).toEqual(['redriven', 'redriven']);
    await queue.stop();
    const found = await recordsOf(topic);
    expect(found).toContainEqual({
      key: 'ff00',
      value: findingLetter.value?.toString('latin1'),
      headers: {
        trace: '\x01\x02',
        'x-redrive-of': plain.id,
        'x-redrive-count': '1',
        'x-redrive-source': `${topic}/0/5`,
        'x-redrive-for': 'evaluator',
      },
    });
    const sent = found.find(({ key }) => key === commandLetter.key?.toString('hex'));
    expect(JSON.parse(sent?.value ?? '')).toEqual({ ...letterCommand, round: 2 });
  });

  it('sends again what it may have sent when it dies before the mark: once more, never less, and one letter comes back', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 3);
    let dying = true;
    const queue = open({
      producer: {
        async send(records) {
          await kit.producer.send(records);
          if (!dying) return;
          dying = false;
          // The session that would mark them is gone.
          await kit.pool.query(
            "select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.objid = 3853314795",
          );
        },
      },
    });
    await expect.poll(states, { timeout: 15_000 }).toEqual(['redriven', 'redriven', 'redriven']);
    await queue.stop();
    const found = await recordsOf(topic);
    expect(found).toHaveLength(6);
    expect((await letters()).map(({ sent }) => sent)).toEqual([1, 1, 1]);
    // Both copies fail again, at their own offsets.
    const again = found.map(({ key, value, headers }, index) =>
      readLetterOf({
        ...findingLetter,
        source: { topic, partition: 0, offset: 1_000 + index },
        key: Buffer.from(key ?? '', 'hex'),
        value: Buffer.from(value, 'latin1'),
        headers: headerBytes(Object.entries(headers)),
      }),
    );
    await createDeadLetterStore(kit.db).write(again);
    const back = (await letters()).filter(({ state }) => state === 'open');
    expect(back.map(({ redrives }) => redrives)).toEqual([1, 1, 1]);
  });

  it('waits while the log takes nothing', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 2);
    let away = true;
    const send = async (records: readonly OutRecord[]): Promise<void> => {
      if (away) throw new LogError('away', { retriable: true });
      await kit.producer.send(records);
    };
    const queue = open({ producer: { send } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await states()).toEqual(['queued', 'queued']);
    away = false;
    await expect.poll(states, { timeout: 10_000 }).toEqual(['redriven', 'redriven']);
    await queue.stop();
    expect(await recordsOf(topic)).toHaveLength(2);
  });

  it('gives back what the log refuses for good, with the reason, and sends the others', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 3);
    const refused = (await letters())[1]?.id;
    const send = async (records: readonly OutRecord[]): Promise<void> => {
      const isBad = ({ headers = [] }: OutRecord) => headers.some(([, content]) => content === refused);
      if (records.some(isBad)) throw new LogError('the record is too large', { retriable: false });
      await kit.producer.send(records);
    };
    const queue = open({ producer: { send } });
    await expect.poll(states).toEqual(['open', 'redriven', 'redriven']);
    await queue.stop();
    const [open_] = (await letters()).filter(({ state }) => state === 'open');
    expect(open_).toMatchObject({ id: refused, send_error: 'the record is too large', sent: 0 });
    expect(await recordsOf(topic)).toHaveLength(2);
  });

  it('says what happened when a request is taken back too late', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 1);
    const queue = open({
      producer: {
        async send(records) {
          await kit.pool.query("update dead_letters set state = 'open'");
          await kit.producer.send(records);
        },
      },
    });
    await expect.poll(states).toEqual(['redriven']);
    await queue.stop();
  });

  it('sends no faster than asked', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 30);
    const startedAt = Date.now();
    const queue = open({ perSecond: 10 });
    await expect
      .poll(async () => new Set(await states()), { timeout: 10_000 })
      .toEqual(new Set(['redriven']));
    await queue.stop();
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(2_000);
  });

  it('is one, however many processes have it', async () => {
    const topic = await kit.newTopic();
    await storeOn(topic, 100);
    const queues = [open(), open(), open()];
    await expect
      .poll(async () => new Set(await states()), { timeout: 10_000 })
      .toEqual(new Set(['redriven']));
    for (const queue of queues) await queue.stop();
    expect(await recordsOf(topic)).toHaveLength(100);
  });
});
