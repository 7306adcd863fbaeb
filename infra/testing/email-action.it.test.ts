// The e-mail action through the real mailer to a real SMTP server; what arrives is read by an independent MIME parser.

import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createMailer } from '@tocsin/adapters/smtp/mailer.ts';
import type { Command, SmtpConnection } from '@tocsin/schemas/types.ts';
import { email } from '@tocsin/topologies/actions/email/execute.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { fakeEffects } from '@tocsin/topologies/ports/fakes/effects.ts';
import { fakeLog } from '@tocsin/topologies/ports/fakes/log.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { createTimers } from '@tocsin/topologies/run/fold/timers.ts';
import { createOutbox } from '@tocsin/topologies/run/outbox.ts';
import { createPerformer } from '@tocsin/topologies/run/perform.ts';
import { fakeAssignment, fakeBatch } from '@tocsin/topologies/testing/assignments.ts';
import { eventCommand, rowsCommand, smtpConnection } from '@tocsin/topologies/testing/fixtures.ts';
import { commandTopic, topics } from '@tocsin/topologies/topics.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { type SmtpOptions, type SmtpReceiver, startSmtpReceiver } from './receivers/smtp.ts';

const mailer = createMailer();
const now = Date.UTC(2026, 3, 28, 12, 0, 1);
const open: SmtpReceiver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((receiver) => receiver.close()));
});

async function start(options: SmtpOptions = {}): Promise<SmtpReceiver> {
  const receiver = await startSmtpReceiver(options);
  open.push(receiver);
  return receiver;
}

function run(
  receiver: SmtpReceiver,
  params: Record<string, unknown>,
  command: Command,
  over: Partial<SmtpConnection> = {},
): Promise<Outcome> {
  return email.execute(
    { ...command, type: 'email', params: { to: 'a@example.com', subject: 'Subject', ...params } },
    {
      ports: { mail: mailer },
      connection: connectionTo(receiver, over),
      now,
      attempt: 1,
      signal: new AbortController().signal,
    },
  );
}

function connectionTo(receiver: SmtpReceiver, over: Partial<SmtpConnection> = {}) {
  return smtpConnection({
    host: '127.0.0.1',
    port: receiver.port,
    security: 'none',
    allow_cidrs: ['127.0.0.0/8'],
    timeout_ms: 5_000,
    from: 'Tocsin <tocsin@example.com>',
    reply_to: 'soc@example.com',
    ...over,
  });
}

