// Rescans: the record and the request as documented, one scan for many findings, what is no asset, loops, and what scanners answer.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, ScanRequest } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { LogError } from '../../ports/log.ts';
import { contextFor, contractNow, type Fakes, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { rescan } from './execute.ts';
import { startOf } from './request.ts';

const s4e = httpConnection({ host: 'api.s4e.io', auth: { type: 'bearer' } }, { token: 'YOUR_API_KEY' });
// docs.s4e.io/api/endpoints/scans, the answer to Create Scan.
const created = JSON.stringify({
  data: { scan_id: 'sc-44021', asset_id: 'a-1001', scan_type: 'full', status: 'queued' },
});

contract(rescan, {
  folder: new URL('./', import.meta.url),
  params: { asset: '{{host}}' },
  missing: { asset: ['a-1', '{{nowhere.to_be_found}}'] },
  connection: null,
  secrets: [],
  uses: ['records'],
});
contract(rescan, {
  folder: new URL('./', import.meta.url),
  params: { via: 'http', asset: 'a-1001' },
  missing: { via: 'http', asset: 'a-1001', options: { note: 'x{{nowhere.to_be_found}}' } },
  connection: s4e,
  secrets: ['token'],
  accepted: created,
  uses: ['http'],
});

async function ask(
  params: Record<string, unknown>,
  command: Command = eventCommand(),
  ports: Fakes = fakes(),
) {
  const outcome = await rescan.execute({ ...command, params }, contextFor(rescan, ports));
  const [append = []] = ports.records.appends;
  return { outcome, append, requests: append.map(({ value }) => JSON.parse(value) as ScanRequest) };
}
const over = (
  params: Record<string, unknown>,
  answers: Parameters<typeof sendCommand>[3] = {},
  command = eventCommand(),
  connection: ResolvedConnection = s4e,
) => sendCommand(rescan, { ...command, params: { via: 'http', ...params } }, connection, answers);
const check = (params: Record<string, unknown>) => checkParams(rescan, params).map(({ path }) => path);

describe('rescan: record', () => {
  it('is the documented one, under the key of the asset', async () => {
    const command = eventCommand({
      hops: 2,
      tenant: 'acme',
      source: { ...eventCommand().source, id: 'evt-1' },
    });
    const { append, requests, outcome } = await ask(
      {
        asset: '{{data.asset.id}}',
        finding: '{{data.finding_id}}',
        scan_type: 'quick',
        options: { depth: '{{data.cvss}}', note: 'by {{rule.id}}' },
        priority: 'high',
        delay: 'PT1H',
        coalesce: 'PT5M',
      },
      command,
    );
    expect(append).toMatchObject([{ topic: 'scan-requests.v1', key: 'a-1001' }]);
    const { request_key, ...rest } = requests[0] as ScanRequest;
    expect(request_key).toMatch(/^[0-9a-f]{32}$/);
    expect(rest).toEqual({
      v: 1,
      command_id: '0123456789abcdef0123456789abcdef',
      correlation_id: '0123456789abcdef0123456789abcdef',
      tenant: 'acme',
      asset: 'a-1001',
      scan_type: 'quick',
      findings: ['f-91827'],
      options: { depth: 9.8, note: 'by critical-findings' },
      priority: 'high',
      not_before: '2026-04-28T13:05:00.000Z',
      requested_at: '2026-04-28T12:00:00.005Z',
      hops: 2,
      source: { id: 'evt-1', event: 'finding.new' },
      action: 'notify',
      rule: 'critical-findings',
    });
    expect(checkDocument('scan-request.json', requests[0])).toEqual([]);
    expect(outcome).toEqual({
      status: 'done',
      output: {
        correlation_id: command.command_id,
        assets: ['a-1001'],
        scans: 1,
        request_key,
        not_before: '2026-04-28T13:05:00.000Z',
      },
    });
  });

  it('is the same whenever it is tried', async () => {
    const [one, two] = [fakes(), fakes()];
    const command = { ...eventCommand(), params: { asset: 'a', delay: 'PT1H' } };
    await rescan.execute(command, contextFor(rescan, one));
    await rescan.execute(command, contextFor(rescan, two, { now: contractNow + 86_400_000, attempt: 3 }));
    expect(two.records.appends).toEqual(one.records.appends);
  });

  it('names the step of a playbook that asks', async () => {
    const playbook = { id: 'p', revision: 1, run: 'run-1', number: 1, step: 'rescan#0' };
    const { requests } = await ask({ asset: 'a' }, eventCommand({ playbook, trigger: 'playbook' }));
    expect(requests[0]).toMatchObject({ playbook: { id: 'p', run: 'run-1', step: 'rescan#0' } });
    expect(checkDocument('scan-request.json', requests[0])).toEqual([]);
  });

  it('is one for each asset of the set in mode all, with the findings of its rows', async () => {
    const rows = [
      { host: 'a', id: 'f-1' },
      { host: 'b', id: 'f-2' },
      { host: 'a', id: 'f-3' },
      { host: 'a', id: 'f-1' },
      { id: 'f-5' },
    ];
    const { requests, append, outcome } = await ask(
      { asset: '{{host}}', finding: '{{id}}' },
      rowsCommand(rows),
    );
    expect(append.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(requests.map(({ asset, findings }) => [asset, findings])).toEqual([
      ['a', ['f-1', 'f-3']],
      ['b', ['f-2']],
    ]);
    expect(new Set(requests.map(({ request_key }) => request_key)).size).toBe(2);
    expect(outcome).toMatchObject({ warnings: ['row 4: asset: {{host}} has no value; left out'] });
  });

  it('is about the one row of mode each and first', async () => {
    for (const mode of ['each', 'first'] as const) {
      const { requests } = await ask(
        { asset: '{{host}}' },
        rowsCommand([{ host: 'b' }], { mode, row_index: 7 }),
      );
      expect(requests.map(({ asset }) => asset)).toEqual(['b']);
    }
  });

  it('takes lists and numbers for assets, each once', async () => {
    const command = eventCommand({
      event: { event: 'x', data: { assets: ['a', 7, 'a', null, ''], one: 'c' } },
    });
    const { append } = await ask({ asset: ['{{data.assets}}', '{{data.one}}', 'a', 7] }, command);
    expect(append.map(({ key }) => key)).toEqual(['a', '7', 'c']);
  });

  it.each([
    [{ asset: '{{data.none}}' }, 'template', 'asset: {{data.none}} has no value'],
    [{ asset: null }, 'template', 'asset: has no value'],
    [{ asset: '{{data.object}}' }, 'invalid_body', 'asset: {"a":1} is no id of an asset'],
    [{ asset: '{{data.long}}' }, 'invalid_body', 'is no id of an asset'],
    [{ asset: '{{data.lines}}' }, 'invalid_body', 'asset: "a\\nb" is no id of an asset'],
    [{ asset: '{{data.marks}}' }, 'invalid_body', 'is no id of an asset'],
    [{ asset: '{{data.half}}' }, 'invalid_body', 'is no id of an asset'],
    [{ asset: '{{data.many}}' }, 'too_large', 'asset: 501 assets, at most 500 go into one command'],
    [{ asset: 'a', scan_type: '{{data.none}}' }, 'template', 'scan_type: {{data.none}} has no value'],
    [{ asset: 'a', scan_type: '{{data.lines}}' }, 'invalid_body', 'scan_type: "a\\nb" is no type of a scan'],
    [
      { asset: 'a', options: { x: '{{data.huge}}', y: '{{data.huge}}', z: '{{data.huge}}' } },
      'too_large',
      'the record for a',
    ],
  ])('asks for nothing with %j', async (params, code, detail) => {
    const data = {
      object: { a: 1 },
      long: 'x'.repeat(257),
      lines: 'a\nb',
      marks: 'a\u202eb',
      half: 'a\ud800',
      many: Array.from({ length: 501 }, (_, index) => index),
      huge: 'x'.repeat(200_000),
    };
    const { outcome, append } = await ask(params, eventCommand({ event: { event: 'x', data } }));
    expect(append).toEqual([]);
    expect(outcome).toMatchObject({ status: 'failed', code, retry: 'never' });
    expect(outcome.status === 'failed' && outcome.detail).toContain(detail);
  });

  it('has hostile values in their members and nowhere else', async () => {
    for (const hostile of Object.values(hostileTexts)) {
      const event = { event: 'x', data: { asset: 'a', text: hostile } };
      const { requests } = await ask(
        { asset: '{{data.asset}}', finding: '{{data.text}}', options: { note: '{{data.text}}' } },
        eventCommand({ event }),
      );
      expect(Object.keys(requests[0]?.options ?? {})).toEqual(['note']);
      expect(checkDocument('scan-request.json', requests[0])).toEqual([]);
    }
  });

  it.each([
    [new LogError('broker is away', { retriable: true }), 'backoff', true],
    [new LogError('not allowed to write', { retriable: false }), 'never', false],
  ])('that the log does not take is a failure: %s', async (error, retry, uncertain) => {
    const ports = fakes();
    ports.records.fail(error);
    const { outcome } = await ask({ asset: 'a' }, eventCommand(), ports);
    expect(outcome).toMatchObject({
      status: 'failed',
      code: 'topic',
      retry,
      detail: `scan-requests.v1: ${error.message}`,
    });
    expect('uncertain' in outcome).toBe(uncertain);
  });
});

describe('rescan: one scan for many findings', () => {
  const at = (created_at: number, id = 'f') =>
    eventCommand({ created_at, command_id: id.padStart(32, '0'), tenant: 't' });

  it('A15: forty findings of one asset in one window have one key and one start', async () => {
    const base = Date.UTC(2026, 3, 28, 12, 0, 0);
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        ask({ asset: 'a', finding: `f-${index}` }, at(base + index * 1000, index.toString(16))),
      ),
    );
    const requests = all.flatMap((each) => each.requests);
    expect(new Set(requests.map(({ request_key }) => request_key)).size).toBe(1);
    expect(new Set(requests.map(({ not_before }) => not_before))).toEqual(
      new Set(['2026-04-28T12:01:00.000Z']),
    );
    expect(new Set(requests.map(({ correlation_id }) => correlation_id)).size).toBe(40);
  });

  it('another asset, type, options, tenant or window is another scan, and so is each with PT0S', async () => {
    const key = async (params: Record<string, unknown>, command = at(60_000)) =>
      (await ask({ asset: 'a', ...params }, command)).requests[0]?.request_key;
    const same = await key({ finding: 'f-1', priority: 'high' });
    expect(await key({ finding: 'f-2' }, at(119_999, 'e'))).toBe(same);
    const others = [
      await key({ asset: 'b' }),
      await key({ scan_type: 'ssl' }),
      await key({ options: { depth: 1 } }),
      await key({}, { ...at(60_000), tenant: 'u' }),
      await key({}, at(120_000)),
      await key({ coalesce: 'PT0S' }),
      await key({ coalesce: 'PT0S' }, at(60_000, 'e')),
    ];
    expect(new Set([same, ...others]).size).toBe(8);
  });

  it('A15: never starts early, never later than a window, and two share a start when they share a window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 0, max: 7_200_000 }),
        fc.integer({ min: 0, max: 86_400 }),
        fc.integer({ min: 1, max: 86_400 }),
        (first, later, delay, coalesce) => {
          const params = { delay: `PT${delay}S`, coalesce: `PT${coalesce}S` };
          const one = startOf(first, params);
          const two = startOf(first + later, params);
          const wanted = first + delay * 1000;
          expect(one.due).toBeGreaterThan(wanted);
          expect(one.due).toBeLessThanOrEqual(wanted + coalesce * 1000);
          // One that shares the scan was asked for before it starts.
          if (two.window === one.window) expect(first + later + delay * 1000).toBeLessThan(one.due);
          else expect(two.due).toBeGreaterThan(one.due);
        },
      ),
    );
  });

  it('A15: with neither delay nor window it is due when it was decided', () => {
    expect(startOf(1234, { coalesce: 'PT0S' })).toEqual({ due: 1234, window: null });
    expect(startOf(1234, { delay: 'PT2S', coalesce: 'PT0S' })).toEqual({ due: 3234, window: null });
  });
});

