// What templates and parameters become, over the API.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { findingNew } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  const made = await api.call({
    method: 'POST',
    url: '/api/connections',
    body: {
      id: 'hook',
      type: 'http',
      host: 'hooks.example.org',
      auth: { type: 'bearer' },
      secrets: { token: { value: 'the-real-token' }, hmac: { value: 'the-real-hmac-secret' } },
    },
  });
  expect(made.statusCode).toBe(201);
});
afterAll(() => api.close());

const preview = (body: object) => api.call({ method: 'POST', url: '/api/templates/preview', body });
const rows = [
  { user: 'alice', 'source.ip': '10.0.0.1', fails: 3 },
  { user: '<b>bob</b>', 'source.ip': '10.0.0.2', fails: 9 },
];

describe('a template alone', () => {
  it('A25c: is rendered for an event, and names what it does not know', async () => {
    const answer = await preview({
      template: '{{title}} on {{asset.name}} ({{severity}}) {{no_such}}',
      event: findingNew,
    });
    expect(answer.json()).toEqual({
      text: 'SQL Injection in /api/login on api.example.com (critical) ',
      missing: ['no_such'],
      warnings: ['template: {{no_such}} has no value and was left empty'],
    });
  });

  it.each([
    [{}, 'alice 10.0.0.1 0 1'],
    [{ row_index: 1 }, '<b>bob</b> 10.0.0.2 1 1'],
    [{ mode: 'first' }, 'alice 10.0.0.1 0 1'],
    [{ mode: 'all' }, 'alice 10.0.0.1 all 2'],
    [{ row_index: 1, escape: 'html' }, '&lt;b&gt;bob&lt;/b&gt; 10.0.0.2 1 1'],
  ])('for rows with %j is %s', async (how, text) => {
    const template = '{{user}} {{source.ip}} {{row_index}} {{row_count}}';
    expect((await preview({ template, rows, ...how })).json()).toEqual({ text, missing: [], warnings: [] });
  });

  it('knows global parameters, less than the row', async () => {
    const template = '{{user}} {{site}} {{search.name}}';
    const body = {
      template,
      rows,
      global_params: { user: 'nobody', site: 'Berlin' },
      search: { name: 'logins' },
    };
    expect((await preview(body)).json().text).toBe('alice Berlin logins');
  });

  it('knows what a playbook run knows', async () => {
    const context = { steps: { scan: { output: { id: 7 } } } };
    const template = '{{steps.scan.output.id}} {{finding.title}}';
    expect((await preview({ template, event: findingNew, context })).json().text).toBe(
      '7 SQL Injection in /api/login',
    );
  });

  it.each<[string, object, string]>([
    ['no template', { event: findingNew }, ''],
    ['template and type', { template: 'x', type: 'log', event: findingNew }, ''],
    ['no subject', { template: 'x' }, ''],
    ['event and rows', { template: 'x', event: findingNew, rows }, ''],
    ['an open section', { template: '{{#open}}', event: findingNew }, '/template'],
    ['a raw tag in HTML', { template: '{{{raw}}}', escape: 'html', event: findingNew }, '/template'],
    ['a row that is not there', { template: 'x', rows, row_index: 2 }, '/row_index'],
    ['no rows', { template: 'x', rows: [] }, '/row_index'],
    ['row_index in mode all', { template: 'x', rows, mode: 'all', row_index: 0 }, '/row_index'],
    ['an unknown type', { type: 'nope', rows }, '/type'],
    ['a type that is a member of every object', { type: 'constructor', rows }, '/type'],
    ['an unknown parameter', { type: 'log', params: { surprise: 1 }, rows }, '/params/surprise'],
    ['an unknown connection', { type: 'webhook', params: {}, rows, connection: 'none' }, '/connection'],
    [
      'a connection of another type',
      {
        type: 'email',
        params: { to: 'a@example.org', subject: 's' },
        rows,
        connection: 'hook',
      },
      '/connection',
    ],
  ])('%s is refused', async (_, body, path) => {
    const answer = await preview(body);
    expect([answer.statusCode, answer.json().error.issues[0].path]).toEqual([422, path]);
  });

  it('cannot be made to work for ever', async () => {
    const deep = `${'{{#rows}}'.repeat(3)}x${'{{/rows}}'.repeat(3)}`;
    const many = Array.from({ length: 900 }, () => ({ a: 1 }));
    const answer = await preview({ template: deep, rows: many, mode: 'all' });
    expect(answer.json().error.issues).toEqual([
      { path: '/template', message: 'the template takes too many steps to render' },
    ]);
    const body = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k${index}`, '{{a}}']));
    const texts = await preview({ type: 'webhook', params: { path: '/', body }, rows });
    expect([texts.statusCode, texts.json().error.issues]).toEqual([
      422,
      [{ path: '/params', message: 'has more than 100 texts with tokens; try out a part of them' }],
    ]);
  });
});

describe('an action', () => {
  it('shows each parameter, what would be sent, and no secret', async () => {
    const answer = await preview({
      type: 'webhook',
      connection: 'hook',
      params: {
        path: '/in/{{user}}',
        method: 'POST',
        body: { who: '{{user}}', n: '{{fails}}', x: '{{nix}}' },
      },
      rows,
      mode: 'each',
      row_index: 1,
    });
    expect(answer.json()).toMatchObject({
      mode: 'each',
      row_index: 1,
      params: [
        { path: '/path', rendered: '/in/<b>bob</b>', missing: [] },
        { path: '/body/who', rendered: '<b>bob</b>' },
        { path: '/body/n', rendered: '9' },
        {
          path: '/body/x',
          rendered: '',
          missing: ['nix'],
          warnings: ['/body/x: {{nix}} has no value and was left empty'],
        },
      ],
      outcome: {
        status: 'done',
        output: { method: 'POST', url: 'https://hooks.example.org/in/%3Cb%3Ebob%3C%2Fb%3E' },
      },
    });
    const { outcome } = answer.json();
    expect(JSON.parse(outcome.output.body)).toEqual({ who: '<b>bob</b>', n: 9, x: null });
    expect(outcome.output.headers).toContainEqual(['authorization', '[redacted]']);
    expect(answer.body).not.toContain('real');
  });

  it('C31: local parameters outrank the others and do not see each other', async () => {
    const answer = await preview({
      type: 'incident',
      params: { title: '{{who}} {{user}}', local_params: { who: '{{user}}!', user: 'local', x: '{{who}}' } },
      rows,
    });
    expect(answer.json().params).toMatchObject([
      { path: '/title', rendered: 'alice! local' },
      { path: '/local_params/who', rendered: 'alice!' },
      { path: '/local_params/x', rendered: '', missing: ['who'] },
    ]);
  });

  // Every example of every type, as its documentation shows it.
  it.each(
    Object.values(actions).flatMap(({ manifest }) =>
      manifest.examples.map(({ title, params }) => [manifest.id, title, params] as const),
    ),
  )('%s: %s is shown without its connection', async (type, _title, params) => {
    for (const subject of [{ event: findingNew }, { rows }]) {
      const answer = await preview({ type, params, ...subject });
      expect(answer.statusCode).toBe(200);
      expect(['done', 'failed']).toContain(answer.json().outcome.status);
      expect(['bug', 'unknown_connection', 'secret']).not.toContain(answer.json().outcome.code);
    }
  });

  it('needs the scope to read connections when it names one', async () => {
    const made = await api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: 'writer', scopes: ['read:actions'] },
    });
    const call = (body: object) =>
      api.call({ method: 'POST', url: '/api/templates/preview', body, key: made.json().key });
    expect((await call({ type: 'webhook', params: { path: '/' }, rows })).statusCode).toBe(200);
    expect(
      (await call({ type: 'webhook', params: { path: '/' }, rows, connection: 'hook' })).statusCode,
    ).toBe(403);
  });
});
