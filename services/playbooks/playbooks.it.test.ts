// The playbook service as a process on real Kafka and Redis: killed between the steps of its runs, and robbed of all its states.
// Every run goes through all its steps, each command has one id, no timer fires early, and an event that came early is not lost.
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import type { Command, PlaybookVersion, RunInput } from '@tocsin/schemas/types.ts';
import { type Process, type System, startSystem } from '@tocsin/tests/faults/system.ts';
import { readTopic } from '@tocsin/tests/faults/topic.ts';
import type { RunChange, RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { correlationKey } from '@tocsin/topologies/domain/playbooks/tokens.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import type { LogProducer, OutRecord } from '@tocsin/topologies/ports/log.ts';
import type { FoldChange } from '@tocsin/topologies/run/fold/fold.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';

const runs = Array.from({ length: 20 }, (_, n) => ({ key: `run-${n}`, n }));
const playbook = {
  kind: 'playbook',
  id: 'rescan-host',
  steps: [
    { id: 'ask', action: { type: 'webhook', connection: 'hook', params: { body: { n: '{{finding.n}}' } } } },
    { id: 'later', delay: 'PT1S', set: { asked: { $: 'steps.ask.status' } } },
    {
      id: 'scan',
      waitFor: { event: 'scan.completed', correlate: 's-{{finding.n}}', at: 'data.scan_id' },
      deadline: 'PT1H',
      outputs: { open: { $: 'result.data.open' } },
    },
    { id: 'tell', action: { type: 'log', params: { message: 'open: {{steps.scan.outputs.open}}' } } },
  ],
};

let system: System;
let service: Process;
let producer: LogProducer;

beforeAll(async () => {
  system = await startSystem({ env: { KAFKA_INSTANCE_ID: 'playbooks-test' } });
  system.configure([playbook]);
  producer = system.client.producer();
  service = await system.service('playbooks');
});
afterAll(async () => {
  await producer?.close();
  await system?.stop();
});

const json = async <T>(topic: string): Promise<T[]> =>
  (await readTopic(system.client, topic)).flatMap(({ value }) =>
    value === null ? [] : [JSON.parse(String(value)) as T],
  );
/** By id; what a crash repeats has the same one. */
async function commands(type: string): Promise<Map<string, Command>> {
  const found = await json<Command>(commandTopic(type).name);
  return new Map(found.map((command) => [command.command_id, command]));
}
const eventually = (look: () => Promise<number>, count: number) =>
  expect.poll(look, { timeout: 30_000, interval: 300 }).toBe(count);
const put = (records: readonly (readonly [topic: string, key: string, value: unknown])[]) =>
  producer.send(
    records.map(([topic, key, value]): OutRecord => ({ topic, key, value: JSON.stringify(value) })),
  );
const scanned = (n: number) =>
  [
    topics.correlations.name,
    correlationKey('', 'data.scan_id', `s-${n}`),
    {
      kind: 'event',
      id: `scan-${n}`,
      event: { event: 'scan.completed', data: { scan_id: `s-${n}`, open: n } },
    },
  ] as const;
const answers = (sent: Map<string, Command>) =>
  put(
    [...sent.values()].map(({ command_id, reply_to }) => {
      const input: RunInput = {
        kind: 'result',
        command_id,
        status: 'succeeded',
        token: reply_to?.token ?? '',
      };
      return [topics.runs.name, reply_to?.key ?? '', input];
    }),
  );

async function flushAll(): Promise<void> {
  const redis = connectRedis({
    url: system.env['REDIS_URL'] ?? '',
    name: 'playbooks-test',
    logger: fakeLogger(),
  });
  await redis.flushall();
  await redis.quit();
}

it('is killed and emptied between the steps of twenty runs, and carries every one of them out', async () => {
  const [version] = await json<PlaybookVersion>(topics.playbookVersions.name);
  expect(version?.document.id).toBe('rescan-host');
  await put([
    ...runs.map(({ key, n }) => {
      const source = { id: `e-${n}`, kind: 'event', topic: 'findings.v1', partition: 0, offset: n };
      const event = { event: 'finding.new', data: { n } };
      const revision = version?.revision;
      return [
        topics.runs.name,
        key,
        { kind: 'start', playbook: 'rescan-host', revision, by: 'op', event, source },
      ] as const;
    }),
    // Long before anybody waits for it.
    ...runs.filter(({ n }) => n % 2 === 0).map(({ n }) => scanned(n)),
  ]);
  await eventually(async () => (await commands('webhook')).size, 20);

  await service.kill();
  await answers(await commands('webhook'));
  await flushAll();
  await service.start();
  await eventually(async () => (await commands('log')).size, 10);

  await service.kill();
  await put(runs.filter(({ n }) => n % 2 === 1).flatMap(({ n }) => [scanned(n), scanned(n)]));
  await service.start();
  await eventually(async () => (await commands('log')).size, 20);

  await flushAll();
  await answers(await commands('log'));
  const ended = async () =>
    new Set(
      (await json<{ event: string; data: { run: string } }>(topics.events.name))
        .filter(({ event }) => event === 'playbook.completed')
        .map(({ data }) => data.run),
    );
  await eventually(async () => (await ended()).size, 20);
  // Whatever came twice has its place by now.
  expect([(await commands('webhook')).size, (await commands('log')).size]).toEqual([20, 20]);

  const told = await json<FoldChange<RunState>>(topics.runEvents.name);
  for (const { key, n } of runs) {
    const own = new Map(told.filter((change) => change.key === key).map((change) => [change.offset, change]));
    const steps = [...own.values()]
      .sort((a, b) => a.offset - b.offset)
      .flatMap(({ changes }) => changes as RunChange[]);
    const ends = steps.filter(({ what, status }) => what === 'step' && status === 'succeeded');
    expect(ends.map(({ step, outputs }) => [step, outputs])).toEqual([
      ['ask', {}],
      ['later', { asked: 'succeeded' }],
      ['scan', { open: n }],
      ['tell', {}],
    ]);
  }
  // The same input gave the same change whoever applied it.
  const byInput = new Map<string, string>();
  for (const change of told) {
    const input = `${change.key}/${change.offset}`;
    const text = JSON.stringify(change);
    expect(byInput.get(input) ?? text).toBe(text);
    byInput.set(input, text);
  }
  const fired = (await json<RunInput>(topics.runs.name)).flatMap((input) =>
    input.kind === 'timer' ? [(input.fired_at ?? 0) - (input.due ?? 0)] : [],
  );
  expect(fired.length).toBeGreaterThanOrEqual(20);
  expect(Math.min(...fired)).toBeGreaterThanOrEqual(0);
  expect(await readTopic(system.client, topics.deadLetters.name)).toEqual([]);
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toMatch(/tocsin_fold_rebuilds_total\{[^}]*fold="runs"[^}]*\} [1-9]/);
}, 240_000);