describe('rescan: loops', () => {
  it.each([
    [5, undefined, true],
    [6, undefined, false],
    [1, 1, true],
    [2, 1, false],
  ])('behind %i actions with max_hops %s: %s', async (hops, max_hops, isAsked) => {
    const params = { asset: 'a', ...(max_hops === undefined ? {} : { max_hops }) };
    const { outcome, append } = await ask(params, eventCommand({ hops }));
    expect(append.length).toBe(isAsked ? 1 : 0);
    if (isAsked) return expect(outcome.status).toBe('done');
    const http = await over(params, {}, eventCommand({ hops }));
    expect(http.requests).toEqual([]);
    for (const { status, ...rest } of [outcome, http.outcome])
      expect({ status, ...rest }).toEqual({
        status: 'failed',
        code: 'loop_detected',
        retry: 'never',
        detail: `${hops} actions lie behind this command, itself included; at most ${max_hops ?? 5} may`,
      });
  });
});

describe('rescan: call', () => {
  it('A11, A15: is Create Scan of S4E', async () => {
    const { request, body, outcome } = await over(
      {
        asset: '{{data.asset.id}}',
        scan_type: 'full',
        options: { depth: 'deep' },
        priority: 'high',
        finding: 'f',
      },
      { answers: [{ status: 201, body: created }] },
    );
    expect(request).toMatchObject({ method: 'POST', url: 'https://api.s4e.io/api/scan/create' });
    expect(request?.headers).toEqual([
      ['content-type', 'application/json; charset=utf-8'],
      ['user-agent', 'tocsin'],
      ['idempotency-key', '0123456789abcdef0123456789abcdef'],
      ['authorization', 'Bearer YOUR_API_KEY'],
    ]);
    expect(body).toEqual({
      asset_id: 'a-1001',
      scan_type: 'full',
      options: { depth: 'deep' },
      priority: 'high',
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: 'sc-44021',
      output: {
        correlation_id: '0123456789abcdef0123456789abcdef',
        assets: ['a-1001'],
        scans: 1,
        status_code: 201,
        scan_id: 'sc-44021',
      },
    });
  });

  it('has the path and body of another scanner, with members of the record', async () => {
    const { request, body, outcome } = await over(
      {
        asset: 'a/b?c',
        path: '/v1/{{request.asset}}/scans',
        body: { targets: ['{{request.asset}}'], ref: '{{request.correlation_id}}', hops: '{{request.hops}}' },
        id_at: '/scan/0/id',
      },
      { answers: [{ status: 200, body: '{"scan":[{"id":17}],"scan_id":"other"}' }] },
      eventCommand({ hops: 3 }),
    );
    expect(request?.url).toBe('https://api.s4e.io/v1/a%2Fb%3Fc/scans');
    expect(body).toEqual({ targets: ['a/b?c'], ref: '0123456789abcdef0123456789abcdef', hops: 3 });
    expect(outcome).toMatchObject({ status: 'done', ref: '17', output: { scan_id: '17' } });
  });

  it.each([
    '',
    '<html>Sign in</html>',
    '{}',
    '[]',
    'null',
    '{"data":{"scan_id":""}}',
    '{"data":{"scan_id":null}}',
    '{"scan_id":{"a":1}}',
    JSON.stringify({ scan_id: 'x'.repeat(257) }),
    JSON.stringify({ scan_id: 'a\nb' }),
  ])('is no success without the id of a scan: %s', async (body) => {
    const { outcome } = await over({ asset: 'a' }, { answers: [{ status: 200, body }] });
    expect(outcome).toEqual({
      status: 'failed',
      code: 'bad_response',
      retry: 'never',
      status_code: 200,
      detail:
        'POST https://api.s4e.io answered 200 with a body that is not one of the answers of the scanner: it has no scan_id',
    });
  });

  it('reads the id of both pages of S4E', async () => {
    const guide = await over(
      { asset: 'a' },
      { answers: [{ status: 201, body: '{"scan_id":"a1b2","status":"queued"}' }] },
    );
    expect(guide.outcome).toMatchObject({ ref: 'a1b2' });
  });

  it('is about one asset', async () => {
    const { outcome, requests } = await over(
      { asset: '{{host}}' },
      {},
      rowsCommand([{ host: 'a' }, { host: 'b' }, { host: 'a' }]),
    );
    expect(requests).toEqual([]);
    expect(outcome).toMatchObject({ code: 'invalid_params', retry: 'never' });
    expect(outcome.status === 'failed' && outcome.detail).toContain('one at a time and the command names 2');
  });

  it('A15: keeps within the ten calls a minute of S4E unless the connection says otherwise', () =>
    expect(rescan.manifest.lane?.ratePerSecond).toBeCloseTo(10 / 60));

  it('is repeated by default when nobody knows whether it arrived', () =>
    expect([rescan.manifest.idempotency, rescan.idempotencyOf]).toEqual(['key', undefined]));
});

