// The index action through the real HTTP client to a real OpenSearch node.
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { index } from '@tocsin/topologies/actions/index/execute.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { eventCommand, httpConnection, rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OpenSearchServer, startOpenSearch } from './opensearch-server.ts';

const client = createHttpClient();
let server: OpenSearchServer;

beforeAll(async () => {
  server = await startOpenSearch(['action.auto_create_index: "-none*,+*"']);
}, 180_000);
afterAll(async () => {
  await client.close();
  await server?.stop();
});

function run(command: Command, params: Record<string, unknown>): Promise<Outcome> {
  const connection = httpConnection({
    protocol: 'http',
    allow_insecure: true,
    host: '127.0.0.1',
    port: server.port,
    allow_cidrs: ['127.0.0.0/8'],
  });
  return index.execute(
    { ...command, type: 'index', params },
    {
      ports: { http: client },
      connection,
      now: Date.now(),
      attempt: 1,
      signal: new AbortController().signal,
    },
  );
}

async function api(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return (await response.json()) as Record<string, unknown>;
}

const document = async (name: string, id: string) => (await api('GET', `/${name}/_doc/${id}`))['_source'];
const count = async (name: string) => {
  await api('POST', `/${name}/_refresh`);
  return (await api('GET', `/${name}/_count`))['count'];
};
const id = eventCommand().command_id;

it('creates a document once, however often the command comes', async () => {
  const params = { index: 'events-%{+YYYY.MM.dd}', suffix: '{{data.severity}}' };
  expect(await run(eventCommand(), params)).toEqual({ status: 'done', output: { written: 1 } });
  expect(await run(eventCommand(), params)).toEqual({
    status: 'done',
    output: { written: 0, already_there: 1 },
  });
  expect(await document('events-2026.04.28-critical', id)).toMatchObject({
    event: 'finding.new',
    data: { cvss: 9.8 },
    '@timestamp': '2026-04-28T12:00:00.000Z',
  });
  expect(await count('events-2026.04.28-critical')).toBe(1);
});

it('writes the rest of a set when one row does not fit the mapping, hostile values verbatim', async () => {
  await api('PUT', '/rows', { mappings: { properties: { n: { type: 'integer' } } } });
  const hostile = '"}\n{"index":{"_index":"secret"}}\n{"x":"\u2028 {{rule.name}}';
  const set = rowsCommand([{ n: 1, v: hostile }, { n: 'hunter2' }, { n: 3 }]);
  const outcome = await run(set, { index: 'rows' });
  expect(outcome).toMatchObject({
    status: 'done',
    output: { written: 2, refused: 1 },
    undelivered: [{ to: 'row 1', code: 'index_mapping', detail: expect.stringContaining('field n') }],
  });
  expect(JSON.stringify(outcome)).not.toContain('hunter2');
  expect(await document('rows', `${id}-0`)).toMatchObject({ n: 1, v: hostile });
  expect(await count('rows')).toBe(2);
  expect((await api('GET', '/secret'))['status']).toBe(404);
  expect(await run(set, { index: 'rows' })).toMatchObject({
    output: { written: 0, already_there: 2, refused: 1 },
  });
});

it('merges by id, and lets the newer version win whatever the order', async () => {
  const row = (fields: Record<string, unknown>) => rowsCommand([fields], { mode: 'each' });
  const merge = { index: 'hosts', operation: 'update', id: '{{host}}', timestamp_field: '' };
  await run(row({ host: 'a', first: 1, n: 1 }), merge);
  expect(await run(row({ host: 'a', n: 2 }), merge)).toEqual({ status: 'done', output: { written: 1 } });
  expect(await document('hosts', 'a')).toEqual({ host: 'a', first: 1, n: 2 });
  const replace = { ...merge, index: 'states', version: 'event_time' };
  await run(row({ host: 'a', n: 2, '@timestamp': '2026-04-28T12:00:02Z' }), replace);
  const late = await run(row({ host: 'a', n: 1, '@timestamp': '2026-04-28T12:00:01Z' }), replace);
  expect(late).toEqual({ status: 'done', output: { written: 0, already_there: 1 } });
  expect(await document('states', 'a')).toMatchObject({ n: 2 });
  const hashed = { ...merge, id: undefined, key_fields: ['host'] };
  const { id: _, ...keyed } = hashed;
  expect(await run(row({ host: 'a' }), keyed)).toMatchObject({ output: { written: 1 } });
  expect(await run(row({ host: 'a' }), keyed)).toMatchObject({ output: { written: 1 } });
  expect(await count('hosts')).toBe(2);
});

it('says what is wrong: no index, a closed door, a strict mapping', async () => {
  expect(await run(eventCommand(), { index: 'none-such' })).toMatchObject({
    code: 'index_missing',
    retry: 'never',
  });
  await api('PUT', '/strict', { mappings: { dynamic: 'strict', properties: { a: { type: 'keyword' } } } });
  expect(await run(eventCommand(), { index: 'strict' })).toMatchObject({
    code: 'index_mapping',
    retry: 'never',
  });
  await api('PUT', '/strict/_settings', { 'index.blocks.write': true });
  expect(
    await run(eventCommand(), { index: 'strict', document: { a: 'x' }, timestamp_field: '' }),
  ).toMatchObject({
    code: 'index_rejected',
    retry: 'backoff',
    detail: expect.stringContaining('cluster_block_exception'),
  });
});

it('writes to a data stream', async () => {
  await api('PUT', '/_index_template/stream', { index_patterns: ['stream-*'], data_stream: {} });
  expect(await run(rowsCommand([{ n: 1 }, { n: 2 }]), { index: 'stream-x' })).toMatchObject({
    output: { written: 2 },
  });
  expect(await count('stream-x')).toBe(2);
});
