import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import { createSecrets } from '@tocsin/adapters/secrets/composite.ts';
import { expect, it } from 'vitest';
import { repository } from '../home.ts';
import { kafkaSettings, readSinkFile, type SinkFile } from './sink-config.ts';

const sample = (): SinkFile => {
  const [document] = readYamlDocuments(
    readFileSync(join(repository, 'docs/trying/sink-alone.yaml'), 'utf8'),
  ) as readonly unknown[];
  return readSinkFile(document) as SinkFile;
};

it('takes the sample of the documentation', async () => {
  const file = sample();
  expect(file).toMatchObject({ group: 'tocsin-splunk', sink: { kind: 'sink', connection: 'receiver' } });
  const secrets = createSecrets({ env: { KAFKA_PASSWORD: 'of-kafka' }, registerSecret: () => undefined });
  expect(await kafkaSettings(file.kafka, secrets)).toMatchObject({
    brokers: ['kafka-1.example.com:9093', 'kafka-2.example.com:9093'],
    instanceId: 'splunk-1',
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'tocsin', password: 'of-kafka' },
    onOffsetOutOfRange: 'stop',
  });
});

it('hands the session timeout and the policy for lost offsets on', async () => {
  const secrets = createSecrets({ env: {}, registerSecret: () => undefined });
  const kafka = { brokers: ['a:1'], session_timeout_ms: 10_000, offset_out_of_range: 'earliest' } as const;
  expect(await kafkaSettings(kafka, secrets)).toMatchObject({
    sessionTimeoutMs: 10_000,
    onOffsetOutOfRange: 'earliest',
  });
});

it.each([
  ['session_timeout_ms', 999],
  ['session_timeout_ms', '10000'],
  ['offset_out_of_range', 'latest'],
])('names /kafka/%s when it is %j', (name, value) => {
  const { sink, connection, kafka, ...rest } = sample();
  const { kind: _k, connection: _c, ...ours } = sink;
  const { kind: _kind, id: _id, ...theirs } = connection;
  const issues = readSinkFile({
    ...rest,
    sink: ours,
    connection: theirs,
    kafka: { ...kafka, [name]: value },
  });
  expect(issues).toMatchObject([{ path: `/kafka/${name}` }]);
});