describe('rescan: parameters', () => {
  it.each([
    [{ asset: 'a', delay: 'PT1H', coalesce: 'PT0S' }, []],
    [{ asset: 'a', delay: 'PT0S' }, []],
    [{ asset: 'a', delay: 'P91D' }, ['/delay']],
    [{ asset: 'a', delay: 'P1M' }, ['/delay']],
    [{ asset: 'a', coalesce: 'P1Y' }, ['/coalesce']],
    [{}, ['/asset']],
    [{ asset: '' }, ['/asset']],
    [{ asset: '{{{x}}}' }, ['/asset']],
    [{ asset: ['a', '{{constructor}}'] }, ['/asset/1']],
    [{ asset: 'a', options: { '{{x}}': 1 } }, ['/options/{{x}}']],
    [{ asset: 'a', finding: '{{#x}}' }, ['/finding']],
    [{ asset: 'a', scan_type: '{{' }, ['/scan_type']],
    [{ asset: 'a', path: '/x', body: {}, id_at: '/id' }, ['/path', '/body', '/id_at']],
    [{ via: 'http', asset: 'a', delay: 'PT1H', coalesce: 'PT1M' }, ['/delay', '/coalesce']],
    [{ via: 'http', asset: 'a', path: '/a?b' }, ['/path']],
    [{ via: 'http', asset: 'a', body: { a: '{{>x}}' } }, ['/body/a']],
    [{ asset: 'a', max_hops: 6 }, ['/max_hops']],
    [{ asset: 'a', max_hops: 0 }, ['/max_hops']],
  ])('%j: %j', (params, paths) => expect(check(params)).toEqual(paths));

  it('a connection goes with http, and http with a connection', () => {
    const config = s4e.config;
    expect(rescan.needsConnection?.({ asset: 'a' })).toBe(false);
    expect(rescan.needsConnection?.({ asset: 'a', via: 'http' })).toBe(true);
    expect(rescan.checkConnection?.({ asset: 'a', via: 'http' }, config)).toEqual([]);
    expect(rescan.checkConnection?.({ asset: 'a' }, config)).toMatchObject([{ path: '/via' }]);
    const smtp = { kind: 'connection', id: 'm', type: 'smtp', host: 'm', from: 'a@b.example' } as const;
    expect(rescan.checkConnection?.({ asset: 'a', via: 'http' }, smtp)).toMatchObject([{ path: '' }]);
  });
});

it('a dry run shows the records, the first twenty of them', () => {
  const rows = Array.from({ length: 30 }, (_, index) => ({ host: `h-${index}` }));
  const command = { ...rowsCommand(rows), params: { asset: '{{host}}' } };
  const outcome = rescan.preview(command, { connection: null, now: contractNow });
  expect(outcome).toMatchObject({ status: 'done', output: { topic: 'scan-requests.v1', total: 30 } });
  const { records } = (outcome as unknown as { output: { records: { key: string; value: string }[] } })
    .output;
  expect(records.length).toBe(20);
  expect(records[3]?.key).toBe('h-3');
  expect(JSON.parse(records[3]?.value ?? '')).toMatchObject({ asset: 'h-3' });
});
