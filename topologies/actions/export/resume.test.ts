// Exports that stop on their way: the next attempt sends what is left, those refused again, and nothing that was delivered.
import { describe, expect, it } from 'vitest';
import type { Outcome, Progress } from '../../domain/action/outcome.ts';
import { createRangeSet } from '../../domain/sink/range-set.ts';
import { SyslogFailure } from '../../ports/syslog.ts';
import { librelp, messagesOf } from '../../sinks/syslog/kit.ts';
import { contextFor, type Fakes, fakes, overTime } from '../../testing/action-fakes.ts';
import { httpConnection, rowsCommand, syslogConnection } from '../../testing/fixtures.ts';
import { exportAction } from './execute.ts';
import type { ExportParams } from './params.ts';
import { deliveredOf, progressOf } from './progress.ts';

// Splunk docs, "Troubleshoot HTTP Event Collector": codes 0, 6 and 9.
const success = { status: 200, body: '{"text":"Success","code":0}' };
const busy = { status: 503, body: '{"text":"Server is busy","code":9}' };
const splunkd = { server: 'Splunkd' };

/** Attempts of one command: each knows what the last note of those before it says. */
function attempts(
  rows: readonly Record<string, unknown>[],
  params: ExportParams = { sink: 'splunk-hec' },
  connection = httpConnection({}, { token: 'a-token' }) as Parameters<
    typeof exportAction.execute
  >[1]['connection'],
) {
  const command = rowsCommand([...rows], { type: 'export', params: { ...params } });
  const notes: Progress[] = [];
  return {
    command,
    notes,
    attempt(ports: Fakes): Promise<Outcome> {
      const progress = notes.at(-1);
      const context = contextFor(exportAction, ports, {
        connection,
        ...(progress === undefined ? {} : { progress }),
        note: async (noted) => void notes.push(structuredClone(noted)),
      });
      return overTime(exportAction.execute(command, context), ports.clock);
    },
  };
}

const small = [0, 1, 2, 3].map((n) => ({ n }));
/** Two of them are one request. */
const large = small.map((row) => ({ ...row, big: 'x'.repeat(400_000) }));

const numbers = (ports: Fakes): number[][] =>
  ports.http.requests.map(({ body }) =>
    (
      JSON.parse(`[${String(body).replaceAll('}{"time"', '},{"time"')}]`) as {
        event: { data: { n: number } };
      }[]
    ).map(({ event }) => event.data.n),
  );

describe('A17: duplicates after retry, Splunk', () => {
  it('503 in the middle: the requests that were taken are not sent again, and nothing is in doubt', async () => {
    const { attempt, notes } = attempts(large);
    const first = fakes(busy);
    first.http.answer(success);
    const outcome = await attempt(first);
    expect(outcome).toMatchObject({
      code: 'http_5xx',
      retry: 'backoff',
      output: { sink: 'splunk-hec', records: 2 },
    });
    expect(outcome).not.toHaveProperty('uncertain');
    expect([numbers(first), notes]).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [{ delivered: [[0, 2]] }],
    ]);
    const second = fakes(success);
    expect(await attempt(second)).toEqual({
      status: 'done',
      output: { sink: 'splunk-hec', records: 4 },
    });
    expect(numbers(second)).toEqual([[2, 3]]);
  });

  it('503, code 9, with the number of the first event that was not stored', async () => {
    const { attempt } = attempts(small);
    const first = fakes({
      status: 503,
      body: '{"text":"Server is busy","code":9,"invalid-event-number":3}',
      headers: splunkd,
    });
    expect(await attempt(first)).toMatchObject({ code: 'http_5xx', output: { records: 3 } });
    const second = fakes(success);
    await attempt(second);
    expect(numbers(second)).toEqual([[3]]);
  });

  it('one that was refused is tried again with what is left, and is a letter in the end', async () => {
    const { attempt, command, notes } = attempts(small);
    const refusal = (n: number) => ({
      status: 400,
      body: `{"text":"Invalid data format","code":6,"invalid-event-number":${n}}`,
      headers: splunkd,
    });
    const first = fakes(busy);
    first.http.answer(refusal(1));
    await attempt(first);
    expect([numbers(first), notes]).toEqual([
      [
        [0, 1, 2, 3],
        [2, 3],
      ],
      [{ delivered: [[0, 1]] }],
    ]);
    const second = fakes(success);
    second.http.answer(refusal(0));
    expect(await attempt(second)).toMatchObject({
      status: 'done',
      output: { records: 3 },
      undelivered: [{ to: `${command.command_id}-1`, code: 'bad_response' }],
    });
    expect(numbers(second)).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
  });

  it('all that is left is refused: a letter for each, since the others are there', async () => {
    const { attempt } = attempts(large);
    const first = fakes(busy);
    first.http.answer(success);
    await attempt(first);
    const second = fakes({ status: 400, body: '{"text":"Invalid data format","code":6}' });
    expect(await attempt(second)).toMatchObject({
      status: 'done',
      output: { records: 2 },
      undelivered: [{ to: expect.stringMatching(/-2$/) }, { to: expect.stringMatching(/-3$/) }],
    });
  });

  it('what was taken is noted before anything else is sent, so that a worker may die at any moment', async () => {
    const { attempt, notes } = attempts(large);
    const ports = fakes(success);
    const { send } = ports.http;
    const known: number[] = [];
    Object.assign(ports.http, {
      send: (...given: Parameters<typeof send>) => {
        known.push(notes.length);
        return send(...given);
      },
    });
    await attempt(ports);
    expect(known).toEqual([0, 1]);
  });

  it('one request is noted by nobody: its end says it', async () => {
    const { attempt, notes } = attempts(small);
    await attempt(fakes(success));
    expect(notes).toEqual([]);
  });

  it('where no attempt would know what was delivered, it is in doubt', async () => {
    const { command } = attempts(large);
    const ports = fakes(busy);
    ports.http.answer(success);
    const connection = httpConnection({}, { token: 'a-token' });
    const outcome = await exportAction.execute(command, contextFor(exportAction, ports, { connection }));
    expect(outcome).toMatchObject({ code: 'http_5xx', uncertain: true });
  });
});

