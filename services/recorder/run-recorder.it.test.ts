// The recorder of runs on a real broker and a real database: the history is whole, whatever fails in between.
import { breakableServer } from '@tocsin/adapters/postgres/breakable-server.ts';
import { createRunStore, type RunStore } from '@tocsin/adapters/postgres/run-store.ts';
import type { Db } from '@tocsin/adapters/postgres/schema.ts';
import { uniqueName } from '@tocsin/testing/servers.ts';
import { stage } from '@tocsin/topologies/domain/playbooks/play-kit.ts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createRunRecorder } from './record-runs.ts';
import { openRecorderKit, type RecorderKit } from './recorder-kit.ts';

let kit: RecorderKit;
let db: Db;

beforeAll(async () => {
  kit = await openRecorderKit('run-events');
  db = kit.db;
});
afterAll(() => kit.close());
beforeEach(() => kit.pool.query('truncate runs, run_changes, approvals cascade'));

const start = (topic: string, group: string, runs: RunStore = createRunStore(db)) =>
  kit.start(topic, group, (options) => createRunRecorder({ ...options, runs }));
const newTopic = () => kit.newTopic();

/** The three records of a run that starts, is paused and cancelled. */
function recordsOf(key: string): { key: string; value: string }[] {
  const run = stage([{ id: 'b', action: 'mail' }]);
  const steps = [
    run.start(),
    run.send({ kind: 'pause', by: 'o' }),
    run.send({ kind: 'cancel', by: 'o', reason: 'enough' }),
  ];
  return steps.map(({ state, changes }, index) => ({
    key,
    value: JSON.stringify({ v: 1, key, version: index + 1, offset: index, at: Date.now(), state, changes }),
  }));
}

const send = (topic: string, records: readonly { key: string; value: string }[]) =>
  kit.producer.send(records.map((record) => ({ topic, ...record })));
const done = (group: string, topic: string) =>
  expect.poll(() => kit.waiting(group, topic), { timeout: 20_000 }).toBe(0);
const rows = async () => ({
  runs: await db.selectFrom('runs').select(['key', 'status', 'reason']).orderBy('key').execute(),
  changes: (await db.selectFrom('run_changes').select('key').execute()).length,
});

it('writes every run once, also when all records come twice', async () => {
  const [topic, group] = [await newTopic(), uniqueName('recorder')];
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  const records = keys.flatMap(recordsOf);
  await send(topic, records);
  await send(topic, records);
  const recorder = await start(topic, group);
  await done(group, topic);
  await recorder.stop();
  const { runs, changes } = await rows();
  expect(runs.map((run) => run.key)).toEqual(keys.sort());
  expect(new Set(runs.map((run) => `${run.status} ${run.reason}`))).toEqual(new Set(['cancelled enough']));
  expect(changes).toBe(keys.length * 7);
});

it('dead-letters what is no record of a run and goes on', async () => {
  const [topic, group] = [await newTopic(), uniqueName('recorder')];
  const poison = [
    '{"truncated":',
    '{"v":2}',
    '[]',
    JSON.stringify({ v: 1, key: 'p', version: 1, offset: 0, at: 0, state: 7 }),
  ];
  await send(topic, [...poison.map((value) => ({ key: 'p', value })), ...recordsOf('good')]);
  const recorder = await start(topic, group);
  await done(group, topic);
  await recorder.stop();
  expect((await rows()).runs).toMatchObject([{ key: 'good', status: 'cancelled' }]);
  const letters = await kit.deadLetters(topic);
  expect(letters.map(({ reason, value }) => `${reason} ${value}`)).toEqual([
    `not_json ${poison[0]}`,
    `invalid_run_event ${poison[1]}`,
    `not_json ${poison[2]}`,
    `invalid_run_event ${poison[3]}`,
  ]);
});

it('a record that the database refuses costs its neighbours nothing', async () => {
  const [topic, group] = [await newTopic(), uniqueName('recorder')];
  await kit.pool.query("alter table runs add constraint no_bad check (key <> 'bad')");
  await send(topic, [...recordsOf('one'), ...recordsOf('bad'), ...recordsOf('two')]);
  const recorder = await start(topic, group);
  await done(group, topic);
  await recorder.stop();
  await kit.pool.query('alter table runs drop constraint no_bad');
  expect((await rows()).runs.map((run) => run.key)).toEqual(['one', 'two']);
});

it('waits while PostgreSQL is away and skips nothing', async () => {
  const [topic, group] = [await newTopic(), uniqueName('recorder')];
  const way = await breakableServer(kit.connectionString);
  const far = kit.open(way.url);
  await way.cut();
  await send(topic, ['a', 'b', 'c'].flatMap(recordsOf));
  const recorder = await start(topic, group, createRunStore(far));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect([(await rows()).runs, await kit.waiting(group, topic)]).toEqual([[], 9]);
  await way.mend();
  await done(group, topic);
  await recorder.stop();
  expect((await rows()).runs).toHaveLength(3);
  expect(recorder.failures).toEqual([]);
  await far.destroy();
  await way.cut();
});
