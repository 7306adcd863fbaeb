import { describe, expect, it } from 'vitest';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, findingNew, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { index } from './execute.ts';
import { check, send, taken } from './fixtures/send.ts';

contract(index, {
  folder: new URL('./', import.meta.url),
  params: { index: 'events-%{+YYYY.MM.dd}', document: { host: '{{host}}' } },
  missing: { index: 'events', document: { host: 'x{{nowhere.to_be_found}}' } },
  connection: httpConnection({ port: 9200, auth: { type: 'basic', username: 'tocsin' } }),
  secrets: ['password'],
  accepted: taken,
});

const id = eventCommand().command_id;
const rows = [
  { host: 'a', _time: '2026-04-27T23:30:00Z', n: 1 },
  { host: 'b', _time: '2026-04-28T00:30:00Z', n: 2 },
];

describe('index: request', () => {
  it('C35 puts the event as it came into the index of its day, under the id of the command', async () => {
    const { request, path, lines } = await send({ index: 'events-%{+YYYY.MM.dd}' });
    expect(path).toBe('/events-2026.04.28/_bulk');
    expect(lines).toEqual([
      { create: { _id: id } },
      { ...findingNew, '@timestamp': '2026-04-28T12:00:00.000Z' },
    ]);
    expect(request?.method).toBe('POST');
    expect(request?.headers).toContainEqual(['content-type', 'application/x-ndjson']);
    expect(request?.body?.toString().endsWith('}\n')).toBe(true);
  });

  it('C37 numbers the rows of a set and gives each the index of its own time', async () => {
    const { path, lines } = await send({ index: 'x-%{+YYYY.MM.dd}', timestamp_field: '' }, rowsCommand(rows));
    expect(path).toBe('/_bulk');
    expect(lines).toEqual([
      { create: { _index: 'x-2026.04.27', _id: `${id}-0` } },
      rows[0],
      { create: { _index: 'x-2026.04.28', _id: `${id}-1` } },
      rows[1],
    ]);
    const first = await send({}, rowsCommand([rows[0]!], { mode: 'first' }));
    expect(first.lines[0]).toEqual({ create: { _id: id } });
  });

  it('takes the end of the searched window for rows without a time, never the time of the attempt', async () => {
    const { lines } = await send({}, rowsCommand([{ host: 'a' }], { mode: 'each' }));
    expect(lines[1]).toEqual({ host: 'a', '@timestamp': '2026-04-28T12:00:00.000Z' });
    const odd = eventCommand({ event: { event: 'x', timestamp: 'yesterday', data: {} } });
    expect((await send({}, odd)).lines[1]).toMatchObject({ '@timestamp': '2026-04-28T12:00:00.005Z' });
    const own = eventCommand({ event: { event: 'x', '@timestamp': 5, data: {} } });
    expect((await send({}, own)).lines[1]).toMatchObject({ '@timestamp': 5 });
  });

  it('C36 merges into the document of the id, or replaces it by version', async () => {
    const event = { event: 'x', timestamp: '2026-04-28T12:00:00Z', data: { finding_id: 'f-1', seq: 41 } };
    const command = eventCommand({ event });
    const params = {
      operation: 'update',
      id: '{{data.finding_id}}',
      document: { n: '{{data.seq}}' },
      timestamp_field: '',
    };
    expect((await send(params, command)).lines).toEqual([
      { update: { _id: 'f-1', retry_on_conflict: 3 } },
      { doc: { n: 41 }, doc_as_upsert: true },
    ]);
    expect((await send({ ...params, version: 'event_time' }, command)).lines).toEqual([
      { index: { _id: 'f-1', version: Date.UTC(2026, 3, 28, 12), version_type: 'external' } },
      { n: 41 },
    ]);
    expect((await send({ ...params, version: '{{data.seq}}' }, command)).lines[0]).toMatchObject({
      index: { version: 41 },
    });
    for (const version of [
      '{{data.finding_id}}',
      '-{{data.seq}}',
      '{{data.none}}',
      '9{{data.seq}}0000000000000000',
    ])
      expect((await send({ ...params, version }, command)).outcome, version).toMatchObject({
        code: 'template',
      });
  });

  it('C36 hashes the rule and the key fields: the same for the same host, another for another rule', async () => {
    const params = { operation: 'update', key_fields: ['host', 'n'] };
    const idOf = async (...given: Parameters<typeof send>): Promise<unknown> =>
      ((await send(...given)).lines[0]?.['update'] as { _id?: unknown } | undefined)?._id;
    const one = (row: Record<string, unknown>, over = {}) => rowsCommand([row], { mode: 'each', ...over });
    const first = await idOf(params, one({ host: 'a', n: 1 }));
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(await idOf(params, one({ n: 1, host: 'a', more: 2 }, { command_id: 'f'.repeat(32) }))).toBe(first);
    expect(await idOf(params, one({ host: 'a', n: '1' }))).not.toBe(first);
    expect(await idOf(params, one({ host: 'a', n: 1 }, { rule: { id: 'other', revision: 1 } }))).not.toBe(
      first,
    );
    expect((await send(params, one({ host: 'a' }))).outcome).toMatchObject({
      code: 'template',
      detail: expect.stringContaining('n has no value'),
    });
  });

  it('C36 refuses rows that would all be one document', async () => {
    const fixed = { operation: 'update', id: 'latest' };
    expect((await send(fixed, rowsCommand(rows))).outcome).toMatchObject({ code: 'invalid_params' });
    expect((await send(fixed, rowsCommand([rows[0]!], { mode: 'each' }))).outcome).toMatchObject({
      code: 'invalid_params',
    });
    expect((await send({ ...fixed, id: '{{rule.id}}' }, rowsCommand(rows))).outcome).toMatchObject({
      code: 'invalid_params',
    });
    expect((await send(fixed, rowsCommand([rows[0]!], { mode: 'first' }))).outcome).toMatchObject({
      status: 'done',
    });
  });

  it('renders each row by itself and keeps the types of lone tokens', async () => {
    const document = { who: 'host {{host}}', n: '{{n}}', rule: '{{rule.name}}', gone: '{{none}}' };
    const { lines, outcome } = await send({ document, timestamp_field: '' }, rowsCommand(rows));
    expect(lines.filter((_, number) => number % 2 === 1)).toEqual([
      { who: 'host a', n: 1, rule: 'Critical findings', gone: null },
      { who: 'host b', n: 2, rule: 'Critical findings', gone: null },
    ]);
    expect(outcome).toMatchObject({ warnings: ['document: {{none}} has no value and was left empty'] });
  });

  it('sends an API key as it is', async () => {
    const connection = httpConnection(
      { auth: { type: 'header', header: 'Authorization' } },
      { token: 'ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==' },
    );
    expect((await send({}, eventCommand(), undefined, connection)).request?.headers).toContainEqual([
      'authorization',
      'ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==',
    ]);
  });

  it('sends nothing for an empty set', async () => {
    const { outcome, request } = await send({}, rowsCommand([]));
    expect(outcome).toEqual({ status: 'done', output: { written: 0 } });
    expect(request).toBeUndefined();
  });
});

