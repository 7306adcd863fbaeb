// kill -9 of what acts on the outside: action workers and sinks, after the receiver has it and before anything is recorded.
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show, verdictOf } from './books.ts';
import { problemsOf } from './checker.ts';
import { hecToken, mailDocuments, sinkDocuments, webhookDocuments } from './documents.ts';
import { load, mailRule, rules } from './load.ts';
import { type Process, randomPause, type System, startSystem } from './system.ts';
import { until, untilIdle } from './topic.ts';

let system: System;
let webhook: WebhookReceiver;
let mail: SmtpReceiver;
let hec: HecReceiver;
let actions: Process;
let sinks: Process;

const inForce = [...rules, mailRule];
const all = Object.values(readings);
/** Attempts in progress at one moment, by destination (connection.concurrency). */
const concurrency = { webhook: 8, mail: 4 };
/** Events of one sink batch times batches in flight, see documents.ts. */
const sinkBound = 50 * 2;

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
  await system.service('recorder');
  [actions, sinks] = await Promise.all([
    system.service('actions'),
    system.service('sinks'),
    system.service('evaluator'),
  ]);
});

afterAll(async () => {
  await system?.stop();
  await Promise.all([webhook.close(), mail.close(), hec.close()]);
});

test('action worker killed when the webhook receiver has the request and before it answers', async () => {
  const armed = [40, 160, 280];
  const records = load('webhook', 700, inForce);
  const first = webhook.requests.length;
  let kills = 0;
  webhook.answerWith(() => {
    if (webhook.requests.length - first >= (armed[kills] ?? Number.POSITIVE_INFINITY)) {
      kills += 1;
      process.kill(actions.pid(), 'SIGKILL');
    }
    return { status: 204, delayMs: 15 };
  });
  await publish(system.client, records);
  for (let kill = 1; kill <= armed.length; kill += 1) {
    await until(`kill ${kill}`, () => kills === kill);
    await actions.start();
  }
  await untilIdle(system.client, all);
  webhook.answerWith({ status: 204 });
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('action worker killed after send, before result', verdict, `kills=${kills}`);
  expect(problemsOf(verdict)).toEqual([]);
  // The request that pulled the trigger is sent again, at least; nothing beyond what was in flight is.
  expect(verdict.duplicates).toBeGreaterThanOrEqual(kills);
  expect(verdict.duplicates).toBeLessThanOrEqual(kills * concurrency.webhook);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
}, 120_000);

test('action worker killed at any moment', async () => {
  const kills = 5;
  const records = load('anytime', 1_500, inForce);
  webhook.answerWith({ status: 204, delayMs: 5 });
  let over = false;
  const feeding = feed(system.client, records, () => !over);
  for (let kill = 0; kill < kills; kill += 1) {
    await randomPause(1_500);
    await actions.kill();
    await actions.start();
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('action worker killed at any moment', verdict, `kills=${kills}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBeLessThanOrEqual(kills * concurrency.webhook);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
}, 120_000);

test('action worker killed when the mail server has the message and before it answers: held, not repeated', async () => {
  const kills = 2;
  const records = load('mail', 400, inForce);
  const mails = records.flatMap(({ input }) => input.hits.filter(({ rule }) => rule === mailRule.id));
  for (let kill = 0; kill < kills; kill += 1) {
    const half = records.length >> 1;
    const before = mail.mails.length;
    mail.script({}, {}, { answerDelayMs: Number.POSITIVE_INFINITY });
    await publish(system.client, records.slice(kill * half, kill === 0 ? half : records.length));
    await mail.waitFor(before + 3, 30_000);
    await actions.kill();
    await actions.start();
    await untilIdle(system.client, all);
  }
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('action worker killed after DATA, before the answer', verdict, `kills=${kills} mails=${mails.length}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.held).toBeGreaterThanOrEqual(kills);
  expect(verdict.held).toBeLessThanOrEqual(kills * concurrency.mail);
  // Webhooks in flight may come twice; a mail never does.
  const ids = mail.mails.map(({ parsed }) => parsed.messageId);
  expect(new Set(ids).size).toBe(ids.length);
}, 120_000);

test('sink killed in the middle of a batch', async () => {
  const armed = 3;
  const random = 3;
  const records = load('sink', 1_800, inForce);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 60, everyMs: 300 });
  for (let kill = 0; kill < armed; kill += 1) {
    // Taken whole and never answered: the sink cannot know.
    const before = hec.requests.length;
    hec.script({ lost: true });
    await until('the receiver took a batch', () => hec.requests.length > before, 30_000, 1);
    await sinks.kill();
    await sinks.start();
  }
  for (let kill = 0; kill < random; kill += 1) {
    await randomPause(1_500);
    await sinks.kill();
    await sinks.start();
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook, mail, hec });
  show('sink killed in the middle of a batch', verdict, `kills=${armed + random}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(verdict.duplicates).toBe(0);
  expect(verdict.sinkDuplicates).toBeGreaterThan(0);
  expect(verdict.sinkDuplicates).toBeLessThanOrEqual((armed + random) * sinkBound);
}, 120_000);
