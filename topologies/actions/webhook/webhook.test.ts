import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../ports/http.ts';
import { eventCommand, findingNew, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { webhook } from './execute.ts';
import { check, send } from './fixtures/send.ts';

contract(webhook, {
  folder: new URL('./', import.meta.url),
  params: { path: '/hook', body: { host: '{{host}}' } },
  missing: { path: '/hook', body: { host: 'x{{nowhere.to_be_found}}' } },
  connection: httpConnection({ auth: { type: 'bearer' } }),
  secrets: ['token', 'hmac', 'hmac_previous'],
});

describe('webhook: request', () => {
  it('is the golden request for the event of the SIEM guide', async () => {
    const golden = JSON.parse(
      readFileSync(new URL('fixtures/expected-request.json', import.meta.url), 'utf8'),
    );
    const { request } = await send(
      golden.params,
      eventCommand(),
      httpConnection(golden.connection, golden.secrets),
    );
    const { body, ...rest } = request as HttpRequest;
    expect({ ...rest, body: body?.toString() }).toMatchObject(golden.request);
  });

  it('posts the event as its producer wrote it when there is no body', async () => {
    const event = {
      ...findingNew,
      data: { ...findingNew.data, title: 'Grüße 😀', cvss: 9.8 },
      extra: { kept: true },
    };
    const { body, request, header } = await send({}, eventCommand({ event }));
    expect(body).toBe(JSON.stringify(event));
    expect(request?.method).toBe('POST');
    expect(header('content-type')).toBe('application/json');
  });

  it('C87, C93: posts the row for first and each, and the set for all', async () => {
    const rows = [{ 'source.ip': '192.0.2.1' }, { 'source.ip': '192.0.2.2' }];
    expect(JSON.parse((await send({}, rowsCommand([rows[0]!], { mode: 'first' }))).body)).toEqual(rows[0]);
    expect(JSON.parse((await send({}, rowsCommand(rows))).body)).toMatchObject({
      rows,
      row_count: 2,
      search: { name: 'Failed logins' },
    });
  });

  it('C88, C89, C90: takes scheme, host, port and path prefix from the connection', async () => {
    const connection = httpConnection({
      protocol: 'http',
      allow_insecure: true,
      host: '2001:db8::1',
      port: 8080,
      base_path: '/app/',
    });
    expect((await send({ path: 'path/to/source' }, eventCommand(), connection)).request?.url).toBe(
      'http://[2001:db8::1]:8080/app/path/to/source',
    );
    expect((await send({}, eventCommand(), httpConnection({ host: 'bücher.example' }))).url.host).toBe(
      'xn--bcher-kva.example',
    );
  });

  it.each([
    [{ protocol: 'http' }, '/allow_insecure'],
    [{ protocol: 'http', allow_insecure: true, tls: { verify: false } }, '/tls'],
    [{ host: 'https://siem.example.com' }, '/host'],
    [{ host: 'siem.example.com/path' }, '/host'],
    [{ host: 'user@siem.example.com' }, '/host'],
    [{ host: 'siem.example.com:443' }, '/host'],
    [{ host: 'h\\@evil' }, '/host'],
    [{ host: 'h#@evil' }, '/host'],
    [{ host: '{{data.host}}' }, '/host'],
    [{ host: '999.1.1.1' }, '/host'],
    [{ host: 'a..b' }, '/host'],
    [{ base_path: '/a/../b' }, '/base_path'],
    [{ auth: { type: 'header' } }, '/auth/header'],
    [{ auth: { type: 'header', header: 'Host' } }, '/auth/header'],
  ] as const)('C88, C89: refuses the connection %j', async (over, path) => {
    const { outcome, request } = await send(
      {},
      eventCommand(),
      httpConnection(over as object, { token: 'x' }),
    );
    expect(outcome).toMatchObject({ status: 'failed', code: 'invalid_params', retry: 'pause' });
    expect(outcome.status === 'failed' && outcome.detail).toContain(path);
    expect(request).toBeUndefined();
  });

  it('C92: T09 percent-encodes tokens of the path, each inside its segment', async () => {
    const event = { event: 'x', data: { id: 'a/b?c#d%2e é', dots: '..', half: '.', empty: '' } };
    const command = eventCommand({ event });
    expect((await send({ path: '/i t/{{data.id}}/ä%20z' }, command)).request?.url).toBe(
      'https://siem.example.com/i%20t/a%2Fb%3Fc%23d%252e%20%C3%A9/%C3%A4%20z',
    );
    for (const path of ['/a/{{data.dots}}/b', '/a/{{data.half}}{{data.half}}', '/a/%2e{{data.half}}'])
      expect((await send({ path }, command)).outcome, path).toMatchObject({
        status: 'failed',
        code: 'template',
      });
    for (const path of [
      '/items/{{data.none}}',
      '/items/{{data.empty}}',
      '/{{data.empty}}/x',
      '{{data.empty}}',
    ])
      expect((await send({ path, method: 'DELETE' }, command)).outcome, path).toMatchObject({
        status: 'failed',
        code: 'template',
      });
  });

  it('C92: refuses paths that are not paths', () => {
    for (const path of [
      '/a?b=c',
      '/a#b',
      '/a/../b',
      '/a/%2E%2e/b',
      '//evil.example/x',
      'http://evil/',
      '/a\\b',
      '/a\n',
      '/{{{x}}}',
      '/{{constructor}}',
      '/{{#a}}',
    ])
      expect(check({ path }), path).toEqual(['/path']);
    expect(check({ path: 'path/to/source' })).toEqual([]);
  });

  it('C94: keeps query parameters in order, repeated, empty, and encoded', async () => {
    const params = [
      { name: 'param1', value: 'value1' },
      { name: 'param2', value: 'a&b=c d+é' },
      { name: 'param1', value: '' },
      { name: 'k&', value: '{{data.title}}' },
    ];
    const { url, request } = await send(
      { params },
      eventCommand({ event: { event: 'x', data: { title: 'x&admin=1#' } } }),
    );
    expect([...url.searchParams]).toEqual([
      ['param1', 'value1'],
      ['param2', 'a&b=c d+é'],
      ['param1', ''],
      ['k&', 'x&admin=1#'],
    ]);
    expect(request?.url).toContain('?param1=value1&param2=a%26b%3Dc%20d%2B%C3%A9&param1=&');
  });

  it('C91: drops the body of GET with a warning and sends the one of DELETE only when configured', async () => {
    const get = await send({ method: 'GET', body: { a: 1 } });
    expect(get.request?.body).toBeUndefined();
    expect(get.outcome).toMatchObject({ status: 'done', warnings: ['body: dropped, because GET has none'] });
    expect((await send({ method: 'GET' })).outcome).not.toHaveProperty('warnings');
    expect((await send({ method: 'DELETE' })).request?.body).toBeUndefined();
    expect((await send({ method: 'DELETE', body: { a: 1 } })).body).toBe('{"a":1}');
    for (const method of ['PUT', 'PATCH'])
      expect(JSON.parse((await send({ method })).body)).toEqual(findingNew);
    expect(check({ method: 'TRACE' })).toEqual(['/method']);
  });
});

describe('webhook: body', () => {
  const hostile = eventCommand({
    event: { event: 'x', data: { title: '","admin":true,"x":"', n: 9.8, tags: ['a'], q: '{{data.n}}' } },
  });

  it('T09 keeps exactly the declared keys whatever a value says', async () => {
    expect(
      JSON.parse((await send({ body: { t: '{{data.title}}', m: 'x {{data.title}}' } }, hostile)).body),
    ).toEqual({
      t: '","admin":true,"x":"',
      m: 'x ","admin":true,"x":"',
    });
    expect(
      JSON.parse(
        (await send({ body: '{"t":"{{data.title}}","n":{{data.n}},"u":{{data.title}}}' }, hostile)).body,
      ),
    ).toEqual({
      t: '","admin":true,"x":"',
      n: 9.8,
      u: '","admin":true,"x":"',
    });
  });

  it('keeps types of leaves that are one token, and never reads a value as a template', async () => {
    const body = {
      n: '{{data.n}}',
      tags: '{{ data.tags }}',
      text: 'n={{data.n}}',
      none: '{{data.none}}',
      q: '{{data.q}}',
    };
    const { body: text, outcome } = await send({ body }, hostile);
    expect(JSON.parse(text)).toEqual({ n: 9.8, tags: ['a'], text: 'n=9.8', none: null, q: '{{data.n}}' });
    expect(outcome).toMatchObject({ warnings: ['body: {{data.none}} has no value and was left empty'] });
  });

  it('C97: does not send a body that is not JSON after rendering', async () => {
    const { outcome, request } = await send({ body: '{"a": {{#data.none}}1{{/data.none}} }' });
    expect(outcome).toMatchObject({ status: 'failed', code: 'invalid_body', retry: 'never' });
    expect(request).toBeUndefined();
  });

  it('escapes text bodies for their content type', async () => {
    const command = eventCommand({ event: { event: 'x', data: { t: '<b>&\u001b[2J a=b' } } });
    const body = 'v={{data.t}}';
    expect((await send({ body, content_type: 'text/plain; charset=utf-8' }, command)).body).toBe(
      'v=<b>&[2J a=b',
    );
    expect((await send({ body, content_type: 'application/xml' }, command)).body).toBe(
      'v=&lt;b&gt;&amp;[2J a&#61;b',
    );
    expect((await send({ body, content_type: 'application/x-www-form-urlencoded' }, command)).body).toBe(
      'v=%3Cb%3E%26%1B%5B2J%20a%3Db',
    );
    const viaHeader = await send({ body, headers: [{ name: 'Content-Type', value: 'text/plain' }] }, command);
    expect(viaHeader.request?.headers.filter(([name]) => name === 'content-type')).toEqual([
      ['content-type', 'text/plain'],
    ]);
  });

  it('refuses bodies that cannot work', () => {
    expect(check({ body: '{"a":' })).toEqual(['/body']);
    expect(check({ body: '{"a":"{{{b}}}"}' })).toEqual(['/body']);
    expect(check({ body: { a: { b: ['{{> /etc/passwd}}'] } } })).toEqual(['/body/a/b/0']);
    expect(check({ body: { '{{a}}': 1 } })).toEqual(['/body/{{a}}']);
    expect(check({ body: { a: 1 }, content_type: 'text/plain' })).toEqual(['/content_type']);
    expect(check({ body: { a: 1 }, transform: 'splunk_hec' })).toEqual(['/body']);
    expect(check({ content_type: 'text/plain\r\nX: y' })).toEqual(['/content_type']);
  });

  it('wraps the event in the Splunk envelope of the SIEM guide', async () => {
    const params = {
      path: '/services/collector/event',
      transform: 'splunk_hec',
      splunk: { index: 'security' },
    };
    const connection = httpConnection({ port: 8088, auth: { type: 'splunk' } }, { token: 'YOUR_HEC_TOKEN' });
    const { body, header } = await send(params, eventCommand(), connection);
    expect(JSON.parse(body)).toEqual({
      event: findingNew,
      sourcetype: '_json',
      source: 's4e',
      index: 'security',
    });
    expect(header('authorization')).toBe('Splunk YOUR_HEC_TOKEN');
  });
});
