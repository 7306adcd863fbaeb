// kill -9 of the evaluator under load: after it produced and before it committed, and at moments nobody chose.
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { commandTopic } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show, verdictOf } from './books.ts';
import { problemsOf } from './checker.ts';
import { webhookDocuments } from './documents.ts';
import { load } from './load.ts';
import { type Process, randomPause, type System, startSystem } from './system.ts';
import { until, untilIdle, waiting } from './topic.ts';

let system: System;
let webhook: WebhookReceiver;
let evaluator: Process;

beforeAll(async () => {
  webhook = await startWebhookReceiver();
  system = await startSystem();
  system.configure(webhookDocuments(webhook.port));
  await system.service('recorder');
  [evaluator] = await Promise.all([
    system.service('evaluator'),
    system.service('actions', { ACTIONS: 'webhook' }),
  ]);
});

afterAll(async () => {
  await webhook.close();
  await system?.stop();
});

const all = [readings.evaluator, readings.webhook, readings.recorder];
const perRound = 250;

async function commandsInTopic(): Promise<number> {
  const admin = system.client.admin();
  const ends = await admin.endOffsets(commandTopic('webhook').name);
  await admin.close();
  return [...ends.values()].reduce((sum, end) => sum + end, 0);
}

test('killed between producing commands and committing the inputs', async () => {
  const rounds = 3;
  const records = load('produced', rounds * perRound);
  let hits = 0;
  for (let round = 0; round < rounds; round += 1) {
    await untilIdle(system.client, [readings.evaluator]);
    const before = await commandsInTopic();
    await publish(system.client, records.slice(round * perRound, (round + 1) * perRound));
    await until('commands are in the topic', async () => (await commandsInTopic()) > before, 30_000, 1);
    await evaluator.kill();
    if ((await waiting(system.client, [readings.evaluator])) > 0) hits += 1;
    await evaluator.start();
  }
  await publish(system.client, records.slice(rounds * perRound));
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook });
  show('evaluator killed after produce, before commit', verdict, `kills=${rounds} hits=${hits}`);
  expect(problemsOf(verdict)).toEqual([]);
  // The fault really happened: inputs were evaluated twice, and nobody outside noticed.
  expect(hits).toBeGreaterThan(0);
  expect(verdict.repeatedCommands).toBeGreaterThan(0);
  expect(verdict.duplicates).toBe(0);
}, 120_000);

test('killed at any moment', async () => {
  const kills = 7;
  const records = load('anytime', kills * perRound);
  let over = false;
  const feeding = feed(system.client, records, () => !over);
  let met = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    await randomPause(1_500);
    if (feeding.left() > 0) met += 1;
    await evaluator.kill();
    await evaluator.start();
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook });
  show('evaluator killed at any moment', verdict, `kills=${kills} under load=${met}`);
  expect(problemsOf(verdict)).toEqual([]);
  expect(met).toBeGreaterThan(kills / 2);
  expect(verdict.duplicates).toBe(0);
}, 180_000);
