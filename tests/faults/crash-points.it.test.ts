// F02: kill -9 of the action worker at each point from its claim in the ledger to its commit, for each kind of effect.
//
// Invariant: no command is lost; a ticket is never there twice, a script never begun twice but held; a mail or a message comes once
// more at most, and only where the kill fell between the effect and its record. The ledger says so to whoever asks it next.
//
// Surprise: nothing in the worker knows of these points. Requests and answers are held on the line, records of the ledger by a row
// lock and by Redis' CLIENT PAUSE, and a commit by a command of the same partition, before it, that is not done.
import { join } from 'node:path';
import { createPostgresEffects } from '@tocsin/adapters/effects/postgres.ts';
import { createRedisEffects } from '@tocsin/adapters/effects/redis.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import type { Command, Result } from '@tocsin/schemas/types.ts';
import type { Hold } from '@tocsin/testing/holding-relay.ts';
import { actionGroup } from '@tocsin/topologies/groups.ts';
import type { EffectState } from '@tocsin/topologies/ports/effects.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  commandOf,
  type Destination,
  type Destinations,
  type Kind,
  kinds,
  startDestinations,
  typeOf,
} from './crash-kinds.ts';
import { type Process, type System, startSystem } from './system.ts';
import { pendingTimers, type Reading, readTopic, until, untilIdle, waiting } from './topic.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Commands of each kind that a kill meets at its point. */
const each = 2;

interface Case {
  readonly kind: Kind;
  readonly id: string;
  /** How often the effect is there in the end, and how the command ends. */
  readonly effects: number;
  readonly status: Result['status'];
}

let system: System;
let destinations: Destinations;
let worker: Process;
let sql: ReturnType<typeof createPool>;
let redis: ReturnType<typeof connectRedis>;
/** Everything that was asked of the worker, and how often it was killed. */
const all: Case[] = [];
let kills = 0;

const readings: readonly Reading[] = kinds.map((kind) => ({
  group: actionGroup(typeOf[kind]).id,
  topics: [commandTopic(typeOf[kind]).name],
}));
const of = (kind: Kind): Destination => destinations.of[kind];

beforeAll(async () => {
  system = await startSystem();
  destinations = await startDestinations(join(system.home, 'destinations'));
  system.configure(kinds.map((kind) => of(kind).connection));
  // It makes the tables.
  await system.service('config-api', { CONFIG_DIR: '' });
  worker = await system.service('actions', { ACTIONS: kinds.map((kind) => typeOf[kind]).join() });
  const logger = fakeLogger();
  sql = createPool({
    connectionString: system.env['DATABASE_URL'] ?? '',
    applicationName: 'faults',
    logger,
  });
  redis = connectRedis({ url: system.env['REDIS_URL'] ?? '', name: 'faults', logger });
}, 180_000);

afterAll(async () => {
  redis?.disconnect();
  await sql?.end();
  await system?.stop();
  await destinations?.close();
});

/** Sends commands of every kind to one partition. Answers them with the end that is expected of each. */
async function send(
  ends: Readonly<Record<Kind, readonly [effects: number, status: Result['status']]>>,
  how: { readonly refused?: boolean; readonly retryMs?: number } = {},
  count = each,
): Promise<Case[]> {
  const cases = kinds.flatMap((kind) =>
    Array.from({ length: count }, (_, n): Case => {
      const [effects, status] = ends[kind];
      const number = all.length + kinds.indexOf(kind) * count + n + 1;
      return { kind, id: number.toString(16).padStart(32, '0'), effects, status };
    }),
  );
  all.push(...cases);
  const producer = system.client.producer();
  await producer.send(
    cases.map(({ kind, id }) => ({
      topic: commandTopic(typeOf[kind]).name,
      partition: 0,
      key: id,
      value: JSON.stringify(commandOf(kind, id, of(kind), how) satisfies Command),
    })),
  );
  await producer.close();
  return cases;
}

/** Stops what comes next on the lines of all kinds. */
function hold(at: ((destination: Destination) => Hold) | null): void {
  for (const kind of kinds) of(kind).relay.hold(at === null ? null : at(of(kind)));
}

const untilHeld = (count: number): Promise<void> =>
  until('all are at the point', () => kinds.every((kind) => of(kind).relay.held() === count), 30_000, 10);

/** SIGKILL while so many commands are not committed; then whoever comes next finds lines that let everything through. */
async function kill(uncommitted: number): Promise<void> {
  await worker.kill();
  kills += 1;
  expect(await waiting(system.client, readings)).toBe(uncommitted);
  hold(null);
}

async function resultsOf(id: string): Promise<Result[]> {
  const found = (await readTopic(system.client, topics.results.name)).filter(({ key }) => key === id);
  return found.map(({ value }) => JSON.parse(String(value)) as Result);
}

