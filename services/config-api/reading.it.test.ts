// What is only read: history, lag, types, OpenAPI, and the configuration of a folder.
import type { Result } from '@tocsin/schemas/types.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { createConfigFold } from '@tocsin/topologies/domain/config/config-table.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDirectoryStore, readOnlyReason } from './directory-store.ts';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase(), {
    lag: async (group, topics) => {
      if (group === 'tocsin.sink.siem') throw new LogError('broker away', { retriable: true });
      return topics.map((topic) => ({
        group,
        topic,
        partition: 0,
        committed: -1,
        end: 7,
        records: 7,
        oldestTimestamp: Date.now() - 60_000,
      }));
    },
  });
  await api.call({ method: 'POST', url: '/api/actions', body: { id: 'note', type: 'log', params: {} } });
});
afterAll(() => api.close());

const at = Date.UTC(2026, 0, 1);
const result = (seed: number, status: 'succeeded' | 'failed'): Result =>
  ({
    v: 1,
    command_id: seed.toString(16).padStart(32, '0'),
    type: 'log',
    status,
    final: true,
    attempt: 1,
    trigger: 'rule',
    source: { id: 'e', kind: 'event', topic: 't', partition: 0, offset: seed },
    action: { id: 'note', key: 'note', revision: 1 },
    mode: 'each',
    row_index: 0,
    rows: 1,
    started_at: at + seed,
    finished_at: at + seed,
    created_at: at + seed,
  }) as Result;

describe('history', () => {
  beforeAll(async () => {
    const all = Array.from({ length: 9 }, (_, index) =>
      result(index + 1, index % 3 === 0 ? 'failed' : 'succeeded'),
    );
    await api.dependencies.history.write(all);
  });
  it.each([
    ['', [9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ['&status=failed', [7, 4, 1]],
  ])('pages newest first%s', async (filter, expected) => {
    const seen: number[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const url = `/api/actions/note/executions?limit=2${filter}${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page: { items: { command_id: string }[]; next_cursor: string | null } = (
        await api.call({ url })
      ).json();
      seen.push(...page.items.map((item) => Number.parseInt(item.command_id, 16)));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(expected);
  });
  it('A33: shows one command with its attempts, and nothing for ids that are none', async () => {
    const found = (await api.call({ url: `/api/executions/${'1'.padStart(32, '0')}` })).json();
    expect(found).toMatchObject({ status: 'failed', attempts: [{ attempt: 1, status: 'failed' }] });
    for (const id of ['f'.repeat(32), 'x', `${'1'.padStart(32, '0')}'`])
      expect((await api.call({ url: `/api/executions/${id}` })).statusCode).toBe(404);
    expect((await api.call({ url: '/api/actions/never/executions' })).statusCode).toBe(404);
    expect((await api.call({ url: '/api/actions/note/executions?status=fine' })).statusCode).toBe(400);
  });
});

it('sums the lag of every group, and says 503 when the log does not answer', async () => {
  const { items } = (await api.call({ url: '/api/lag' })).json();
  const evaluator = items.find((item: { group: string }) => item.group === 'tocsin.evaluator');
  expect(evaluator.records).toBe(21);
  expect(evaluator.seconds).toBeGreaterThan(59);
  expect(evaluator.partitions[0]).toMatchObject({ committed: null, end: 7 });
  const web = { id: 'hec', type: 'http', host: 'hec.example.org' };
  await api.call({ method: 'POST', url: '/api/connections', body: web });
  const sink = { id: 'siem', type: 'splunk-hec', connection: 'hec', params: {} };
  const made = await api.call({ method: 'POST', url: '/api/sinks', body: sink });
  expect(made.statusCode, made.body).toBe(201);
  expect((await api.call({ url: '/api/lag' })).statusCode).toBe(503);
});

it('lists types with the schemas of their parameters', async () => {
  const { items } = (await api.call({ url: '/api/action-types' })).json();
  expect(items.map((item: { id: string }) => item.id)).toEqual(
    expect.arrayContaining(['email', 'log', 'report', 'webhook']),
  );
  for (const item of items) expect(item.params.type).toBe('object');
  expect((await api.call({ url: '/api/sink-types' })).json().items[0].id).toBe('splunk-hec');
});

it('describes every route in OpenAPI, with the documents and without dangling references', async () => {
  const text = (await api.call({ url: '/docs/json' })).body;
  const document = JSON.parse(text);
  const described = Object.keys(document.paths).sort();
  const real = api.routes
    .filter((route) => !route.url.startsWith('/docs'))
    .map((route) => route.url.replace(/:(\w+)/g, '{$1}'));
  expect(described).toEqual([...new Set(real)].sort());
  const body = document.paths['/api/rules'].post.requestBody.content['application/json'].schema;
  expect(body.properties.then.items.oneOf[0].properties.action.type).toBe('string');
  const named = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, name]) => name as string);
  expect(new Set(named).size).toBeGreaterThan(3);
  for (const name of new Set(named)) {
    const path = name.replace(/^#\//, '').split('/');
    expect([
      name,
      path.reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document),
    ]).toEqual([name, expect.any(Object)]);
  }
  const steps =
    document.paths['/api/playbooks'].post.requestBody.content['application/json'].schema.properties.steps;
  const list = document.components.schemas[steps.$ref.split('/').at(-1)];
  const step = document.components.schemas[list.items.$ref.split('/').at(-1)];
  expect(Object.keys(step.properties)).toEqual(
    expect.arrayContaining(['id', 'action', 'waitFor', 'forEach']),
  );
});

it('with CONFIG_DIR everything is read and nothing written, keys apart', async () => {
  const document = { kind: 'action', id: 'filed', type: 'log', params: {} };
  const { table, apply } = createConfigFold();
  apply('action/filed', { v: 1, revision: 5, updated_at: at, document });
  const store = createDirectoryStore(() => table, api.dependencies.store, new Date(at));
  const filed = await openTestApi(await newDatabase(), { store, readOnly: readOnlyReason });
  expect((await filed.call({ url: '/api/actions/filed' })).json()).toMatchObject({
    revision: 5,
    updated_by: 'CONFIG_DIR',
  });
  expect((await filed.call({ url: '/api/actions' })).json().items).toHaveLength(1);
  const writes = [
    { method: 'POST', url: '/api/actions', body: { type: 'log', params: {} } },
    {
      method: 'PUT',
      url: '/api/actions/filed',
      body: { type: 'log', params: {} },
      headers: { 'if-match': '"5"' },
    },
    { method: 'DELETE', url: '/api/actions/filed' },
    { method: 'PUT', url: '/api/secrets/x', body: { value: 'a-good-secret' } },
  ];
  for (const write of writes) {
    const response = await filed.call(write);
    expect([write.url, response.statusCode, response.json().error?.code]).toEqual([
      write.url,
      409,
      'config_dir',
    ]);
  }
  const actor = { id: 'test', scopes: ['admin'] };
  await expect(store.write(actor, (writer) => writer.put(document as never))).rejects.toThrow('CONFIG_DIR');
  await filed.close();
});
