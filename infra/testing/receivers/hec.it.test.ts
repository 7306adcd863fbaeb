// The HEC receiver answers as Splunk's table of reply codes says; expected values are that table.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type HecOptions, type HecReceiver, startHecReceiver } from './hec.ts';

const open: HecReceiver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((receiver) => receiver.close()));
});
async function start(options: HecOptions = {}): Promise<HecReceiver> {
  const receiver = await startHecReceiver(options);
  open.push(receiver);
  return receiver;
}

async function post(
  receiver: HecReceiver,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<[number, unknown]> {
  const response = await fetch(`${receiver.url}/services/collector/event`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { authorization: 'Splunk test-token', ...headers },
  });
  const text = await response.text();
  return [
    response.status,
    response.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : text,
  ];
}

describe('events', () => {
  it('takes concatenated, pretty-printed, separated and array envelopes', async () => {
    const receiver = await start();
    expect(
      await post(
        receiver,
        '{"event":"a}{\\"b"}{"event":{"n":1}}\n\n{\n "event" : [1]\n} [{"event":1},{"event":2}]',
      ),
    ).toEqual([200, { text: 'Success', code: 0 }]);
    expect(receiver.events.map((event) => event.event)).toEqual(['a}{"b', { n: 1 }, [1], 1, 2]);
  });

  it.each([
    ['{"event":1}{"event":', 6, 1],
    ['{"event":1}{"event":1}{"time":1}', 12, 2],
    ['{"event":""}', 13, 0],
    ['{"event":1,"index":"secret"}', 7, 0],
    ['{"event":1}{"event":1,"fields":{"a":{"b":1}}}', 15, 1],
    ['{"event":1,"fields":[]}', 6, 0],
    ['{"event":1} nonsense', 6, 1],
    ['"just a string"', 6, 0],
  ])(
    '%s is code %i with invalid-event-number %i, and the ones before are kept',
    async (body, code, number) => {
      const receiver = await start({ indexes: ['main'] });
      expect(await post(receiver, body)).toMatchObject([400, { code, 'invalid-event-number': number }]);
      expect(receiver.events).toHaveLength(number);
    },
  );

  it('as an emulator keeps nothing of a bad request and names no number', async () => {
    const receiver = await start({ server: 'emulator' });
    const [status, body] = await post(receiver, '{"event":1}{"event":""}');
    expect([status, body]).toEqual([400, { text: 'Event field cannot be blank', code: 13 }]);
    expect(receiver.events).toHaveLength(0);
  });

  it('limits: empty body, request size, event size, encodings', async () => {
    const receiver = await start({ maxContentLength: 1_000, maxEventBytes: 100 });
    expect(await post(receiver, '')).toMatchObject([400, { code: 5 }]);
    const [status, page] = await post(receiver, `{"event":"${'x'.repeat(2_000)}"}`);
    expect([status, String(page).startsWith('<!doctype html>')]).toEqual([413, true]);
    expect(await post(receiver, `{"event":1}{"event":"${'x'.repeat(200)}"}`)).toMatchObject([
      400,
      { code: 6, 'invalid-event-number': 1 },
    ]);
    expect(
      await post(receiver, gzipSync('{"event":"zipped"}'), { 'content-encoding': 'gzip' }),
    ).toMatchObject([200, { code: 0 }]);
    const [unsupported, html] = await post(receiver, 'x', { 'content-encoding': 'br' });
    expect([unsupported, String(html).startsWith('<!doctype html>')]).toEqual([415, true]);
    expect(receiver.events.map((event) => event.event)).toEqual([1, 'zipped']);
  });
});

describe('authorisation', () => {
  it.each([
    ['Splunk wrong', 403, 4],
    ['Bearer test-token', 401, 3],
    [`Basic ${Buffer.from('x:test-token').toString('base64')}`, 200, 0],
  ])('%s', async (authorization, status, code) => {
    expect(await post(await start(), '{"event":1}', { authorization })).toMatchObject([status, { code }]);
  });
  it('none at all, and a disabled token', async () => {
    const receiver = await start();
    const response = await fetch(`${receiver.url}/services/collector`, {
      method: 'POST',
      body: '{"event":1}',
    });
    expect([response.status, await response.json()]).toMatchObject([401, { code: 2 }]);
    receiver.disableToken(true);
    expect(await post(receiver, '{"event":1}')).toMatchObject([403, { code: 1 }]);
    receiver.disableToken(false);
    expect(await post(receiver, '{"event":1}')).toMatchObject([200, { code: 0 }]);
  });
});

describe('faults', () => {
  it('come in their order, then it works', async () => {
    const receiver = await start();
    receiver.script(
      { busyAfter: 2 },
      { hec: { status: 503, code: 9, text: 'Server is busy' } },
      'html',
      'reset',
      { lost: true },
    );
    const three = '{"event":1}{"event":2}{"event":3}';
    expect(await post(receiver, three)).toMatchObject([503, { code: 9, 'invalid-event-number': 2 }]);
    expect(receiver.events).toHaveLength(2);
    expect(await post(receiver, three)).toMatchObject([503, { code: 9 }]);
    expect((await post(receiver, three))[1]).toContain('sign in');
    await expect(post(receiver, three)).rejects.toThrow();
    expect(receiver.events).toHaveLength(2);
    await expect(post(receiver, three)).rejects.toThrow();
    expect(receiver.events).toHaveLength(5);
    expect(await post(receiver, three)).toMatchObject([200, { code: 0 }]);
    await receiver.waitFor(8);
  });

  it('health follows a lasting fault', async () => {
    const receiver = await start();
    const health = async (): Promise<unknown> =>
      (await fetch(`${receiver.url}/services/collector/health/1.0`)).json();
    expect(await health()).toEqual({ text: 'HEC is healthy', code: 17 });
    receiver.failWith({ status: 503 });
    expect(await health()).toMatchObject({ code: 18 });
  });
});

it('the counting receiver runs as a process and counts envelopes over any chunking', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hec-null.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    const one = `{"time":1.5,"event":{"event":"finding.new","data":{"title":"}{ \\"\\\\","list":[{"a":[]}]}}}`;
    const body = one.repeat(20_000);
    for (const headers of [{}, { 'content-encoding': 'gzip' }]) {
      const sent = 'content-encoding' in headers ? new Uint8Array(gzipSync(body)) : body;
      const response = await fetch(`${url}/services/collector/event`, {
        method: 'POST',
        body: sent,
        headers,
      });
      expect(await response.json()).toEqual({ text: 'Success', code: 0 });
    }
    await fetch(`${url}/services/collector/event`, { method: 'POST', body: `${one}{"event":` });
    expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({
      requests: 3,
      events: 40_001,
      broken: 1,
    });
  } finally {
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(0);
  }
});
