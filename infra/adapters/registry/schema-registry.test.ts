// The lookups of K24 to K26 and K31 against a local HTTP server that counts and misbehaves on purpose.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAvroReader } from '@tocsin/schemas/codecs/avro.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inlineReferences } from './inline-references.ts';
import { createSchemaRegistry, type SchemaRegistry, type SchemaRegistrySettings } from './schema-registry.ts';
import { schemaRegistrySettings } from './settings.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let handler: Handler;
let asked: string[];
let now: number;
let url: string;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  asked = [];
  now = 1_000_000;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  open.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function registry(settings: Partial<SchemaRegistrySettings> = {}): SchemaRegistry {
  const made = createSchemaRegistry({ url, ...settings }, { now: () => now });
  open.push(made);
  return made;
}

const json =
  (status: number, body: unknown): Handler =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
    response.end(JSON.stringify(body));
  };
const unknown = json(404, { error_code: 40403, message: 'Schema not found' });
const good = json(200, { schema: '"string"' });

test('one request for many callers, and none afterwards', async () => {
  handler = (request, response) => setTimeout(() => good(request, response), 20);
  const source = registry();
  const answers = await Promise.all(Array.from({ length: 50 }, () => source.schemaById(7)));
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
    new Set(['{"ok":true,"schema":"\\"string\\""}']),
  );
  now += 1e9;
  await source.schemaById(7);
  expect(asked).toEqual(['/schemas/ids/7']);
});

test('K24: an unknown id is asked once in 60 s, then again', async () => {
  handler = unknown;
  const source = registry();
  for (let k = 0; k < 5; k++)
    expect(await source.schemaById(2147483647)).toMatchObject({ ok: false, reason: 'schema_unknown' });
  expect(asked).toHaveLength(1);
  now += 59_999;
  await source.schemaById(2147483647);
  expect(asked).toHaveLength(1);
  now += 1;
  handler = good;
  expect(await source.schemaById(2147483647)).toMatchObject({ ok: true });
  expect(asked).toHaveLength(2);
});

test.each([-1, -2147483648, 2147483648, 1.5, Number.NaN])('K25: id %s is never asked for', async (id) => {
  handler = good;
  expect(await registry().schemaById(id)).toMatchObject({ ok: false, reason: 'schema_unknown' });
  expect(asked).toEqual([]);
});