/** What the ledger says of a command to whoever comes with it again; it says the same the next time. */
function inLedger({ kind, id }: Case): Promise<EffectState> {
  const ledger = kind === 'chat' ? createRedisEffects(redis) : createPostgresEffects(sql);
  return ledger.begin(id, Date.now());
}

async function expectLedger(cases: readonly Case[], state: EffectState['state']): Promise<void> {
  for (const each of cases) expect(await inLedger(each), `${each.kind} ${each.id}`).toMatchObject({ state });
}

/** Starts the worker again and waits until nothing is left to do. */
async function restart(): Promise<void> {
  await worker.start();
  await untilIdle(system.client, readings);
  await until('timers fire', async () => (await pendingTimers(system.client)) === 0, 30_000, 200);
  await untilIdle(system.client, readings);
}

/** Everything has ended as expected, at the receivers, in the results and in the ledger. */
async function expectEnds(cases: readonly Case[], inDoubt: boolean): Promise<void> {
  for (const each of cases) {
    const name = `${each.kind} ${each.id}`;
    const finals = (await resultsOf(each.id)).filter(({ final }) => final);
    expect(of(each.kind).effects(each.id), name).toBe(each.effects);
    expect(finals[0], name).toMatchObject({ status: each.status });
    // One end; whatever else was told repeats it.
    expect(finals.slice(1).filter(({ status }) => status !== 'suppressed')).toEqual([]);
    if (each.status === 'held') await expectLedger([each], 'uncertain');
    else {
      const state = await inLedger(each);
      expect(state, name).toMatchObject({
        state: 'finished',
        outcome: { status: each.status === 'failed' ? 'failed' : 'done' },
      });
      expect('possibleDuplicate' in state, name).toBe(inDoubt);
      expect(finals[0]?.possible_duplicate === true, name).toBe(inDoubt);
    }
  }
}

const once = [1, 'succeeded'] as const;
const again = [2, 'succeeded'] as const;
const notBegun = [0, 'held'] as const;
/** Before the receiver could act: all but a script are sent, and of a script nobody knows. */
const before = { ticket: once, mail: once, chat: once, script: notBegun };
/** Between the effect and its record: a ticket is looked for, a script asked about, a mail or message repeated. */
const between = { ticket: once, mail: again, chat: again, script: once };
const recorded = { ticket: once, mail: once, chat: once, script: once };

test.each<[string, (destination: Destination) => Hold]>([
  ['x1: claimed, nothing sent', () => ({ what: 'request', after: null })],
  ['x2: the first bytes sent', ({ begin }) => ({ what: 'request', after: begin })],
])('%s', async (_, at) => {
  hold(at);
  const cases = await send(before);
  await untilHeld(each);
  await kill(cases.length);
  await expectLedger(cases, 'uncertain');
  await restart();
  await expectEnds(cases, true);
});

test('x3: sent, no answer read', async () => {
  hold(({ whole }) => ({ what: 'answer', after: whole }));
  const cases = await send(between);
  await untilHeld(each);
  await kill(cases.length);
  for (const { kind, id } of cases) expect(of(kind).effects(id), kind).toBe(1);
  await expectLedger(cases, 'uncertain');
  await restart();
  await expectEnds(cases, true);
});

test('x4: the answer read, not in the ledger', async () => {
  hold(({ whole }) => ({ what: 'answer', after: whole }));
  const cases = await send(between);
  await untilHeld(each);
  const durable = cases.filter(({ kind }) => kind !== 'chat');
  const locks = await sql.connect();
  await locks.query('begin');
  await locks.query('select from effects where command_id = any($1) for update', [
    durable.map(({ id }) => id),
  ]);
  await redis.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  hold(null);
  for (const kind of kinds) of(kind).relay.letGo();
  // Each wants to say that it is finished.
  const stuck = `from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into effects%'`;
  await until('all wait for the ledger', async () => {
    const { rows } = await sql.query(`select ${stuck}`);
    return rows.length === durable.length && (await pausedClients()) > 0;
  });
  await kill(cases.length);
  // A server that waits for a lock does not see that its client has died, and would write all the same.
  await sql.query(`select pg_terminate_backend(pid) ${stuck}`);
  await until('nobody waits for Redis', async () => (await pausedClients()) === 0);
  await redis.call('CLIENT', 'UNPAUSE');
  await locks.query('rollback');
  locks.release();
  await expectLedger(cases, 'uncertain');
  await restart();
  await expectEnds(cases, true);
});

