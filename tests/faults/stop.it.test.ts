// What is no fault must cost nothing: SIGTERM of each service under load, and processes that join and leave.
import { readFileSync } from 'node:fs';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, readings, show, verdictOf } from './books.ts';
import { problemsOf } from './checker.ts';
import { hecToken, mailDocuments, sinkDocuments, webhookDocuments } from './documents.ts';
import { load, mailRule, rules } from './load.ts';
import { logOf, type Process, randomPause, type System, startSystem } from './system.ts';
import { untilIdle } from './topic.ts';

let system: System;
let webhook: WebhookReceiver;
let mail: SmtpReceiver;
let hec: HecReceiver;
let services: Process[];

const inForce = [...rules, mailRule];
const all = Object.values(readings);
/** runService gives up after 25 s. */
const deadlineMs = 25_000;

beforeAll(async () => {
  webhook = await startWebhookReceiver();
  // Slow enough that a stop finds requests on their way.
  webhook.answerWith({ status: 204, delayMs: 20 });
  mail = await startSmtpReceiver();
  hec = await startHecReceiver({ token: hecToken });
  system = await startSystem({ env: { HEC_TOKEN: hecToken } });
  system.configure([
    ...webhookDocuments(webhook.port),
    ...mailDocuments(mail.port),
    ...sinkDocuments(hec.port),
  ]);
  const api = await system.service('config-api');
  services = [
    api,
    ...(await Promise.all(['recorder', 'actions', 'sinks', 'evaluator'].map((name) => system.service(name)))),
  ];
});

afterAll(async () => {
  await system?.stop();
  await Promise.all([webhook.close(), mail.close(), hec.close()]);
});

/** Ends it as a deployment does; a clean end is code 0 before the deadline. */
async function endCleanly(service: Process): Promise<void> {
  const began = performance.now();
  const exit = await service.stop();
  expect(exit, logOf(service)).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(deadlineMs);
}

test('SIGTERM of each service under load: a clean end and no duplicate', async () => {
  const records = load('sigterm', 2_000, inForce);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 40, everyMs: 200 });
  for (const service of services) {
    await randomPause(700);
    await endCleanly(service);
    await service.start();
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('SIGTERM of each service', verdict, `stops=${services.length}`);
  expect(problemsOf(verdict)).toEqual([]);
  const { duplicates, repeatedCommands, sinkDuplicates, held, answered } = verdict;
  expect({ duplicates, repeatedCommands, sinkDuplicates, held, answered }).toEqual({
    duplicates: 0,
    repeatedCommands: 0,
    sinkDuplicates: 0,
    held: 0,
    answered: 0,
  });
}, 150_000);

test('a second process of each worker joins and leaves under load', async () => {
  const records = load('rebalance', 2_000, inForce);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 40, everyMs: 200 });
  for (const name of ['evaluator', 'actions', 'sinks']) {
    const second = await system.service(name);
    await randomPause(500);
    // It is part of the group: it was given partitions.
    expect(readFileSync(second.logFile, 'utf8')).toContain('"kind":"assigned"');
    await endCleanly(second);
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('second processes joined and left', verdict);
  expect(problemsOf(verdict)).toEqual([]);
  const { duplicates, repeatedCommands, sinkDuplicates, held, answered } = verdict;
  expect({ duplicates, repeatedCommands, sinkDuplicates, held, answered }).toEqual({
    duplicates: 0,
    repeatedCommands: 0,
    sinkDuplicates: 0,
    held: 0,
    answered: 0,
  });
}, 150_000);
