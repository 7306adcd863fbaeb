// Servers go away and processes come and go under load: the broker and Redis are killed, PostgreSQL is away for half a minute,
// every service is stopped as a deployment does, second processes join and leave.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createApiClient } from '@tocsin/local/demo/api.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show } from './books.ts';
import { problemsOf, type Verdict } from './checker.ts';
import { concurrency, type Full, startFull } from './full.ts';
import { mailRule } from './load.ts';
import { firstKey, logOf, type Process, randomPause } from './system.ts';
import { until, untilIdle, waiting } from './topic.ts';

let full: Full;
let services: Process[];
/** runService gives up after 25 s. */
const deadlineMs = 25_000;

beforeAll(async () => {
  full = await startFull();
  services = [full.api, full.recorder, full.actions, full.sinks, full.evaluator];
});

afterAll(async () => {
  await full?.stop();
});

/** The services themselves survived: a restart of a server is no reason to end. */
function expectSameProcesses(before: readonly number[]): void {
  expect(services.map((service) => service.pid())).toEqual(before);
}

test('broker killed and started again on its data', async () => {
  const { system } = full;
  const pids = services.map((service) => service.pid());
  const records = full.load('broker', 1_500);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 50, everyMs: 200 });
  await delay(1_500);
  await system.kafka.kill(0);
  await delay(1_000);
  await system.kafka.restart(0);
  over = true;
  await feeding.done;
  const verdict = await full.verdict(records, 90_000);
  show('broker restart', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(concurrency.webhook);
  expect(verdict.held).toBeLessThanOrEqual(concurrency.mail);
  expectSameProcesses(pids);
}, 150_000);

test('Redis killed and started again on its data', async () => {
  const { system } = full;
  const pids = services.map((service) => service.pid());
  const records = full.load('redis', 1_200);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 50, everyMs: 200 });
  await delay(1_000);
  await system.killRedis();
  await delay(2_500);
  await system.startRedis();
  over = true;
  await feeding.done;
  const verdict = await full.verdict(records, 90_000);
  show('Redis restart', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(concurrency.webhook);
  expect(verdict.held).toBe(0);
  expect(verdict.sinkDuplicates).toBe(0);
  expectSameProcesses(pids);
}, 150_000);

test('PostgreSQL away for 30 s: webhooks go on, mail and history wait, the API says when to come again', async () => {
  const { system, webhook, mail, api } = full;
  const pids = services.map((service) => service.pid());
  const records = full.load('postgres', 1_200);
  const half = records.length >> 1;
  const ofRule = (hit: (rule: string) => boolean) =>
    records.slice(half).flatMap(({ input }) => input.hits.filter(({ rule }) => hit(rule)));
  const ask = () =>
    fetch(`${api.url}/api/rules`, {
      headers: { authorization: `Bearer ${firstKey(system)}` },
      signal: AbortSignal.timeout(20_000),
    });
  expect((await ask()).status).toBe(200);

  await publish(system.client, records.slice(0, half));
  await until('the first mails', () =>
    mail.mails.some(({ parsed }) => parsed.subject?.startsWith('postgres-')),
  );
  await system.killPostgres();
  const downUntil = performance.now() + 30_000;
  await delay(1_000);
  const mailsBefore = mail.mails.length;
  await publish(system.client, records.slice(half));

  const arrived = new Set<string>();
  await until(
    'every webhook of what came during the outage',
    () => {
      for (const { id } of webhook.requests) arrived.add(id);
      return ofRule((rule) => rule !== mailRule.id).every(({ commandId }) => arrived.has(commandId));
    },
    25_000,
  );
  const refused = await ask();
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(mail.mails.length).toBe(mailsBefore);
  expect(await waiting(system.client, [readings.recorder])).toBeGreaterThan(0);
  await untilIdle(system.client, [readings.evaluator, readings.webhook, readings.sink], 25_000);

  await delay(Math.max(0, downUntil - performance.now()));
  await system.startPostgres();
  await until('the API answers again', async () => (await ask()).status === 200, 30_000, 250);
  const verdict = await full.verdict(records, 90_000);
  show('PostgreSQL away for 30 s', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBe(0);
  // The history has caught up.
  const client = createApiClient(api.url, firstKey(system));
  for (const { commandId } of ofRule(() => true).slice(0, 200))
    expect(await client.get<object>(`/api/executions/${commandId}`)).toMatchObject({ final: true });
  // What was being sent when the ledger went away cannot be known to be sent.
  expect(verdict.held).toBeLessThanOrEqual(concurrency.mail);
  expectSameProcesses(pids);
}, 180_000);

/** Ends it as a deployment does; a clean end is code 0 before the deadline. */
async function endCleanly(service: Process): Promise<void> {
  const began = performance.now();
  const exit = await service.stop();
  expect(exit, logOf(service)).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(deadlineMs);
}

function expectNothingTwice(verdict: Verdict): void {
  const { duplicates, repeatedCommands, sinkDuplicates, held, answered } = verdict;
  const nothing = { duplicates: 0, repeatedCommands: 0, sinkDuplicates: 0, held: 0, answered: 0 };
  expect({ duplicates, repeatedCommands, sinkDuplicates, held, answered }).toEqual(nothing);
}

test('SIGTERM of each service under load: a clean end and no duplicate', async () => {
  const records = full.load('sigterm', 1_500);
  // Slow enough that a stop finds requests on their way.
  full.webhook.answerWith({ status: 204, delayMs: 20 });
  let over = false;
  const feeding = feed(full.system.client, records, () => !over, { count: 40, everyMs: 200 });
  for (const service of services) {
    await randomPause(700);
    await endCleanly(service);
    await service.start();
  }
  over = true;
  await feeding.done;
  const verdict = await full.verdict(records);
  show('SIGTERM of each service', verdict, `stops=${services.length}`);
  expect(problemsOf(verdict)).toEqual([]);
  expectNothingTwice(verdict);
}, 150_000);

test('a second process of each worker joins and leaves under load', async () => {
  const records = full.load('rebalance', 1_500);
  let over = false;
  const feeding = feed(full.system.client, records, () => !over, { count: 40, everyMs: 200 });
  for (const name of ['evaluator', 'actions', 'sinks']) {
    const second = await full.system.service(name);
    await randomPause(500);
    // It is part of the group: it was given partitions.
    expect(readFileSync(second.logFile, 'utf8')).toContain('"kind":"assigned"');
    await endCleanly(second);
  }
  over = true;
  await feeding.done;
  const verdict = await full.verdict(records);
  show('second processes joined and left', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expectNothingTwice(verdict);
}, 150_000);
