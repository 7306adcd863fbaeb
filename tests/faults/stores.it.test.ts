// kill -9 of what keeps: the recorder while it writes history, the config API between storing a document and publishing it.
import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '@tocsin/local/demo/api.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { feed, publish, readings, show, verdictOf } from './books.ts';
import { problemsOf } from './checker.ts';
import { webhookDocuments } from './documents.ts';
import { load, rules } from './load.ts';
import { firstKey, type Process, randomPause, type System, startSystem } from './system.ts';
import { readTopic, until, untilIdle } from './topic.ts';

let system: System;
let webhook: WebhookReceiver;
let config: Process;
let recorder: Process;
let api: ApiClient;

const all = [readings.evaluator, readings.webhook, readings.recorder];

async function post(document: object): Promise<void> {
  const { kind, ...body } = document as { kind: string };
  await api.post(`/api/${kind}s`, body);
}

beforeAll(async () => {
  webhook = await startWebhookReceiver();
  system = await startSystem({ configDir: false });
  config = await system.service('config-api');
  api = createApiClient(config.url, firstKey(system));
  for (const document of webhookDocuments(webhook.port)) await post(document);
  [recorder] = await Promise.all([
    system.service('recorder'),
    system.service('actions', { ACTIONS: 'webhook' }),
    system.service('evaluator'),
  ]);
});

afterAll(async () => {
  await webhook.close();
  await system?.stop();
});

test('recorder killed while it writes: every command is in the history once, with its end', async () => {
  const kills = 3;
  const records = load('recorder', 800);
  let over = false;
  const feeding = feed(system.client, records, () => !over, { count: 25, everyMs: 250 });
  for (let kill = 0; kill < kills; kill += 1) {
    await randomPause(1_200);
    await recorder.kill();
    await recorder.start();
  }
  over = true;
  await feeding.done;
  await untilIdle(system.client, all);
  const verdict = await verdictOf(system.client, records, { webhook });
  show('recorder killed at any moment', verdict, `kills=${kills}`);
  expect(problemsOf(verdict)).toEqual([]);

  const history = new Map<string, string[]>();
  let cursor: string | undefined;
  do {
    const query = `limit=200${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const page = await api.get<{
      items: { command_id: string; status: string }[];
      next_cursor?: string | null;
    }>(`/api/actions/hook/executions?${query}`);
    for (const { command_id: id, status } of page.items)
      history.set(id, [...(history.get(id) ?? []), status]);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  const expected = records.flatMap(({ input }) => input.hits.map(({ commandId }) => commandId));
  expect(expected.filter((id) => history.get(id)?.join() !== 'succeeded')).toEqual([]);
}, 120_000);

test('config API killed between storing and publishing: what it acknowledged arrives', async () => {
  const acknowledged: string[] = [];
  const create = async (id: string) => {
    await post({ ...rules[0], id, when: { events: [`test.${id}`] } });
    acknowledged.push(id);
  };
  // At the moment of the answer, when the outbox may or may not have published it.
  for (let round = 0; round < 3; round += 1) {
    for (let each = 0; each < 5; each += 1) await create(`at-once-${round}-${each}`);
    await config.kill();
    await config.start();
  }
  // For certain before: there is no broker to publish to.
  await system.kafka.kill(0);
  await create('without-broker');
  await config.kill();
  await config.start();
  await system.kafka.restart(0);
  const published = async () =>
    new Set((await readTopic(system.client, topics.config.name)).map(({ key }) => key));
  await until(
    'every acknowledged rule is in the topic',
    async () => {
      const keys = await published();
      return acknowledged.every((id) => keys.has(`rule/${id}`));
    },
    30_000,
    200,
  );

  // And it is in force: an event that only the last rule is about is delivered.
  const before = webhook.requests.length;
  const event = { id: 'config-0', event: 'test.without-broker', data: { title: 'arrived' } };
  const record = { key: 'a', value: JSON.stringify(event), input: { id: event.id, hits: [] } };
  await untilIdle(system.client, all, 30_000);
  await until(
    'the evaluator applies it',
    async () => {
      await publish(system.client, [record]);
      await delay(300);
      return webhook.requests.length > before;
    },
    30_000,
    200,
  );
  expect(JSON.parse(webhook.requests.at(-1)?.body.toString('utf8') ?? '')).toEqual(event);
}, 120_000);
