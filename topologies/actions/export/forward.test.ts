// Exports over the wire: messages as independent parsers read them, partial refusals, lost connections, and what a dry run shows.
import parseSyslog from 'nsyslog-parser';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../domain/action/outcome.ts';
import { SyslogFailure, type SyslogFailureClass } from '../../ports/syslog.ts';
import { librelp, messagesOf } from '../../sinks/syslog/kit.ts';
import { contextFor, contractNow, type Fakes, fakes, overTime } from '../../testing/action-fakes.ts';
import {
  eventCommand,
  findingNew,
  httpConnection,
  rowsCommand,
  syslogConnection,
} from '../../testing/fixtures.ts';
import { exportAction } from './execute.ts';
import type { ExportParams } from './params.ts';

const accepted = '{"text":"Success","code":0}';
const hec = httpConnection({}, { token: 'a-token' });
const rows = [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }];

const run = (
  command = eventCommand(),
  params: Partial<ExportParams> = {},
  ports: Fakes = fakes({ status: 200, body: accepted }),
  connection = hec as Parameters<typeof exportAction.execute>[1]['connection'],
): Promise<Outcome> => {
  const given = { ...command, type: 'export', params: { sink: 'splunk-hec', ...params } };
  const outcome = exportAction.execute(given, contextFor(exportAction, ports, { connection }));
  return overTime(outcome, ports.clock);
};

/** Envelopes of each request; they stand one behind the other, as HEC takes them. */
const envelopes = (ports: Fakes): { event: { data: { n?: number } } }[][] =>
  ports.http.requests.map(({ body }) => JSON.parse(`[${String(body).replaceAll('}{"time"', '},{"time"')}]`));
const numbers = (ports: Fakes): unknown[][] =>
  envelopes(ports).map((request) => request.map(({ event }) => event.data.n));