describe('A17: duplicates after retry, syslog', () => {
  const ids = (messages: readonly string[]): number[] =>
    messages.map((message) => Number(/externalId=\S+-(\d+) /.exec(message)?.[1]));
  /** More than one connection carries. */
  const many = Array.from({ length: 4_000 }, (_, n) => ({ n, title: 't'.repeat(200) }));

  it('over TLS what was proved is not sent again; a connection that was never made leaves no doubt', async () => {
    const { attempt, notes } = attempts(many, { sink: 'syslog' }, syslogConnection());
    const first = fakes();
    const { connect } = first.syslog;
    let connections = 0;
    Object.assign(first.syslog, {
      connect: async (...given: Parameters<typeof connect>) => {
        connections += 1;
        if (connections > 1) throw new SyslogFailure('connect', 'nobody listens');
        return connect(...given);
      },
    });
    const outcome = await attempt(first);
    expect(outcome).toMatchObject({ code: 'connect', retry: 'backoff' });
    expect(outcome).not.toHaveProperty('uncertain');
    const [{ received }] = first.syslog.connections as [(typeof first.syslog.connections)[0]];
    const proved = ids(messagesOf(received()));
    expect(notes).toEqual([{ delivered: [[0, proved.length]] }]);
    const second = fakes();
    expect(await attempt(second)).toMatchObject({ status: 'done', output: { records: 4_000 } });
    const rest = second.syslog.connections.flatMap((each) => ids(messagesOf(each.received())));
    expect(rest).toEqual(many.map(({ n }) => n).slice(proved.length));
  });

  it('over RELP what was answered is not sent again, and what was sent without an answer is in doubt', async () => {
    const { attempt, notes } = attempts(small, { sink: 'syslog' }, syslogConnection({ protocol: 'relp' }));
    const first = fakes();
    let answered = 0;
    librelp(first.syslog, () => {
      answered += 1;
      if (answered < 3) return '200 OK';
      first.syslog.connections[0]?.break();
      return null;
    });
    expect(await attempt(first)).toMatchObject({ code: 'reset', uncertain: true, output: { records: 2 } });
    expect(notes).toEqual([{ delivered: [[0, 2]] }]);
    const second = fakes();
    const taken: string[] = [];
    librelp(second.syslog, (message) => {
      taken.push(message);
      return '200 OK';
    });
    expect(await attempt(second)).toMatchObject({ status: 'done', output: { records: 4 } });
    expect(ids(taken.filter((message) => message.includes('externalId=')))).toEqual([2, 3]);
  });

  it('over UDP datagrams that left are not sent again', async () => {
    const { attempt } = attempts(small, { sink: 'syslog' }, syslogConnection({ protocol: 'udp' }));
    const first = fakes();
    const { datagrams } = first.syslog;
    Object.assign(first.syslog, {
      datagrams: async (...given: Parameters<typeof datagrams>) => {
        const socket = await datagrams(...given);
        return {
          ...socket,
          send(bytes: Buffer) {
            if (first.syslog.datagramsSent.length === 3)
              first.syslog.failure = new SyslogFailure('reset', 'no route');
            return socket.send(bytes);
          },
        };
      },
    });
    await attempt(first);
    const second = fakes();
    await attempt(second);
    expect([first, second].map(({ syslog }) => syslog.datagramsSent.length)).toEqual([3, 1]);
  });
});

describe('a note', () => {
  it.each<Progress>([
    {},
    { delivered: 3 },
    { delivered: [[0, 2], [3]] },
    { delivered: [[2, 1]] },
    { delivered: [[-1, 2]] },
    { delivered: [[0, 0.5]] },
    { delivered: [[0, 5]] },
    { delivered: [['0', '2']] },
  ])('%j is none: everything is sent', (progress) => {
    expect(deliveredOf(progress, 4).size).toBe(0);
  });

  it('comes back as it was, and stays small: what it has no room for is sent again', () => {
    const delivered = createRangeSet();
    for (let n = 0; n < 3_000; n += 2) delivered.add(n, n + 1);
    const progress = progressOf(delivered, 3_000);
    expect(JSON.stringify(progress).length).toBeLessThan(16_384);
    const read = deliveredOf(progress, 3_000);
    expect([read.size, read.has(998), read.has(999), read.has(1_000)]).toEqual([500, true, false, false]);
  });
});
