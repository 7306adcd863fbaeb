// Runs the conformance cases for one adapter: on the shared broker first, then those that need brokers of their own.
import '@tocsin/testing/provided.ts';
import { type Kafka, startKafka } from '@tocsin/local/servers/kafka.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import type { LogClientName } from '../settings.ts';
import { brokerCases } from './broker-cases.ts';
import { brokerSubject } from './broker-subject.ts';
import { cases } from './cases.ts';
import {
  detectsDamage,
  type SecureKafka,
  speaksSecurely,
  startSecureKafka,
  survivesBrokers,
} from './cluster-cases.ts';

const OLDER_KAFKA = '3.9.1';

export function judgeAdapter(client: LogClientName): void {
  const scratch = scratchFolder(`log-${client}`);
  afterAll(() => scratch.remove());

  describe(`log on ${client}`, () => {
    const subject = brokerSubject(client, inject('kafka'));
    for (const each of cases) it(`${each.number}: ${each.title}`, () => each.run(subject));
    for (const each of brokerCases)
      it(`${each.number}: ${each.title}`, () => each.run(client, inject('kafka')));
  });

  describe(`log on ${client}, three brokers`, () => {
    let kafka: Kafka;
    beforeAll(async () => {
      kafka = await startKafka({ dataDir: `${scratch.path}/three`, brokers: 3, heapMb: 256 });
    });
    afterAll(() => kafka?.stop());
    it(
      '7: survives the death of the coordinator and the restart of a leader under load',
      () => survivesBrokers(client, kafka),
      180_000,
    );
  });

  describe(`log on ${client}, SASL and TLS`, () => {
    let secure: SecureKafka;
    beforeAll(async () => {
      secure = await startSecureKafka(`${scratch.path}/secure`);
    });
    afterAll(() => secure?.kafka.stop());
    it('13: PLAIN and SCRAM over TLS work; wrong credentials and authorities fail for good', () =>
      speaksSecurely(client, secure));
  });

  describe(`log on ${client}, Kafka ${OLDER_KAFKA}`, () => {
    const dataDir = `${scratch.path}/older`;
    let kafka: Kafka;
    beforeAll(async () => {
      kafka = await startKafka({ dataDir, version: OLDER_KAFKA });
    });
    afterAll(() => kafka?.stop());
    // The cases that touch every request of the port once: groups, commits, offsets, codecs, admin.
    for (const each of cases.filter(({ number }) => [4, 8, 9, 16, 17].includes(number))) {
      it(`18: ${each.title}`, () => each.run(brokerSubject(client, kafka.brokers)));
    }
    for (const each of brokerCases.filter(({ number }) => [1, 10, 11].includes(number))) {
      it(`18: ${each.title}`, () => each.run(client, kafka.brokers));
    }
    it('6: a byte changed on disk is never applied', () => detectsDamage(client, kafka, dataDir));
  });
}