describe('A17: Splunk', () => {
  it('gets the finding at its own time, with the ids, into the index', async () => {
    const ports = fakes({ status: 200, body: accepted });
    const outcome = await run(
      eventCommand(),
      { splunk: { index: 'security', sourcetype: 's4e:finding' } },
      ports,
    );
    expect(outcome).toMatchObject({ status: 'done', output: { sink: 'splunk-hec', records: 1 } });
    expect(ports.http.requests[0]?.url).toBe('https://siem.example.com:8088/services/collector/event');
    expect(ports.http.requests[0]?.headers).toContainEqual(['authorization', 'Splunk a-token']);
    expect(envelopes(ports)).toEqual([
      [
        {
          time: Date.parse(findingNew.timestamp) / 1000,
          source: 's4e',
          sourcetype: 's4e:finding',
          index: 'security',
          host: 'api.example.com',
          event: { ...findingNew, id: 'findings.v1/0/42', command_id: eventCommand().command_id },
        },
      ],
    ]);
  });

  it('gets rows in one request, and in several where they are large', async () => {
    const ports = fakes({ status: 200, body: accepted });
    await run(rowsCommand(rows), {}, ports);
    expect(numbers(ports)).toEqual([[0, 1, 2, 3]]);
    const large = rows.map((row) => ({ ...row, big: 'x'.repeat(400_000) }));
    const several = fakes({ status: 200, body: accepted });
    expect(await run(rowsCommand(large), {}, several)).toMatchObject({ output: { records: 4 } });
    expect(numbers(several)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  // "invalid-event-number" counts from 0; splunkd has stored what stands before it.
  it('refuses one record: that is a letter of its own, and the rest is sent, what is stored not again', async () => {
    const refusal = JSON.stringify({ text: 'Invalid data format', code: 6, 'invalid-event-number': 1 });
    const splunk = fakes({ status: 200, body: accepted });
    splunk.http.answer({ status: 400, body: refusal, headers: { server: 'Splunkd' } });
    expect(await run(rowsCommand(rows), {}, splunk)).toMatchObject({
      status: 'done',
      output: { records: 3 },
      undelivered: [{ to: `${rowsCommand(rows).command_id}-1`, code: 'bad_response' }],
    });
    expect(numbers(splunk)).toEqual([
      [0, 1, 2, 3],
      [2, 3],
    ]);
    const emulator = fakes({ status: 200, body: accepted });
    emulator.http.answer({ status: 400, body: refusal });
    await run(rowsCommand(rows), {}, emulator);
    expect(numbers(emulator)).toEqual([
      [0, 1, 2, 3],
      [0, 2, 3],
    ]);
  });

  it('does not say which record it refuses: it is found by halves', async () => {
    const ports = fakes({ status: 200, body: accepted });
    const bad = { status: 400, body: '{"text":"Invalid data format","code":6}' };
    ports.http.answer(bad, bad, { status: 200, body: accepted }, bad);
    const outcome = await run(rowsCommand(rows), {}, ports);
    expect(numbers(ports)).toEqual([[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]]);
    expect(outcome).toMatchObject({
      output: { records: 3 },
      undelivered: [{ to: expect.stringMatching(/-1$/) }],
    });
  });

  it('refuses all of it: the command fails with its status', async () => {
    const ports = fakes({ status: 400, body: '{"text":"Invalid data format","code":6}' });
    expect(await run(rowsCommand(rows), {}, ports)).toMatchObject({
      status: 'failed',
      code: 'http_4xx',
      retry: 'never',
      status_code: 400,
    });
  });

  it('is offered halves where a proxy takes no large body', async () => {
    const ports = fakes({ status: 200, body: accepted });
    ports.http.answer({ status: 413, body: '<html></html>' });
    expect(await run(rowsCommand(rows), {}, ports)).toMatchObject({ status: 'done', output: { records: 4 } });
    expect(numbers(ports)).toEqual([
      [0, 1, 2, 3],
      [0, 1],
      [2, 3],
    ]);
  });

  it.each([
    ['a login page', '<html></html>', 'backoff'],
    ['nothing', '', 'backoff'],
    ['another code', '{"text":"HEC is healthy","code":17}', 'backoff'],
  ])('200 with %s is no success', async (_, body, retry) => {
    expect(await run(eventCommand(), {}, fakes({ status: 200, body }))).toMatchObject({
      code: 'bad_response',
      retry,
      status_code: 200,
    });
  });

  it('an index that the token may not use fails and holds nobody else', async () => {
    const ports = fakes({
      status: 400,
      body: '{"text":"Incorrect index","code":7,"invalid-event-number":1}',
    });
    expect(await run(rowsCommand(rows), {}, ports)).toMatchObject({
      code: 'http_4xx',
      retry: 'never',
      detail: expect.stringContaining('Incorrect index'),
    });
    expect(ports.http.requests).toHaveLength(1);
  });

  it('A25b: a token that is missing or none pauses, whatever comes of the connection', async () => {
    for (const token of [{}, { token: 'a b' }])
      expect(await run(eventCommand(), {}, fakes(), httpConnection({}, token))).toMatchObject({
        code: 'secret',
        retry: 'pause',
      });
    expect(
      await run(eventCommand(), {}, fakes(), httpConnection({ protocol: 'http' }, { token: 'x' })),
    ).toMatchObject({
      code: 'unknown_connection',
      retry: 'pause',
      detail: expect.stringContaining('/allow_insecure'),
    });
  });

  it('too large and too deep records are letters of their own', async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 70; level += 1) deep = [deep];
    const ports = fakes({ status: 200, body: accepted });
    const outcome = await run(
      rowsCommand([{ n: 0 }, { n: 1, big: 'x'.repeat(2000) }, { n: 2, deep }]),
      { splunk: { max_event_bytes: 1024 } },
      ports,
    );
    expect(outcome).toMatchObject({
      output: { records: 1 },
      undelivered: [{ code: 'too_large' }, { code: 'invalid_body' }],
    });
    expect(numbers(ports)).toEqual([[0]]);
  });

  it('A25b: a dry run hides the credential, in whatever header it is', () => {
    const connection = httpConnection({ auth: { type: 'header', header: 'X-Own' } }, { token: 'a-token' });
    const command = { ...eventCommand(), type: 'export', params: { sink: 'splunk-hec' } };
    const text = JSON.stringify(exportAction.preview(command, { connection, now: contractNow }));
    expect(text).toContain('x-own');
    expect(text).not.toContain('a-token');
  });
});

describe('A17, A58: QRadar', () => {
  const over = (
    params: ExportParams['syslog'],
    command = eventCommand(),
    ports: Fakes = fakes(),
    connection = syslogConnection(),
  ): Promise<Outcome> =>
    run(command, { sink: 'syslog', ...(params ? { syslog: params } : {}) }, ports, connection);
  const messages = (ports: Fakes): string[] =>
    ports.syslog.connections.flatMap(({ received }) => messagesOf(received()));

  it('gets LEEF with the id of the command as an attribute', async () => {
    const ports = fakes();
    expect(
      await over({ format: 'leef', delimiter: '^', hostname: 'soc.example.com' }, eventCommand(), ports),
    ).toMatchObject({
      status: 'done',
      output: { records: 1 },
    });
    const [message = ''] = messages(ports);
    expect(message).toMatch(
      /^<130>1 2026-04-28T12:00:00\.000Z soc\.example\.com s4e - finding\.new - LEEF:2\.0\|/,
    );
    expect(parseSyslog(message)).toMatchObject({
      host: 'soc.example.com',
      fields: { commandId: eventCommand().command_id, sev: '9', externalId: 'findings.v1/0/42' },
    });
  });

  it('gets CEF with the id of the command under cs5, unless the parameters say otherwise', async () => {
    const ports = fakes();
    await over({ format: 'cef' }, eventCommand(), ports);
    await over({ fields: { cs5: null } }, eventCommand(), ports);
    const [with5 = '', without5 = ''] = messages(ports);
    expect(with5).toContain(`cs5Label=command_id cs5=${eventCommand().command_id}`);
    expect(with5).toContain(
      ' tocsin s4e - finding.new - CEF:0|S4E|Platform|2.4.0|finding.new|New finding|9|',
    );
    expect(without5).not.toContain('cs5');
  });

  it('gets structured data and JSON too', async () => {
    const ports = fakes();
    await over({ format: 'rfc5424' }, eventCommand(), ports);
    await over({ format: 'json', header: 'none' }, eventCommand(), ports);
    const [sd = '', json = ''] = messages(ports);
    expect(sd).toContain(` command_id="${eventCommand().command_id}"`);
    expect(JSON.parse(json)).toMatchObject({ ...findingNew, command_id: eventCommand().command_id });
  });

  it('gets one message for each row, over one connection', async () => {
    const ports = fakes();
    await over({}, rowsCommand(rows), ports);
    expect(ports.syslog.connections).toHaveLength(1);
    expect(messages(ports).map((message) => /externalId=(\S+)/.exec(message)?.[1])).toEqual(
      rows.map((_, n) => `${eventCommand().command_id}-${n}`),
    );
  });

  it('over UDP gets a datagram for each row', async () => {
    const ports = fakes();
    await over({}, rowsCommand(rows), ports, syslogConnection({ protocol: 'udp' }));
    expect(ports.syslog.datagramsSent).toHaveLength(4);
  });

  it('over RELP refuses one message: that is a letter of its own, and the others are sent', async () => {
    const ports = fakes();
    const stored: string[] = [];
    librelp(ports.syslog, (message) => {
      if (message.includes('-1 ')) return '500 no';
      if (message.includes('externalId=')) stored.push(message);
      return '200 OK';
    });
    const outcome = await over({}, rowsCommand(rows), ports, syslogConnection({ protocol: 'relp' }));
    expect(outcome).toMatchObject({
      status: 'done',
      output: { records: 3 },
      undelivered: [
        { to: expect.stringMatching(/-1$/), code: 'bad_response', detail: expect.stringContaining('500 no') },
      ],
    });
    const ids = stored.map((message) => /externalId=\S+-(\d) /.exec(message)?.[1]);
    expect([...new Set(ids)].sort()).toEqual(['0', '2', '3']);
    expect(ids.filter((id) => id === '0')).toHaveLength(1);
  });

  it('does not end its side: nothing is proved, and the command is tried again', async () => {
    const ports = fakes();
    ports.syslog.polite = false;
    expect(await over({}, eventCommand(), ports, syslogConnection({ timeout_ms: 1000 }))).toMatchObject({
      status: 'failed',
      code: 'timeout',
      retry: 'backoff',
      uncertain: true,
    });
    expect(ports.syslog.connections).toHaveLength(1);
  });

  it('breaks the connection: one attempt is one connection', async () => {
    const ports = fakes();
    ports.syslog.onWrite = (connection) => connection.break();
    expect(await over({}, eventCommand(), ports)).toMatchObject({
      code: 'reset',
      retry: 'backoff',
      uncertain: true,
    });
    expect(ports.syslog.connections).toHaveLength(1);
  });

  it.each<[SyslogFailureClass, string, string]>([
    ['denied', 'denied', 'never'],
    ['dns', 'dns', 'backoff'],
    ['connect', 'connect', 'backoff'],
    ['tls', 'tls', 'pause'],
    ['timeout', 'timeout', 'backoff'],
    ['ended', 'reset', 'backoff'],
    ['protocol', 'protocol', 'backoff'],
  ])('no connection: %s', async (failure, code, retry) => {
    for (const protocol of ['tls', 'udp'] as const) {
      const ports = fakes();
      ports.syslog.failure = new SyslogFailure(failure, 'no');
      const outcome = await over({}, eventCommand(), ports, syslogConnection({ protocol }));
      expect(outcome).toMatchObject({ status: 'failed', code, retry });
      expect(outcome).not.toHaveProperty('uncertain');
    }
  });

  it('an attempt that is over lets go of the connection', async () => {
    const ports = fakes();
    ports.syslog.polite = false;
    const stop = new AbortController();
    const command = { ...eventCommand(), type: 'export', params: { sink: 'syslog' } };
    const context = contextFor(exportAction, ports, { connection: syslogConnection(), signal: stop.signal });
    const outcome = exportAction.execute(command, context);
    await ports.clock.advance(500);
    stop.abort();
    expect(await outcome).toMatchObject({ code: 'aborted', retry: 'backoff', uncertain: true });
    expect(ports.syslog.connections.every(({ isOver }) => isOver())).toBe(true);
  });

  it('a message that is too long is shortened, and the result says so', async () => {
    const ports = fakes();
    const command = eventCommand({
      event: { ...findingNew, data: { ...findingNew.data, title: 'x'.repeat(1000) } },
    });
    expect(await over({ max_message_bytes: 600 }, command, ports)).toMatchObject({
      status: 'done',
      warnings: ['1 messages were shortened to fit'],
    });
    expect(Buffer.byteLength(messages(ports)[0] ?? '')).toBeLessThanOrEqual(600);
  });

  it('limits that leave no room for a message are refused before anything is sent', async () => {
    const ports = fakes();
    const vendor = 'v'.repeat(63);
    const params = { max_message_bytes: 480, vendor, hostname: 'h'.repeat(255), product: vendor };
    expect(await over(params, eventCommand(), ports)).toMatchObject({
      code: 'invalid_params',
      retry: 'never',
    });
    expect(ports.syslog.targets).toEqual([]);
  });

  it('a dry run shows the messages without their framing', async () => {
    const ports = fakes();
    await over({}, rowsCommand(rows), ports);
    const command = { ...rowsCommand(rows), type: 'export', params: { sink: 'syslog' } };
    for (const framing of ['octet-counting', 'lf'] as const)
      expect(
        exportAction.preview(command, { connection: syslogConnection({ framing }), now: contractNow }),
      ).toMatchObject({
        output: {
          host: 'siem.example.com',
          port: 6514,
          transport: 'stream over TLS',
          messages: messages(ports),
        },
      });
  });
});
