// `./tocsin sink run` on a cluster with topics that are not ours, and a receiver that behaves as Splunk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type Scratch, scratchFolder } from '@tocsin/testing/scratch.ts';
import { kafkaBrokers, uniqueName } from '@tocsin/testing/servers.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';

const cli = join(import.meta.dirname, '../cli.ts');
let client: LogClient;
let scratch: Scratch;
let receiver: HecReceiver;
beforeAll(async () => {
  client = await openLogClient({
    client: 'platformatic',
    brokers: kafkaBrokers().split(','),
    clientId: 'sink-run',
  });
  scratch = scratchFolder('sink-run');
  receiver = await startHecReceiver({ ackAfterMs: 100 });
});
afterAll(async () => {
  await receiver?.close();
  scratch?.remove();
});

async function publish(topic: string, from: number, to: number): Promise<void> {
  const producer = client.producer();
  const values = Array.from({ length: to - from }, (_, k) =>
    JSON.stringify({ event: 'x', data: { n: from + k } }),
  );
  await producer.send(values.map((value, k) => ({ topic, key: `k${k}`, value })));
  await producer.close();
}

async function lag(group: string, topic: string): Promise<number> {
  const admin = client.admin();
  const lags = await admin.lag(group, [topic]);
  await admin.close();
  return lags.reduce((sum, { records }) => sum + records, 0);
}

function start(file: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [cli, 'sink', 'run', '--config', file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Record<string, number>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => out.push(JSON.parse(line)));
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return { child, out, err: () => err, exit: once(child, 'exit').then(([code, signal]) => code ?? signal) };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const stored = (): number[] => receiver.events.map(({ event }) => (event as { data: { n: number } }).data.n);

it('forwards, is killed under load, goes on, reports, and ends cleanly on SIGTERM', async () => {
  const topic = uniqueName('customer-topic');
  const group = uniqueName('customer-group');
  const admin = client.admin();
  await admin.ensureTopics([{ name: topic, partitions: 3, replicationFactor: 1, config: {} }]);
  await admin.close();
  const letters = join(scratch.path, 'letters.jsonl');
  const file = join(scratch.path, 'sink.yaml');
  writeFileSync(
    file,
    `sink:
  id: splunk
  type: splunk-hec
  params: { ack: true, ack_poll_ms: 200 }
  batch: { max_events: 200 }
connection:
  type: http
  protocol: http
  allow_insecure: true
  host: 127.0.0.1
  port: ${receiver.port}
  secrets: { token: { env: HEC_TOKEN } }
kafka: { brokers: [${JSON.stringify(kafkaBrokers())}], instance_id: sink-1 }
topics: [${topic}]
group: ${group}
dead_letters: { file: ${JSON.stringify(letters)} }
report_s: 1
`,
  );
  await publish(topic, 0, 5_000);
  const first = start(file, { HEC_TOKEN: 'test-token' });
  await until('some stored', () => receiver.events.length > 0);
  first.child.kill('SIGKILL');
  expect(await first.exit).toBe('SIGKILL');
  await publish(topic, 5_000, 8_000);
  const producer = client.producer();
  await producer.send([{ topic, key: 'poison', value: '{"a":' }]);
  await producer.close();
  const second = start(file, { HEC_TOKEN: 'test-token' });
  await until('all stored', () => new Set(stored()).size === 8_000);
  await until('all committed', async () => (await lag(group, topic)) === 0);
  await until('a report', () => second.out.length > 0);
  second.child.kill('SIGTERM');
  expect([await second.exit, second.err()]).toEqual([
    0,
    expect.stringContaining('everything that was sent is committed'),
  ]);
  expect(second.out.at(-1)).toMatchObject({
    dead_letter: 1,
    lag_records: 0,
    lag_seconds: 0,
    unacknowledged: 0,
  });
  const [letter] = readFileSync(letters, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(Buffer.from(letter.value, 'base64').toString()).toBe('{"a":');
  expect(second.err()).not.toContain('test-token');
}, 90_000);

it.each<[string, string, string]>([
  [
    'an unknown field',
    'sink: {}\nconnection: {}\nkafka: { broker: x }\ntopics: [a]\ndead_letters: { file: x }',
    '/kafka/broker',
  ],
  [
    'a secret in plain text',
    'sink: {}\nconnection: {}\nkafka: { brokers: ["a:1"], sasl: { mechanism: PLAIN, username: u, password: hunter2 } }\ntopics: [a]\ndead_letters: { file: x }',
    '/kafka/sasl/password',
  ],
  [
    'a sink without type',
    'sink: { id: a }\nconnection: { type: http, host: x }\nkafka: { brokers: ["a:1"] }\ntopics: [a]\ndead_letters: { file: x }',
    '/sink/type',
  ],
  [
    'an instance id that Kafka would refuse',
    'sink: { id: a, type: splunk-hec }\nconnection: { type: http, host: x }\nkafka: { brokers: ["a:1"], instance_id: "a b" }\ntopics: [a]\ndead_letters: { file: x }',
    '/kafka/instance_id',
  ],
  [
    'a broker without a port',
    'sink: { id: a, type: splunk-hec }\nconnection: { type: http, host: x }\nkafka: { brokers: [a] }\ntopics: [a]\ndead_letters: { file: x }',
    '/kafka/brokers',
  ],
])('%s ends with 2 and names the field', async (_, text, field) => {
  const file = join(scratch.path, 'bad.yaml');
  writeFileSync(file, text);
  const { exit, err } = start(file, {});
  expect(await exit).toBe(2);
  expect(err()).toContain(field);
  expect(err()).not.toContain('hunter2');
});

it('a topic that does not exist is named, and is not made', async () => {
  const file = join(scratch.path, 'missing.yaml');
  const name = uniqueName('no-such-topic');
  writeFileSync(
    file,
    `sink: { id: a, type: splunk-hec }\nconnection: { type: http, host: x }\nkafka: { brokers: [${JSON.stringify(kafkaBrokers())}] }\ntopics: [${name}]\ndead_letters: { file: x }\n`,
  );
  const { exit, err } = start(file, {});
  expect(await exit).toBe(1);
  expect(err()).toContain(`topic ${name} does not exist`);
  const admin = client.admin();
  expect(await admin.listTopics()).not.toContain(name);
  await admin.close();
});
