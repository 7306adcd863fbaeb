// Conformance cases that stop, kill or damage brokers, or need listeners of their own.
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alterUserScramCredentialsV0 } from '@platformatic/kafka';
import { type Kafka, startKafka } from '@tocsin/local/servers/kafka.ts';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import type { UnreadableOffsets } from '@tocsin/topologies/ports/log.ts';
import { expect } from 'vitest';
import { Cluster } from '../platformatic/cluster.ts';
import type { LogClientName, LogSettings } from '../settings.ts';
import { brokerSubject, settingsFor } from './broker-subject.ts';
import { createLogClient } from './create-client.ts';
import { committed, createTopic, fill, reader, unique, until } from './subject.ts';

/** Case 7: broker restart and coordinator move, under load, on three brokers. */
export async function survivesBrokers(client: LogClientName, kafka: Kafka): Promise<void> {
  const subject = brokerSubject(client, kafka.brokers, 3);
  const log = subject.create();
  const topic = await createTopic(subject, log, 'brokers', 3);
  const group = unique('brokers');
  const all = reader(log, topic, group, { sessionTimeoutMs: 10_000 });
  await all.consumer.start();
  const producer = log.producer();
  let running = true;
  let sent = 0;
  const acknowledged: string[] = [];
  const load = (async () => {
    while (running) {
      const values = Array.from({ length: 5 }, () => String(sent++));
      // A send that was not acknowledged may be sent again: that is the port's contract.
      for (let tries = 0; ; tries++) {
        try {
          await producer.send(values.map((value) => ({ topic, key: value, value })));
          break;
        } catch (error) {
          if (tries > 20) throw error;
          await sleep(100);
        }
      }
      acknowledged.push(...values);
      await sleep(10);
    }
  })();
  const seenValues = () => new Set(all.seen.map(({ value }) => value));
  const progress = async (what: string) => {
    const from = acknowledged.length;
    await until(`${what}: producer goes on`, () => acknowledged.length > from + 20, 40_000);
    const upTo = acknowledged.length;
    await until(
      `${what}: consumer goes on`,
      () => acknowledged.slice(0, upTo).every((value) => seenValues().has(value)),
      40_000,
    );
  };
  try {
    await progress('before');
    const coordinator = await coordinatorIndex(kafka, group);
    await kafka.kill(coordinator);
    await progress('coordinator killed');
    await until(
      'a new coordinator has commits',
      async () => (await committed(log, group, topic)).every((offset) => offset > 0),
      40_000,
    );
    await kafka.restart(coordinator);
    await progress('coordinator back');
    const leader = await leaderIndex(kafka, topic);
    await kafka.restart(leader);
    await progress('leader restarted');
  } finally {
    running = false;
    await load;
  }
  await until('everything is read', () => acknowledged.every((value) => seenValues().has(value)), 40_000);
  expect(all.failures).toEqual([]);
  // Repeated sends may have left duplicates behind the last value: those are read and committed, too.
  const admin = log.admin();
  await until(
    'no lag is left',
    async () => (await admin.lag(group, [topic])).every(({ records }) => records === 0),
    40_000,
  );
  await Promise.all([all.consumer.stop(), producer.close()]);
  expect((await admin.lag(group, [topic])).map(({ records }) => records)).toEqual([0, 0, 0]);
  await admin.close();
}

async function coordinatorIndex(kafka: Kafka, group: string): Promise<number> {
  const cluster = new Cluster(settingsFor('platformatic', kafka.brokers));
  const { port } = await cluster.coordinator(group);
  await cluster.close();
  return kafka.brokers.split(',').findIndex((broker) => broker.endsWith(`:${port}`));
}

async function leaderIndex(kafka: Kafka, topic: string): Promise<number> {
  const cluster = new Cluster(settingsFor('platformatic', kafka.brokers));
  await cluster.topic(topic);
  const { port } = cluster.broker(cluster.leader(topic, 0));
  await cluster.close();
  return kafka.brokers.split(',').findIndex((broker) => broker.endsWith(`:${port}`));
}

export interface SecureKafka {
  readonly kafka: Kafka;
  readonly brokers: string;
  readonly ca: string;
  readonly otherCa: string;
  readonly username: string;
  readonly password: string;
}