describe('e-mail over SMTP', () => {
  it('arrives with subject, both parts, table, file, headers, id and date', async () => {
    const receiver = await start();
    const rows = [
      { host: 'a.example', 'source.ip': '192.0.2.1', note: '=cmd|"x"' },
      { host: 'b.example', user: '<script>alert(1)</script> Grüße 😀' },
    ];
    const outcome = await run(
      receiver,
      {
        to: 'a@example.com, b@bücher.example',
        subject: '{{search.name}} 😀 {{row_count}}',
        body: '<p>First: <b>{{source.ip}}</b></p><ul>{{#rows}}<li>{{host}} {{user}}</li>{{/rows}}</ul>',
        html: true,
        sign: 'SOC',
        enable_time: true,
        enable_table: true,
        send_file: true,
        file_name: '../{{search.name}}',
        headers: [{ name: 'X-Tag', values: ['one', '{{search.name}} 2'] }],
      },
      rowsCommand(rows),
    );
    expect(outcome).toMatchObject({ status: 'done', ref: '<0123456789abcdef0123456789abcdef@example.com>' });
    const [mail] = receiver.mails;
    expect(mail).toMatchObject({
      from: 'tocsin@example.com',
      to: ['a@example.com', 'b@bücher.example'],
    });
    // The server library shows domains in Unicode; what travels is ASCII.
    expect(mail?.raw.toString('latin1')).toContain('b@xn--bcher-kva.example');
    const { parsed } = mail!;
    expect(parsed).toMatchObject({
      subject: 'Failed logins 😀 2',
      messageId: '<0123456789abcdef0123456789abcdef@example.com>',
      from: { address: 'tocsin@example.com', name: 'Tocsin' },
      replyTo: [{ address: 'soc@example.com' }],
    });
    expect(new Date(parsed.date ?? '').getTime()).toBe(now);
    expect(parsed.headers.filter(({ key }) => key === 'x-tag').map(({ value }) => value)).toEqual([
      'one',
      'Failed logins 2',
    ]);
    expect(parsed.headers.find(({ key }) => key === 'auto-submitted')?.value).toBe('auto-generated');
    expect(parsed.html).not.toContain('<script');
    expect(parsed.html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; Grüße 😀');
    const text = parsed.text?.replaceAll('\r\n', '\n') ?? '';
    expect(text).toContain('First: 192.0.2.1');
    expect(text).toContain('Sent at: 2026-04-28T12:00:01.000Z');
    expect(text).toContain('host       source.ip');
    expect(text).toContain('-- \nSOC');
    const [file] = parsed.attachments;
    expect(file).toMatchObject({ filename: 'Failed logins.csv', mimeType: 'text/csv' });
    expect(Buffer.from(file?.content as ArrayBuffer).toString('utf8')).toBe(
      'host,source.ip,note,user\r\na.example,192.0.2.1,"\'=cmd|""x""",\r\nb.example,,,<script>alert(1)</script> Grüße 😀\r\n',
    );
  });

  it('reaches nobody whom a value tries to add', async () => {
    const receiver = await start();
    const event = {
      event: 'x',
      data: { t: 'x\r\nBcc: evil@y.example\r\n\r\nbody', m: 'b@x.example, evil@y.example', n: 'Bcc' },
    };
    const command = eventCommand({ event });
    expect(await run(receiver, { to: ['a@example.com', '{{data.m}}'] }, command)).toMatchObject({
      code: 'invalid_recipient',
    });
    expect(
      await run(receiver, { headers: [{ name: '{{data.n}}', values: ['evil@y.example'] }] }, command),
    ).toMatchObject({ code: 'reserved_header' });
    expect(
      await run(receiver, { headers: [{ name: 'Bcc', values: ['evil@y.example'] }] }, command),
    ).toMatchObject({ code: 'invalid_params' });
    expect(receiver.mails).toEqual([]);
    await run(
      receiver,
      { subject: '{{data.t}}', headers: [{ name: 'X-T', values: ['{{data.t}}'] }] },
      command,
    );
    expect(receiver.mails.map(({ to }) => to)).toEqual([['a@example.com']]);
    expect(receiver.mails[0]?.parsed.headers.filter(({ key }) => key === 'bcc')).toEqual([]);
  });

  it('merges: one message for each recipient, ids constant over attempts', async () => {
    const receiver = await start();
    const rows = [
      { owner: 'ann@x.example', host: 'h1' },
      { owner: 'bob@x.example', host: 'h2' },
      { owner: 'ann@x.example', host: 'h3' },
    ];
    const params = { to: '{{owner}}', body: '{{host}}', merge: true };
    expect(await run(receiver, params, rowsCommand(rows))).toMatchObject({ status: 'done' });
    await run(receiver, params, rowsCommand(rows));
    const seen = receiver.mails.map(({ to, parsed }) => [to, parsed.text?.trim().replaceAll('\r\n', '\n')]);
    expect(seen.slice(0, 2)).toEqual([
      [['ann@x.example'], 'h1\n\nh3'],
      [['bob@x.example'], 'h2'],
    ]);
    const ids = receiver.mails.map(({ parsed }) => parsed.messageId);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
    expect(ids[0]).not.toBe(ids[1]);
  });

  it('tries again when nobody listens', async () => {
    const receiver = await start();
    await receiver.close();
    open.length = 0;
    expect(await run(receiver, {}, eventCommand())).toMatchObject({
      status: 'failed',
      code: 'connect',
      retry: 'backoff',
    });
  });

  it('does not reach a server that the policy refuses', async () => {
    const receiver = await start();
    expect(await run(receiver, {}, eventCommand(), { allow_cidrs: [] })).toMatchObject({
      status: 'failed',
      code: 'denied',
      retry: 'never',
    });
    expect(receiver.mails).toEqual([]);
  });

  it('M09 some recipients refused: the others get it once, each refused one is a dead letter', async () => {
    const receiver = await start();
    receiver.always({
      onRecipient: {
        'b@example.com': { code: 550, text: '5.1.1 no such user' },
        'd@example.com': { code: 452, text: '4.2.2 mailbox full' },
      },
    });
    const command: Command = {
      ...eventCommand(),
      type: 'email',
      connection: 'mail',
      params: { to: 'a@example.com, b@example.com, c@example.com, d@example.com', subject: 'Subject' },
    };
    const sent = await perform(receiver, command);
    expect(receiver.mails.map(({ to }) => to)).toEqual([['a@example.com', 'c@example.com']]);
    const [result] = sent.filter(({ topic }) => topic === topics.results.name);
    expect(JSON.parse(String(result?.value))).toMatchObject({
      status: 'succeeded',
      final: true,
      warnings: [
        'not delivered to b@example.com: the server answered 550 5.1.1 no such user',
        'not delivered to d@example.com: the server answered 452 4.2.2 mailbox full',
      ],
    });
    const letters = sent.filter(({ topic }) => topic === topics.deadLetters.name);
    expect(
      letters.map(({ headers }) => Object.fromEntries((headers ?? []).map(([k, v]) => [k, String(v)]))),
    ).toMatchObject([
      {
        'x-dlq-reason': 'smtp_permanent',
        'x-dlq-part': 'b@example.com',
        'x-dlq-error': 'not delivered to b@example.com: the server answered 550 5.1.1 no such user',
        'x-dlq-command-id': command.command_id,
      },
      { 'x-dlq-reason': 'smtp_transient', 'x-dlq-part': 'd@example.com' },
    ]);
    for (const letter of letters) expect(String(letter.value)).toBe(JSON.stringify(command));
  });

  it('all recipients refused: one dead letter for the command', async () => {
    const receiver = await start();
    receiver.always({ onRecipient: { code: 550, text: '5.1.1 no such user' } });
    const params = { to: 'a@example.com, b@example.com', subject: 'Subject' };
    const sent = await perform(receiver, { ...eventCommand(), type: 'email', connection: 'mail', params });
    const letters = sent.filter(({ topic }) => topic === topics.deadLetters.name);
    expect(letters.map(({ headers }) => headers?.find(([name]) => name === 'x-dlq-reason')?.[1])).toEqual([
      'smtp_permanent',
    ]);
    expect(letters[0]?.headers?.some(([name]) => name === 'x-dlq-part')).toBe(false);
  });
});

/** Runs one command through the worker's own path; what it wrote to the log when its offset was complete. */
async function perform(receiver: SmtpReceiver, command: Command): Promise<OutRecord[]> {
  const sent: OutRecord[] = [];
  const stop = new AbortController();
  const logger = fakeLogger();
  const producer = {
    send: async (records: readonly OutRecord[]) => void sent.push(...records),
    close: async () => undefined,
  };
  const { topic } = commandBatch(command);
  const assignment = fakeAssignment(topic);
  const common = {
    service: 'actions/email',
    outbox: createOutbox({ producer, clock: systemClock, logger }),
    clock: systemClock,
    metrics: fakeMetrics(),
    logger,
    signal: stop.signal,
    onFailure: (error: Error) => {
      throw error;
    },
  };
  const client = fakeLog({ clock: systemClock, topics: { [topics.timers.name]: 1 } });
  const handler = createPerformer({
    ...common,
    action: email,
    ports: { mail: mailer },
    effects: fakeEffects(),
    timers: createTimers({ ...common, client, input: topic }),
    connection: async () => connectionTo(receiver),
    laneSettings: () => ({ concurrency: 1, ratePerSecond: null }),
  });
  await handler.onBatch(commandBatch(command), assignment);
  await expect.poll(() => assignment.completed, { timeout: 10_000 }).toEqual([[0, 1]]);
  stop.abort();
  return sent;
}

function commandBatch(command: Command) {
  return fakeBatch(commandTopic('email').name, [{ value: JSON.stringify(command) }]);
}
