// A process with an instance id that died is back in its group at once, and never runs twice (KIP-345).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { kafkaBrokers } from '@tocsin/testing/servers.ts';
import { expect, it } from 'vitest';
import { brokerSubject } from '../conformance/broker-subject.ts';
import { createTopic, fill, reader, unique, until } from '../conformance/subject.ts';

const sessionTimeoutMs = 20_000;
const subject = brokerSubject('platformatic', kafkaBrokers());
const log = subject.create();

/** A consumer in a process of its own that completes some records and is killed. */
async function killedAfter(
  records: number,
  topic: string,
  group: string,
  instanceId: string[],
): Promise<void> {
  const program = fileURLToPath(new URL('../conformance/crash-child.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [program, 'platformatic', kafkaBrokers(), topic, group, String(sessionTimeoutMs), ...instanceId],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let seen = 0;
  for await (const _ of createInterface({ input: child.stdout })) {
    seen += 1;
    if (seen === records) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
}

it('kill -9, then the same instance again: its partitions do not wait for the session', async () => {
  const topic = await createTopic(subject, log, 'static', 2);
  await fill(log, topic, 200, 0);
  await fill(log, topic, 200, 1);
  const group = unique('static');
  await killedAfter(50, topic, group, ['worker-1']);
  const began = Date.now();
  const heir = reader(log, topic, group, { sessionTimeoutMs, instanceId: 'worker-1' });
  await heir.consumer.start();
  await until('both partitions are read to the end', () =>
    [0, 1].every((partition) =>
      heir.seen.some((each) => each.partition === partition && each.offset === 199),
    ),
  );
  expect(Date.now() - began).toBeLessThan(sessionTimeoutMs / 2);
  await heir.consumer.stop();
});

it('without an instance id the same restart waits for the session', async () => {
  const topic = await createTopic(subject, log, 'dynamic', 1);
  await fill(log, topic, 100);
  const group = unique('dynamic');
  await killedAfter(10, topic, group, []);
  const heir = reader(log, topic, group, { sessionTimeoutMs });
  void heir.consumer.start().catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, sessionTimeoutMs / 2));
  expect(heir.seen).toEqual([]);
  await heir.consumer.stop();
});

it('a second process with the same instance fences the first, which ends and says why', async () => {
  const topic = await createTopic(subject, log, 'fence', 2);
  const group = unique('fence');
  const older = reader(log, topic, group, { sessionTimeoutMs, instanceId: 'worker-1' });
  await older.consumer.start();
  const younger = reader(log, topic, group, { sessionTimeoutMs, instanceId: 'worker-1' });
  await younger.consumer.start();
  await until('the older one has failed', () => older.failures.length > 0);
  expect(older.failures.map(({ message }) => message)).toEqual([
    expect.stringContaining(`instance worker-1 of group ${group} runs elsewhere`),
  ]);
  expect(older.consumer.assignments()).toEqual([]);
  await fill(log, topic, 10, 0);
  await fill(log, topic, 10, 1);
  await until('the younger one reads both', () => younger.seen.length === 20);
  expect([older.seen, younger.failures]).toEqual([[], []]);
  await older.consumer.stop();
  await younger.consumer.stop();
});

it('a static member that is stopped in order leaves its partitions to the others at once', async () => {
  const topic = await createTopic(subject, log, 'leave', 2);
  const group = unique('leave');
  const [one, two] = ['worker-1', 'worker-2'].map((instanceId) =>
    reader(log, topic, group, { sessionTimeoutMs, instanceId }),
  ) as [ReturnType<typeof reader>, ReturnType<typeof reader>];
  await one.consumer.start();
  await two.consumer.start();
  await until('they share', () => one.consumer.assignments().length === 1);
  await one.consumer.stop();
  await until('the other has both', () => two.consumer.assignments().length === 2, sessionTimeoutMs / 2);
  await two.consumer.stop();
});

it('partitions that were added while it was dead are found', async () => {
  const topic = await createTopic(subject, log, 'grown', 1);
  await fill(log, topic, 50);
  const group = unique('grown');
  await killedAfter(10, topic, group, ['worker-1']);
  const admin = log.admin();
  await admin.ensureTopics([{ name: topic, partitions: 3, replicationFactor: 1, config: {} }]);
  await admin.close();
  const heir = reader(log, topic, group, { sessionTimeoutMs, instanceId: 'worker-1' });
  await heir.consumer.start();
  await until('all three are assigned', () => heir.consumer.assignments().length === 3, sessionTimeoutMs / 2);
  await heir.consumer.stop();
});
