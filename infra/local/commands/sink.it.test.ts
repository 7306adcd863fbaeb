// `./tocsin sink setup elasticsearch` on a real OpenSearch, and on a server that takes forms as Kibana does.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type OpenSearchServer,
  openSearchReleases,
  startOpenSearch,
} from '@tocsin/testing/opensearch-server.ts';
import { type ListeningServer, listen } from '@tocsin/testing/receivers/http-server.ts';
import { charts } from '@tocsin/topologies/sinks/elasticsearch/setup/dashboards.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runSink } from './sink.ts';

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const code = await runSink(['setup', 'elasticsearch', ...args], io, env);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe.each(openSearchReleases())('the index template in OpenSearch %s', (release) => {
  let server: OpenSearchServer;
  beforeAll(async () => {
    server = await startOpenSearch([], release);
  });
  afterAll(async () => {
    await server?.stop();
  });

  const ask = async (path: string, body: string): Promise<unknown> => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    return response.json();
  };

  it('B41 to B44: the four charts find their numbers in documents of the guide', async () => {
    expect(await run(['--url', server.url])).toMatchObject({
      code: 0,
      out: 'index template s4e-events written',
    });
    const event = (name: string, data: object): string =>
      `{"create":{}}\n${JSON.stringify({ '@timestamp': '2026-04-28T12:00:00Z', event: name, data })}\n`;
    const finding = (severity: string, asset: string, cvss: unknown): string =>
      event('finding.new', { severity, asset: { name: asset }, cvss });
    const body = [
      finding('critical', 'api.example.com', 9.8),
      finding('Critical', 'api.example.com', 'n/a'),
      finding('low', 'www.example.com', 2),
      event('scan.completed', { scan_id: 'sc-1', duration: 3 }),
    ].join('');
    expect(await ask('/s4e-events-2026.04/_bulk?refresh=true', body)).toMatchObject({ errors: false });
    const counted = [];
    for (const { query, by } of charts) {
      const [, name] = /^event: "(.*)"$/.exec(query)!;
      const aggregation =
        'terms' in by
          ? { terms: { field: by.terms } }
          : { date_histogram: { field: by.time, calendar_interval: 'day' } };
      const found = (await ask(
        '/s4e-events*/_search',
        JSON.stringify({ size: 0, query: { term: { event: name } }, aggs: { it: aggregation } }),
      )) as { aggregations: { it: { buckets: { key: unknown; doc_count: number }[] } } };
      counted.push(found.aggregations.it.buckets.map(({ key, doc_count }) => [key, doc_count]));
    }
    const day = Date.UTC(2026, 3, 28);
    expect(counted).toEqual([
      [
        ['critical', 2],
        ['low', 1],
      ],
      [[day, 3]],
      [
        ['api.example.com', 2],
        ['www.example.com', 1],
      ],
      [[day, 1]],
    ]);
  });

  it('B36: makes a data stream', async () => {
    expect((await run(['--url', server.url, '--index', 'logs-s4e-default', '--data-stream'])).code).toBe(0);
    const body = '{"create":{}}\n{"@timestamp":"2026-04-28T12:00:00Z"}\n';
    expect(await ask('/logs-s4e-default/_bulk', body)).toMatchObject({
      items: [{ create: { status: 201, _index: expect.stringMatching(/^\.ds-logs-s4e-default-/) } }],
    });
  });

  it('says what the server says', async () => {
    const { code, err } = await run(['--url', `${server.url}/nothing`]);
    expect(code).toBe(1);
    expect(err).toMatch(/^tocsin: PUT http.* answered 4\d\d: /);
  });
});

describe('B41 to B44: the dashboard', () => {
  const open: ListeningServer[] = [];
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close();
  });

  async function kibana(
    answer: (request: IncomingMessage, form: FormData, response: ServerResponse) => void,
  ) {
    const server = await listen(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const headers = { 'content-type': request.headers['content-type'] ?? '' };
      answer(request, await new Response(Buffer.concat(chunks), { headers }).formData(), response);
    });
    open.push(server);
    return server;
  }

  it('is sent as a file of a form, with the headers that both products ask for', async () => {
    let lines: string[] = [];
    const seen: unknown[] = [];
    const server = await kibana(async (request, form, response) => {
      const { headers, url } = request;
      seen.push(url, headers['kbn-xsrf'], headers['osd-xsrf'], headers.authorization);
      const file = form.get('file') as File;
      seen.push(file.name);
      lines = (await file.text()).trim().split('\n');
      response.end('{"success":true,"successCount":6}');
    });
    const { code, out } = await run(['--dashboards', `${server.url}/kibana/`], { ELASTIC_API_KEY: 'a2V5' });
    expect([code, out]).toEqual([0, 'dashboard s4e-events-dashboard with 4 charts written']);
    expect(seen).toEqual([
      '/kibana/api/saved_objects/_import?overwrite=true',
      'true',
      'true',
      'ApiKey a2V5',
      'dashboard.ndjson',
    ]);
    const printed = await run(['--print']);
    expect(lines).toEqual(printed.out.split('\n'));
    expect(lines.map((line) => JSON.parse(line).type)).toContain('dashboard');
  });

  it.each([
    [200, '{"success":false,"errors":[{"id":"x"}]}'],
    [401, '{"message":"no"}'],
    [200, '<html>Sign in</html>'],
  ])('%i %s is no success', async (status, body) => {
    const server = await kibana((_, __, response) => response.writeHead(status).end(body));
    const { code, err } = await run(['--dashboards', server.url], {
      ELASTIC_USERNAME: 'u',
      ELASTIC_PASSWORD: 's3cret',
    });
    expect(code).toBe(1);
    expect(err).toContain(`answered ${status}`);
    expect(err).not.toContain('s3cret');
  });

  it('a server that is not there is named', async () => {
    const { code, err } = await run(['--dashboards', 'http://127.0.0.1:1']);
    expect([code, err.startsWith('tocsin: POST http://127.0.0.1:1/api/saved_objects/_import')]).toEqual([
      1,
      true,
    ]);
  });
});

it.each([
  [[], '--url, --dashboards or --print is needed'],
  [['--url', 'elk:9200'], '--url must be an http or https URL'],
  [['--url', 'https://u:p@elk:9200'], '--url must hold no credentials'],
  [['--index', 'A B', '--print'], '--index must be'],
  [['--nope'], "Unknown option '--nope'"],
])('%j is typed wrong', async (args, message) => {
  const { code, err } = await run(args);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