describe('index: hostile values', () => {
  const hostile = '"}\n{"index":{"_index":"secret","_id":"1"}}\n{"x":"\u2028';
  const event = {
    event: 'x',
    data: { v: hostile, name: 'A/../b', dot: '.security', star: '*', tpl: '%{+YYYY}', empty: '' },
  };
  const command = eventCommand({ event });

  it('stay inside their line, their id and their leaf', async () => {
    const { request, lines } = await send(
      {
        operation: 'update',
        id: '{{data.v}}',
        document: { v: '{{data.v}}', t: 'x {{data.tpl}}' },
        timestamp_field: '',
      },
      command,
    );
    expect(request?.body?.toString().split('\n')).toHaveLength(3);
    expect(lines).toEqual([
      { update: { _id: hostile, retry_on_conflict: 3 } },
      { doc: { v: hostile, t: 'x %{+YYYY}' }, doc_as_upsert: true },
    ]);
  });

  it.each([
    ['x-{{data.name}}', 'index_name'],
    ['{{data.dot}}', 'index_name'],
    ['x{{data.star}}', 'index_name'],
    ['x-{{data.tpl}}', 'done'],
    ['x-{{data.empty}}', 'template'],
    ['x-{{data.none}}', 'template'],
    ['x-{{data.v}}', 'index_name'],
  ])('cannot choose an index that the author did not mean: %s', async (name, expected) => {
    const { outcome, request, path } = await send({ index: name }, command);
    // A value is no date pattern; it is lower case like every name.
    if (expected === 'done') expect(path).toBe('/x-%25%7B%2Byyyy%7D/_bulk');
    else {
      expect(outcome).toMatchObject({ status: 'failed', code: expected, retry: 'never' });
      expect(request).toBeUndefined();
    }
  });

  it('cannot make an id that the servers refuse', async () => {
    const long = eventCommand({ event: { event: 'x', data: { v: 'é'.repeat(257) } } });
    const params = { operation: 'update', id: '{{data.v}}' };
    expect((await send(params, long)).outcome).toMatchObject({
      code: 'template',
      detail: expect.stringContaining('512'),
    });
    expect((await send({ ...params, id: '{{data.empty}}' }, command)).outcome).toMatchObject({
      code: 'template',
    });
  });

  it.each([
    [{ index: 'Events' }, '/index'],
    [{ index: '_all' }, '/index'],
    [{ index: 'a,b' }, '/index'],
    [{ index: 'logs-*' }, '/index'],
    [{ index: 'a/_doc/1' }, '/index'],
    [{ index: 'x-%{+YYYY.ww}' }, '/index'],
    [{ index: 'x-%{[data][x]}' }, '/index'],
    [{ index: '{{{x}}}' }, '/index'],
    [{ suffix: 'A' }, '/suffix'],
    [{ id: 'x' }, '/id'],
    [{ key_fields: ['a'] }, '/key_fields'],
    [{ version: 'event_time' }, '/version'],
    [{ operation: 'update' }, '/id'],
    [{ operation: 'update', id: '{{a}}', key_fields: ['a'] }, '/key_fields'],
    [{ operation: 'update', id: '{{a}}', version: 'newest' }, '/version'],
    [{ document: { a: '{{> x}}' } }, '/document/a'],
    [{ operation: 'delete' }, '/operation'],
  ])('refuses the parameters %j', (params, path) => {
    expect(check(params)).toContain(path);
  });

  it('takes suffixes with a dash in front of them, dots of the author, and weeks', () => {
    for (const params of [{ suffix: '-x' }, { index: '.smos_mitre-%{+YYYY.MM}' }, { index: 'x-%{+xxxx.ww}' }])
      expect(check(params), JSON.stringify(params)).toEqual([]);
  });
});

it('index: a dry run shows the lines that would be sent', () => {
  const command = {
    ...eventCommand(),
    params: { index: 'events', document: { t: '{{data.title}}' }, timestamp_field: '' },
  };
  expect(index.preview(command, { connection: httpConnection(), now: contractNow })).toMatchObject({
    status: 'done',
    output: {
      url: expect.stringMatching(/^https:\/\/siem\.example\.com\/events\/_bulk/),
      body: `{"create":{"_id":"${id}"}}\n{"t":"SQL Injection in /api/login"}\n`,
    },
  });
});