test.each<[string, Handler]>([
  ['500', json(500, { error_code: 50001 })],
  ['503 HTML', (_q, response) => response.writeHead(503).end('<html>')],
  ['429', json(429, {})],
  ['401: our credentials', json(401, { error_code: 40101 })],
  ['403', json(403, { error_code: 40301 })],
  ['a redirect', (_q, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
  ['404 of a proxy or a wrong path', (_q, response) => response.writeHead(404).end('<html>not found</html>')],
  ['404 JSON of something else', json(404, { message: 'no Route matched' })],
  ['200 HTML', (_q, response) => response.writeHead(200).end('<html>login</html>')],
  ['200 without a schema', json(200, { hello: 1 })],
  ['a cut connection', (request) => request.socket.destroy()],
])('K26: %s may pass and is asked again', async (_name, bad) => {
  handler = bad;
  const source = registry();
  const answer = await source.schemaById(1);
  expect(answer).toMatchObject({ ok: false, reason: 'registry_unavailable' });
  handler = good;
  expect(await source.schemaById(1)).toMatchObject({ ok: true });
  expect(asked).not.toContain('/elsewhere');
});

test('K26: silence and a dripping answer end at the total deadline', async () => {
  const source = registry({ timeoutMs: 150 });
  handler = () => {};
  const start = performance.now();
  expect(await source.schemaById(1)).toMatchObject({
    reason: 'registry_unavailable',
    detail: 'no answer within 150 ms',
  });
  handler = (_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };
  expect(await source.schemaById(1)).toMatchObject({ reason: 'registry_unavailable' });
  expect(performance.now() - start).toBeLessThan(1_500);
});

test('K26: known ids flow while the registry is down', async () => {
  handler = good;
  const source = registry();
  await source.schemaById(1);
  handler = json(500, {});
  expect(await source.schemaById(1)).toMatchObject({ ok: true });
});

test('an answer above the limit is refused without reading it', async () => {
  let sent = 0;
  handler = (_request, response) => {
    response.writeHead(200);
    const block = Buffer.alloc(65_536, 0x20);
    const more = (): void => {
      if (sent > 50_000_000 || response.destroyed) return;
      sent += block.length;
      if (response.write(block)) setImmediate(more);
      else response.once('drain', more);
    };
    more();
  };
  expect(await registry().schemaById(1)).toMatchObject({
    reason: 'schema_type',
    detail: 'the answer is above 1048576 bytes',
  });
  expect(sent).toBeLessThan(20_000_000);
});

test.each(['JSON', 'PROTOBUF'])('K31: a %s schema is refused and not asked for again', async (schemaType) => {
  handler = json(200, { schemaType, schema: '{}' });
  const source = registry();
  expect(await source.schemaById(3)).toMatchObject({ ok: false, reason: 'schema_type' });
  await source.schemaById(3);
  expect(asked).toHaveLength(1);
});

test('credentials travel as basic authentication, from settings or URL, and not in details', async () => {
  const seen: (string | undefined)[] = [];
  handler = (request, response) => {
    seen.push(request.headers.authorization);
    json(500, {})(request, response);
  };
  const withUser = url.replace('//', '//us%40er:p%3Aw@');
  const answers = [
    await registry({ username: 'us@er', password: 'p:w' }).schemaById(1),
    await registry({ url: `${withUser}/` }).schemaById(1),
  ];
  const expected = `Basic ${btoa('us@er:p:w')}`;
  expect(seen).toEqual([expected, expected]);
  expect(asked).toEqual(['/schemas/ids/1', '/schemas/ids/1']);
  expect(JSON.stringify(answers)).not.toContain('p:w');
});

test('references are fetched and make one schema', async () => {
  const schemas: Record<string, unknown> = {
    '/schemas/ids/9': {
      schema:
        '{"type":"record","name":"Event","namespace":"a","fields":[{"name":"asset","type":"b.Asset"},{"name":"other","type":["null","b.Asset"]}]}',
      references: [{ name: 'b.Asset', subject: 'asset/value', version: 2 }],
    },
    '/subjects/asset%2Fvalue/versions/2': {
      schema: '{"type":"record","name":"Asset","namespace":"b","fields":[{"name":"id","type":"Id"}]}',
      references: [{ name: 'b.Id', subject: 'id', version: 1 }],
    },
    '/subjects/id/versions/1': { schema: '{"type":"fixed","name":"Id","namespace":"b","size":2}' },
  };
  handler = (request, response) => json(200, schemas[request.url ?? ''])(request, response);
  const answer = await registry().schemaById(9);
  if (!answer.ok) throw new Error(answer.detail);
  const reader = createAvroReader(answer.schema);
  if (!reader.ok) throw new Error(reader.detail);
  expect(reader.read(Buffer.from('AB\u0002CD'), 0, 5)).toMatchObject({
    value: { asset: { id: 'AB' }, other: { id: 'CD' } },
  });
});

test('a missing reference is final, references that go on forever are too', async () => {
  handler = (request, response) =>
    request.url === '/schemas/ids/9'
      ? json(200, { schema: '"x.Y"', references: [{ name: 'x.Y', subject: 's', version: 1 }] })(
          request,
          response,
        )
      : unknown(request, response);
  expect(await registry().schemaById(9)).toMatchObject({ reason: 'schema_type' });
  let version = 0;
  handler = (request, response) =>
    json(200, { schema: '"int"', references: [{ subject: 's', version: version++ }] })(request, response);
  expect(await registry().schemaById(9)).toMatchObject({ reason: 'schema_type' });
  expect(version).toBeLessThan(40);
});

test('a reference that is not JSON gives no schema', () => {
  expect(inlineReferences('"a.B"', ['{'])).toBeNull();
});

test('settings name what is wrong', () => {
  expect(schemaRegistrySettings({})).toBeNull();
  expect(
    schemaRegistrySettings({
      SCHEMA_REGISTRY_URL: 'http://r:8081',
      SCHEMA_REGISTRY_USERNAME: 'u',
      SCHEMA_REGISTRY_PASSWORD: 'p',
    }),
  ).toEqual({
    url: 'http://r:8081',
    timeoutMs: 5_000,
    username: 'u',
    password: 'p',
  });
  for (const bad of ['r:8081', 'ftp://r', 'nonsense'])
    expect(() => schemaRegistrySettings({ SCHEMA_REGISTRY_URL: bad })).toThrow('SCHEMA_REGISTRY_URL');
});