/** Clients whose command waits, see "flags" of CLIENT LIST. */
async function pausedClients(): Promise<number> {
  const list = String(await redis.call('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => / name=tocsin-actions .* flags=\w*b/.test(line)).length;
}

/** A command of each kind that keeps back the offsets after it: its receiver has acted and does not answer. */
async function sendKeepers(): Promise<Case[]> {
  hold(({ whole }) => ({ what: 'answer', after: whole }));
  const keepers = await send(between, {}, 1);
  await untilHeld(1);
  hold(null);
  return keepers;
}

test('x5: the result written, not committed', async () => {
  const keepers = await sendKeepers();
  const cases = await send(recorded);
  for (const { id } of cases)
    await until('it has its result', async () => (await resultsOf(id)).some(({ final }) => final), 30_000);
  await kill(keepers.length + cases.length);
  await expectLedger(keepers, 'uncertain');
  await expectLedger(cases, 'finished');
  await restart();
  await expectEnds(cases, false);
  await expectEnds(keepers, true);
  for (const { id } of cases)
    expect((await resultsOf(id)).map(({ status }) => status)).toEqual(['succeeded', 'suppressed']);
});

const letters = async (id: string) =>
  (await readTopic(system.client, topics.deadLetters.name)).filter(
    ({ headers }) => headers['x-dlq-command-id'] === id,
  );

test('x6: the dead letter written, not committed', async () => {
  const keepers = await sendKeepers();
  const refused = () => kinds.map((kind) => of(kind).refusals());
  const beforehand = refused();
  const failed = [0, 'failed'] as const;
  const cases = await send({ ticket: failed, mail: failed, chat: failed, script: failed }, { refused: true });
  for (const { id } of cases) await until('it has its letter', async () => (await letters(id)).length > 0);
  await kill(keepers.length + cases.length);
  await expectLedger(cases, 'finished');
  await restart();
  await expectEnds(cases, false);
  await expectEnds(keepers, true);
  // Nobody was asked again, and the letters are the same.
  expect(refused()).toEqual(beforehand.map((count) => count + each));
  for (const { id } of cases) {
    const written = await letters(id);
    expect(written.length).toBe(2);
    expect(new Set(written.map(({ headers }) => headers['x-dlq-reason'])).size).toBe(1);
  }
});

test('x6: the timer of a retry written, not committed', async () => {
  const keepers = await sendKeepers();
  for (const kind of kinds) await of(kind).relay.refuse();
  // At least half of it, which is longer than commands wait in memory.
  const cases = await send(recorded, { retryMs: 15_000 });
  await until('all are parked', async () => (await pendingTimers(system.client)) === cases.length);
  await kill(keepers.length + cases.length);
  for (const kind of kinds) await of(kind).relay.accept();
  await restart();
  await expectEnds(cases, false);
  await expectEnds(keepers, true);
  for (const { id } of cases) {
    const results = await resultsOf(id);
    expect(results.map(({ status, attempt }) => [status, attempt])).toEqual([
      ['retrying', 1],
      ['succeeded', 2],
    ]);
    expect(results[1]?.started_at).toBeGreaterThanOrEqual(results[0]?.next_attempt_at ?? Infinity);
  }
});

test('all points together: nothing lost, no ticket or script twice, mails and messages once more at most', async () => {
  const count = (holds: (each: Case) => boolean): number => all.filter(holds).length;
  const finals = new Map<string, Result>();
  for (const { key, value } of await readTopic(system.client, topics.results.name)) {
    const result = JSON.parse(String(value)) as Result;
    if (result.final && !finals.has(key ?? '')) finals.set(key ?? '', result);
  }
  const isNoted = ({ kind }: Case): boolean => kind === 'mail' || kind === 'chat';
  const effects = ({ kind, id }: Case): number => of(kind).effects(id);
  const isHeld = ({ id }: Case): boolean => finals.get(id)?.status === 'held';
  const isFailed = ({ id }: Case): boolean => finals.get(id)?.status === 'failed';
  const lost = count((each) => effects(each) === 0 && !isHeld(each) && !isFailed(each));
  const twice = count((each) => !isNoted(each) && effects(each) > 1);
  const repeated = count((each) => isNoted(each) && effects(each) === 2);
  const more = count((each) => effects(each) > 2);
  const held = count(isHeld);
  const bound = count((each) => isNoted(each) && each.effects === 2);
  process.stdout.write(
    `action worker killed at x1 to x6: commands=${all.length} kills=${kills} lost=${lost} twice=${twice} repeated=${repeated} (bound ${bound}) failed=${count(isFailed)} held=${held}\n`,
  );
  expect({ kills, lost, twice, more, held }).toEqual({ kills: 7, lost: 0, twice: 0, more: 0, held: 4 });
  expect(repeated).toBeLessThanOrEqual(bound);
});
