// The recorder on a real broker and a real database: every result has its row, whatever fails in between.

import { breakableServer } from '@tocsin/adapters/postgres/breakable-server.ts';
import { createHistoryStore, type HistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import type { Db } from '@tocsin/adapters/postgres/schema.ts';
import type { Result } from '@tocsin/schemas/types.ts';
import { uniqueName } from '@tocsin/testing/servers.ts';
import type { LogProducer } from '@tocsin/topologies/ports/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRecorder } from './record.ts';
import { openRecorderKit, type RecorderKit } from './recorder-kit.ts';

const at = Date.UTC(2026, 0, 1);
let kit: RecorderKit;
let producer: LogProducer;
let connectionString: string;
let db: Db;
let history: HistoryStore;

beforeAll(async () => {
  kit = await openRecorderKit('results');
  ({ producer, connectionString, db } = kit);
  history = createHistoryStore(db);
});
afterAll(() => kit.close());

const hex = (seed: number) => seed.toString(16).padStart(32, '0');

function result(seed: number, fields: Partial<Result> = {}): Result {
  return {
    v: 1,
    command_id: hex(seed),
    type: 'webhook',
    status: 'succeeded',
    final: true,
    attempt: 1,
    trigger: 'rule',
    source: { id: 'e1', kind: 'event', topic: 'findings.v1', partition: 0, offset: seed },
    rule: { id: 'r', revision: 3 },
    action: { id: 'hook', key: 'hook', revision: 2 },
    mode: 'each',
    row_index: 0,
    rows: 1,
    started_at: at + seed,
    finished_at: at + seed + 5,
    created_at: at + seed,
    ...fields,
  } as Result;
}

const start = (topic: string, group: string, store: Pick<HistoryStore, 'write'> = history) =>
  kit.start(topic, group, (options) => createRecorder({ ...options, history: store }));
const newTopic = () => kit.newTopic();
const waiting = (group: string, topic: string) => kit.waiting(group, topic);
const deadLetters = (source: string) => kit.deadLetters(source);

const send = (topic: string, results: readonly Result[]) =>
  producer.send(results.map((each) => ({ topic, key: each.command_id, value: JSON.stringify(each) })));

it('writes every result once, also when all of them come twice', async () => {
  const topic = await newTopic();
  const group = uniqueName('recorder');
  const results = Array.from({ length: 200 }, (_, index) => result(0x1000 + index));
  await send(topic, results);
  await send(topic, results);
  const recorder = await start(topic, group);
  await expect.poll(() => waiting(group, topic), { timeout: 20_000 }).toBe(0);
  await recorder.stop();
  const page = await history.list({ action: 'hook', limit: 1_000 });
  expect(page).toHaveLength(200);
  const attempts = await db.selectFrom('attempts').select('command_id').execute();
  expect(attempts).toHaveLength(200);
});

it('dead-letters what is no result with its own bytes and goes on', async () => {
  const topic = await newTopic();
  const group = uniqueName('recorder');
  const poison = [
    Buffer.from('{"truncated":'),
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from(JSON.stringify({ ...result(0x2000), status: 'fine' })),
    Buffer.from('{"__proto__":{"a":1}}'),
    Buffer.alloc(0),
  ];
  await producer.send([
    { topic, key: null, value: null, partition: 0 },
    ...poison.map((value) => ({ topic, key: 'k', value, partition: 0 })),
    { topic, key: 'k', value: JSON.stringify(result(0x2001)), partition: 0 },
  ]);
  const recorder = await start(topic, group);
  await expect.poll(() => waiting(group, topic), { timeout: 20_000 }).toBe(0);
  await recorder.stop();
  const letters = await deadLetters(topic);
  expect(letters.map((letter) => letter.reason)).toEqual([
    'json_syntax',
    'utf8',
    'invalid_result',
    'invalid_result',
    'empty',
  ]);
  expect(letters.map((letter) => letter.value?.toString('hex'))).toEqual(
    poison.map((value) => value.toString('hex')),
  );
  expect(await history.get(hex(0x2001))).not.toBeNull();
});

it('waits while the database is away: no offset moves, nothing is lost', async () => {
  const topic = await newTopic();
  const group = uniqueName('recorder');
  const results = Array.from({ length: 50 }, (_, index) => result(0x3000 + index));
  const way = await breakableServer(connectionString);
  const far = kit.open(way.url);
  let refused = 0;
  const store = createHistoryStore(far);
  const counted: Pick<HistoryStore, 'write'> = {
    write: (batch) =>
      store.write(batch).catch((error: unknown) => {
        refused += 1;
        throw error;
      }),
  };
  await way.cut();
  await send(topic, results);
  const recorder = await start(topic, group, counted);
  await expect.poll(() => refused, { timeout: 10_000 }).toBeGreaterThan(3);
  expect(await waiting(group, topic)).toBe(50);
  await way.mend();
  await expect.poll(() => waiting(group, topic), { timeout: 20_000 }).toBe(0);
  expect(recorder.failures).toEqual([]);
  await recorder.stop();
  await far.destroy();
  await way.cut();
  for (const each of results) expect(await history.get(each.command_id)).not.toBeNull();
});

it('a member that dies before its commit repeats the batch without a second row', async () => {
  const topic = await newTopic();
  const group = uniqueName('recorder');
  const results = Array.from({ length: 30 }, (_, index) =>
    result(0x4000 + index, { action: { id: 'crash', key: 'crash', revision: 1 } }),
  );
  await send(topic, results);
  let written = 0;
  const dying: Pick<HistoryStore, 'write'> = {
    async write(batch) {
      await history.write(batch);
      written += batch.length;
      // Committed in the database, and the acknowledgement never reaches the recorder.
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
    },
  };
  const first = await start(topic, group, dying);
  await expect.poll(() => written, { timeout: 10_000 }).toBeGreaterThanOrEqual(30);
  await first.stop();
  expect(await waiting(group, topic)).toBe(30);
  const second = await start(topic, group);
  await expect.poll(() => waiting(group, topic), { timeout: 30_000 }).toBe(0);
  await second.stop();
  expect(await history.list({ action: 'crash', limit: 100 })).toHaveLength(30);
  const attempts = await db
    .selectFrom('attempts')
    .select('command_id')
    .where(
      'command_id',
      'in',
      results.map((each) => each.command_id),
    )
    .execute();
  expect(attempts).toHaveLength(30);
});

describe('what the rows say', () => {
  const story = (seed: number): Result[] => [
    result(seed, {
      status: 'retrying',
      final: false,
      attempt: 1,
      started_at: at,
      code: 'http_5xx',
      status_code: 503,
      next_attempt_at: at + 900,
    }),
    result(seed, {
      status: 'retrying',
      final: false,
      attempt: 2,
      started_at: at + 1_000,
      finished_at: at + 1_005,
      code: 'timeout',
      possible_duplicate: true,
    }),
    result(seed, { attempt: 3, started_at: at + 2_000, finished_at: at + 2_005, ref: 'msg-7' }),
    result(seed, { status: 'suppressed', attempt: 3, started_at: at + 3_000, finished_at: at + 3_000 }),
  ];
  it('knows how a command ended whose only record is the answer from the ledger', async () => {
    const answers = [
      result(0x6000, { status: 'suppressed', attempt: 0, ref: 'msg-9' }),
      result(0x6001, { status: 'suppressed', attempt: 0, code: 'http_4xx' }),
    ];
    await history.write(answers);
    for (const [answer, status] of [
      [answers[0]!, 'succeeded'],
      [answers[1]!, 'failed'],
    ] as const) {
      const found = await history.get(answer.command_id);
      expect(found).toMatchObject({ status, final: true, attempts: [{ status: 'suppressed' }] });
    }
  });

  it('is the same in any order and any split into batches', async () => {
    const orders = [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 3, 1],
      [1, 3, 0, 2],
    ];
    const outcomes = [];
    for (const [index, order] of orders.entries()) {
      const seed = 0x5000 + index;
      const told = story(seed).map((each) => ({
        ...each,
        command_id: hex(seed),
        source: { id: 'same' },
        created_at: at,
      }));
      if (index % 2 === 0) await history.write(order.map((place) => told[place]!));
      else for (const place of order) await history.write([told[place]!]);
      const { command_id: _, ...row } = (await history.get(hex(seed)))!;
      const attempts = row.attempts.map(({ attempt, status }) => [attempt, status]);
      expect(attempts).toEqual([
        [1, 'retrying'],
        [2, 'retrying'],
        [3, 'succeeded'],
        [3, 'suppressed'],
      ]);
      outcomes.push({
        status: row.status,
        final: row.final,
        attempt: row.attempt,
        ref: row.ref,
        doubt: row.possible_duplicate,
        code: row.code,
      });
    }
    for (const outcome of outcomes)
      expect(outcome).toEqual({
        status: 'succeeded',
        final: true,
        attempt: 3,
        ref: 'msg-7',
        doubt: true,
        code: undefined,
      });
  });

  it('keeps text that PostgreSQL cannot hold as U+FFFD, and numbers beyond a column at its limit', async () => {
    const odd = result(0x6000, {
      detail: 'a\u0000b\ud800c',
      output: { 'k\u0000': ['\u0000', { deep: '\udfff' }] },
      status_code: 2 ** 40,
      finished_at: 8.64e15 + 1,
    });
    await history.write([odd]);
    const row = (await history.get(hex(0x6000)))!;
    expect(row.detail).toBe('a\ufffdb\ufffdc');
    expect(row.output).toEqual({ 'k\ufffd': ['\ufffd', { deep: '\ufffd' }] });
    expect(row.status_code).toBe(2 ** 31 - 1);
    expect(row.finished_at).toEqual(new Date(Date.UTC(9999, 11, 31)));
  });

  it('pages newest first without gaps among equal times', async () => {
    const same = Array.from({ length: 25 }, (_, index) =>
      result(0x7000 + index, { action: { id: 'paged', key: 'paged', revision: 1 }, created_at: at }),
    );
    await history.write(same);
    const seen: string[] = [];
    for (let before: { createdAt: Date; commandId: string } | undefined; ; ) {
      const page = await history.list({
        action: 'paged',
        limit: 10,
        ...(before === undefined ? {} : { before }),
      });
      if (page.length === 0) break;
      seen.push(...page.map((row) => row.command_id));
      before = { createdAt: page.at(-1)!.created_at, commandId: page.at(-1)!.command_id };
    }
    expect(seen).toEqual(
      same
        .map((each) => each.command_id)
        .sort()
        .reverse(),
    );
    expect(await history.list({ action: 'paged', status: 'failed', limit: 10 })).toEqual([]);
  });
});
