// The servers go away under load: the broker and Redis are killed and come back, PostgreSQL is away for half a minute.
import { setTimeout as delay } from 'node:timers/promises';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show, verdictOf } from './books.ts';
import { problemsOf } from './checker.ts';
import { hecToken, mailDocuments, sinkDocuments, webhookDocuments } from './documents.ts';
import { load, mailRule, rules } from './load.ts';
import { firstKey, type Process, type System, startSystem } from './system.ts';
import { until, untilIdle, waiting } from './topic.ts';

let system: System;
let webhook: WebhookReceiver;
let mail: SmtpReceiver;
let hec: HecReceiver;
let api: Process;
const services: Process[] = [];

const inForce = [...rules, mailRule];
const all = Object.values(readings);
const concurrency = 8;

beforeAll(async () => {
  webhook = await startWebhookReceiver();
  mail = await startSmtpReceiver();
  hec = await startHecReceiver({ token: hecToken });
  system = await startSystem({ env: { HEC_TOKEN: hecToken } });
  system.configure([
    ...webhookDocuments(webhook.port),
    ...mailDocuments(mail.port),
    ...sinkDocuments(hec.port),
  ]);
  // Alone, because it migrates the database; from the database and not from files, so that it can be written to.
  api = await system.service('config-api', { CONFIG_DIR: '' });
  for (const started of await Promise.all(
    ['recorder', 'actions', 'sinks', 'evaluator'].map((name) => system.service(name)),
  ))
    services.push(started);
});

afterAll(async () => {
  await system?.stop();
  await Promise.all([webhook.close(), mail.close(), hec.close()]);
});

/** The services themselves survived: a restart of a server is no reason to end. */
function expectSameProcesses(before: readonly number[]): void {
  expect(services.map((service) => service.pid())).toEqual(before);
}

test('broker killed and started again on its data', async () => {
  const pids = services.map((service) => service.pid());
  const records = load('broker', 1_500, inForce);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 50, everyMs: 200 });
  await delay(1_500);
  await system.kafka.kill(0);
  await delay(1_000);
  await system.kafka.restart(0);
  over = true;
  await feeding.done;
  await untilIdle(system.client, all, 90_000);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('broker restart', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(concurrency);
  expect(verdict.held).toBeLessThanOrEqual(concurrency);
  expectSameProcesses(pids);
}, 150_000);

test('Redis killed and started again on its data', async () => {
  const pids = services.map((service) => service.pid());
  const records = load('redis', 1_200, inForce);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 50, everyMs: 200 });
  await delay(1_000);
  await system.killRedis();
  await delay(2_500);
  await system.startRedis();
  over = true;
  await feeding.done;
  await untilIdle(system.client, all, 90_000);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('Redis restart', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(concurrency);
  expect(verdict.held).toBe(0);
  expect(verdict.sinkDuplicates).toBe(0);
  expectSameProcesses(pids);
}, 150_000);

test('PostgreSQL away for 30 s: webhooks go on, mail and history wait, the API says when to come again', async () => {
  const pids = services.map((service) => service.pid());
  const records = load('postgres', 1_200, inForce);
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
  await untilIdle(system.client, all, 90_000);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('PostgreSQL away for 30 s', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBe(0);
  // What was being sent when the ledger went away cannot be known to be sent.
  expect(verdict.held).toBeLessThanOrEqual(4);
  expectSameProcesses(pids);
}, 180_000);