/** One broker with a SASL_SSL listener that takes PLAIN and SCRAM, certificates made for it. */
export async function startSecureKafka(dataDir: string): Promise<SecureKafka> {
  const authority = createAuthority();
  const leaf = authority.issue(['IP:127.0.0.1', 'DNS:localhost']);
  const keystore = `${dataDir}.pem`;
  writeFileSync(keystore, `${leaf.key}\n${leaf.cert}`, { mode: 0o600 });
  const username = 'tocsin';
  const password = 'correct horse, "battery"';
  const login = password.replaceAll('"', '\\"');
  const kafka = await startKafka({
    dataDir,
    extraListeners: { SECURE: 'SASL_SSL' },
    extraProperties: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keystore,
      'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.secure.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${login}";`,
      'listener.name.secure.scram-sha-256.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.secure.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    },
  });
  const cluster = new Cluster(settingsFor('platformatic', kafka.brokers));
  await cluster.refresh(null);
  const salt = randomBytes(16);
  for (const [mechanism, digest, length] of [
    [1, 'sha256', 32],
    [2, 'sha512', 64],
  ] as const) {
    const saltedPassword = pbkdf2Sync(password, salt, 4096, length, digest);
    await cluster.connections.call(cluster.controller(), 'meta', alterUserScramCredentialsV0.api, [
      [],
      [{ name: username, mechanism, iterations: 4096, salt, saltedPassword }],
    ]);
  }
  await cluster.close();
  return {
    kafka,
    brokers: kafka.listeners.SECURE!,
    ca: authority.cert,
    otherCa: createAuthority('Somebody Else').cert,
    username,
    password,
  };
}

/** Case 13: the whole port over SASL and TLS; wrong credentials and unknown authorities fail at once and for good. */
export async function speaksSecurely(client: LogClientName, secure: SecureKafka): Promise<void> {
  const { brokers, ca, otherCa, username, password } = secure;
  const create = (overrides: Partial<LogSettings>) =>
    createLogClient(settingsFor(client, brokers, overrides));
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    const log = create({ tls: { ca }, sasl: { mechanism, username, password } });
    const topic = await createTopic(
      { ...brokerSubject(client, brokers), create: () => log },
      log,
      'secure',
      2,
    );
    await fill(log, topic, 20, 1);
    const group = unique('secure');
    const all = reader(log, topic, group);
    await all.consumer.start();
    await until(`${mechanism}: read`, () => all.seen.length === 20);
    await all.consumer.stop();
    expect((await committed(log, group, topic))[1]).toBe(20);
  }
  const refused: Partial<LogSettings>[] = [
    { tls: { ca }, sasl: { mechanism: 'PLAIN', username, password: 'wrong' } },
    { tls: { ca }, sasl: { mechanism: 'SCRAM-SHA-256', username, password: 'wrong' } },
    { tls: { ca: otherCa }, sasl: { mechanism: 'PLAIN', username, password } },
  ];
  for (const overrides of refused) {
    const wrong = reader(create(overrides), 'secure', unique('wrong'));
    await expect(wrong.consumer.start()).rejects.toMatchObject({ name: 'LogError', retriable: false });
    await until('told', () => wrong.failures.length === 1);
    const admin = create(overrides).admin();
    await expect(admin.listTopics()).rejects.toMatchObject({ name: 'LogError', retriable: false });
    await admin.close();
  }
}

/** A byte that changed on the broker's disk: the batch is never applied, its offsets are named, reading goes on. */
export async function detectsDamage(client: LogClientName, kafka: Kafka, dataDir: string): Promise<void> {
  const subject = brokerSubject(client, kafka.brokers);
  const log = subject.create();
  const topic = await createTopic(subject, log, 'damage', 1);
  await fill(log, topic, 5);
  const producer = log.producer();
  await producer.send(
    [5, 6, 7].map((each) => ({ topic, key: null, value: each === 6 ? 'needle-in-the-log' : String(each) })),
  );
  await producer.close();
  await fill(log, topic, 5, 0, 8);
  const segment = join(dataDir, 'broker-1', 'data', `${topic}-0`, '00000000000000000000.log');
  const bytes = readFileSync(segment);
  const at = bytes.indexOf('needle-in-the-log');
  expect(at).toBeGreaterThan(0);
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(segment, bytes, { flag: 'r+' });
  const ranges: UnreadableOffsets[] = [];
  const all = reader(log, topic, unique('damage'), {
    handler: {
      onBatch: async () => undefined,
      onUnreadable: async (range) => {
        ranges.push(range);
      },
    },
  });
  await all.consumer.start();
  await until('goes on behind the damage', () => all.seen.length >= 10);
  await all.consumer.stop();
  expect(ranges).toMatchObject([{ topic, partition: 0, firstOffset: 5, nextOffset: 8 }]);
  expect(all.seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 8, 9, 10, 11, 12]);
}
