// A real registry (Apicurio's Confluent API), records written by @kafkajs/confluent-schema-registry, read by our codec.
import { readFileSync } from 'node:fs';
import confluent from '@kafkajs/confluent-schema-registry';
import { createAvroEncoder } from '@tocsin/schemas/codecs/avro.ts';
import { type Decoded, decodeValue, type SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import { type RegistryServer, startRegistry } from '@tocsin/testing/registry-server.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSchemaRegistry, type SchemaRegistry } from './schema-registry.ts';

const { SchemaRegistry: ConfluentClient, SchemaType } = confluent;
const message = (name: string): string =>
  readFileSync(new URL(`../../../schemas/messages/${name}`, import.meta.url), 'utf8');

let server: RegistryServer;
let writer: InstanceType<typeof ConfluentClient>;
let source: SchemaRegistry;

beforeAll(async () => {
  server = await startRegistry();
  writer = new ConfluentClient({ host: server.url });
  source = createSchemaRegistry({ url: server.url }, Date);
});

afterAll(async () => {
  await source?.close();
  await server?.stop();
});

async function register(subject: string, schema: string): Promise<number> {
  const { id } = await writer.register({ type: SchemaType.AVRO, schema }, { subject });
  return id;
}

async function decode(bytes: Uint8Array, schemas: SchemaSource = source): Promise<Decoded> {
  return decodeValue(bytes, { format: 'auto', schemas });
}

const event = {
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: 'f-91827',
    severity: 'critical',
    cvss: 9.8,
    asset: { id: 'a-1001', name: 'api.example.com' },
  },
};

test('both messages: registered, written by the other library, read by ours', async () => {
  const finding = await register('findings.v1-value', message('finding.avsc'));
  expect(await decode(await writer.encode(finding, event))).toEqual({
    ok: true,
    value: event,
    format: 'avro',
    dropped: [],
  });
  const again = decodeValue(await writer.encode(finding, event), { format: 'auto', schemas: source });
  expect(again).not.toBeInstanceOf(Promise);

  const result = {
    job_id: 'j',
    run_id: 'r',
    rows: [{ 'source.ip': '10.0.0.1', count: 3, user: null, ok: false }],
  };
  const search = await register('search-results.v1-value', message('search-result.avsc'));
  expect(await decode(await writer.encode(search, result))).toMatchObject({ ok: true, value: result });
});

test('what we write, the other library reads', async () => {
  const id = await register('findings.v1-value', message('finding.avsc'));
  const framed = createAvroEncoder(id, JSON.parse(message('finding.avsc')))(event);
  expect(await writer.decode(framed)).toMatchObject({ event: 'finding.new', data: { cvss: 9.8 } });
});

test('a schema with references', async () => {
  await register(
    'asset',
    '{"type":"record","name":"Asset","namespace":"shop","fields":[{"name":"id","type":"string"}]}',
  );
  const { id } = await writer.register(
    {
      type: SchemaType.AVRO,
      schema:
        '{"type":"record","name":"Sale","namespace":"shop","fields":[{"name":"event","type":"string"},{"name":"asset","type":"shop.Asset"}]}',
      references: [{ name: 'shop.Asset', subject: 'asset', version: 1 }],
    },
    { subject: 'sale' },
  );
  const value = { event: 'sale', asset: { id: 'a' } };
  expect(await decode(await writer.encode(id, value))).toMatchObject({ ok: true, value });
});

test('K24: an id that was never registered', async () => {
  expect(await decode(Buffer.from('007fffffff02', 'hex'))).toMatchObject({
    ok: false,
    reason: 'schema_unknown',
  });
});

test('K27: bytes of another schema', async () => {
  const finding = await register('findings.v1-value', message('finding.avsc'));
  const search = await register('search-results.v1-value', message('search-result.avsc'));
  const framed = await writer.encode(finding, event);
  framed.writeInt32BE(search, 1);
  const decoded = await decode(framed);
  expect(decoded).toMatchObject({ ok: false });
  expect(decoded).not.toHaveProperty('transient');
});

test('K31: the id of a JSON schema', async () => {
  const { id } = await writer.register(
    {
      type: SchemaType.JSON,
      schema: '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}',
    },
    { subject: 'json' },
  );
  const bytes = Buffer.from([0, 0, 0, 0, 0, 2]);
  bytes.writeInt32BE(id, 1);
  expect(await decode(bytes)).toMatchObject({ ok: false, reason: 'schema_type' });
});

test('a wrong path in the URL is not the word of a registry', async () => {
  const lost = createSchemaRegistry({ url: server.url.replace('/apis/ccompat/v7', '/nowhere') }, Date);
  expect(await decode(Buffer.from('000000000102', 'hex'), lost)).toMatchObject({
    ok: false,
    transient: true,
  });
  await lost.close();
});

test('K26: stopped, new ids wait and known ones flow; back, the new ones decode', async () => {
  const own = await startRegistry();
  const schemas = createSchemaRegistry({ url: own.url, timeoutMs: 2_000 }, Date);
  const schema = '{"type":"record","name":"E","namespace":"x","fields":[{"name":"event","type":"string"}]}';
  const first = await new ConfluentClient({ host: own.url }).register(
    { type: SchemaType.AVRO, schema },
    { subject: 'e' },
  );
  const known = createAvroEncoder(first.id, JSON.parse(schema))({ event: 'known' });
  expect(await decode(known, schemas)).toMatchObject({ ok: true });
  await own.stop();

  const other = schema.replace('"E"', '"F"');
  const waiting = createAvroEncoder(first.id + 1, JSON.parse(other))({ event: 'new' });
  expect(await decode(waiting, schemas)).toMatchObject({
    ok: false,
    reason: 'registry_unavailable',
    transient: true,
  });
  expect(await decode(known, schemas)).toMatchObject({ ok: true });

  const back = await startRegistry({ port: own.port });
  const client = new ConfluentClient({ host: back.url });
  await client.register({ type: SchemaType.AVRO, schema }, { subject: 'e' });
  const second = await client.register({ type: SchemaType.AVRO, schema: other }, { subject: 'f' });
  expect(second.id).toBe(first.id + 1);
  expect(await decode(waiting, schemas)).toMatchObject({ ok: true, value: { event: 'new' } });
  await schemas.close();
  await back.stop();
}, 180_000);
