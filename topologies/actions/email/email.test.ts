import { describe, expect, it } from 'vitest';
import { MailFailure, type MailFailureClass } from '../../ports/mail.ts';
import { contractNow, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand, smtpConnection } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { safeFileName } from './content.ts';
import { email } from './execute.ts';
import { check, data, send } from './fixtures/send.ts';

contract(email, {
  folder: new URL('./', import.meta.url),
  params: {
    to: 'soc@example.com',
    subject: 'Host {{host}}',
    body: '{{host}}',
    headers: [{ name: 'X-Tag', values: ['{{host}}'] }],
  },
  missing: { to: 'soc@example.com', subject: 'x {{nowhere.to_be_found}}' },
  connection: smtpConnection({ username: 'tocsin' }),
  secrets: ['password'],
});

describe('email: content', () => {
  it('C6: M05 keeps the subject one line of at most 255 characters', async () => {
    const { message } = await send(
      { subject: 'a {{data.t}}' },
      data({ t: `x\r\nBcc: evil@y.example\u2028${'😀'.repeat(1000)}` }),
    );
    expect(message.subject).toMatch(/^a x Bcc: evil@y\.example 😀/);
    expect([...message.subject]).toHaveLength(255);
    const empty = await send({ subject: '{{data.none}}' });
    expect(empty.message.subject).toBe('Critical findings');
    expect(empty.outcome).toMatchObject({
      warnings: expect.arrayContaining([expect.stringContaining('subject: empty')]),
    });
  });

  it('C7, C8, C10, C11: is body, time, table, signature; the time is that of the attempt', async () => {
    const params = { body: 'Hello {{a}}', enable_time: true, enable_table: true, sign: 'SOC' };
    const command = rowsCommand([
      { a: 1, 'b.c': 'x' },
      { d: { e: 1 }, a: 22 },
    ]);
    const { message } = await send(params, command);
    expect(message.text).toBe(
      [
        'Hello 1',
        '',
        'Sent at: 2026-04-28T12:00:01.000Z',
        '',
        'a   b.c  d',
        '--  ---  -------',
        '1   x',
        '22       {"e":1}',
        '',
        '-- ',
        'SOC',
        '',
      ].join('\n'),
    );
    expect(message.html).toBeUndefined();
    const later = await send(params, command, { now: contractNow + 3_600_000 });
    expect(later.message.text).toContain('Sent at: 2026-04-28T13:00:01.000Z');
    expect(later.message.messageId).toBe(message.messageId);
  });

  it('C8: escapes tokens in HTML and generates the text part', async () => {
    const body = '<p title="{{data.t}}">Hi <b>{{data.t}}</b></p>';
    const t = '<script>alert(1)</script>" onx=\'';
    const { message } = await send({ body, html: true, sign: '<i>SOC</i>', enable_table: true }, data({ t }));
    expect(message.html).not.toMatch(/<script|onx=/);
    expect(message.html).toContain('<b>&lt;script&gt;alert(1)&lt;/script&gt;&quot; onx&#61;&#39;</b>');
    expect(message.text).toContain(`Hi ${t}`);
    expect(message.text).toContain('-- \nSOC');
  });

  it('C8: refuses HTML where escaping cannot hold a value', () => {
    for (const body of [
      '{{{raw}}}',
      '{{&raw}}',
      '<script>{{x}}</script>',
      '<style>{{x}}</style>',
      '<a href={{x}}>',
      '<{{x}}>',
      '<!-- {{x}} -->',
      '<a {{#x}}"{{/x}}>',
      '<p on{{x}}="">',
    ])
      expect(check({ body, html: true }), body).toEqual(['/body']);
    expect(check({ body: '{{{raw}}} <{{x}}>' })).toEqual([]);
    expect(check({ body: '<a href="{{x}}">{{y}}</a>', html: true })).toEqual([]);
    expect(check({ body: { path: '/etc/passwd' } })).toEqual(['/body']);
  });

  it('C7: turns an HTML signature of a text mail into text', async () => {
    expect((await send({ sign: '<b>SOC</b><br>Team' })).message.text).toContain('-- \nSOC\nTeam');
  });

  it('C12: M06 attaches the rows as CSV or JSON under a safe name', async () => {
    const rows = rowsCommand([{ a: '=1+1', b: -5 }, { c: 'x,"y"\nz' }]);
    const csv = (await send({ send_file: true, file_name: '../../{{a}}\r\nX: y' }, rows)).message
      .attachments[0];
    expect(csv?.filename).toBe('=1+1 X_ y.csv');
    expect(csv?.contentType).toBe('text/csv; charset=utf-8');
    expect(csv?.content.toString()).toBe('a,b,c\r\n\'=1+1,-5,\r\n,,"x,""y""\nz"\r\n');
    const json = (await send({ send_file: true, file_type: 'json' }, rows)).message.attachments[0];
    expect(JSON.parse(json?.content.toString() ?? '')).toEqual(rows.subject.rows);
    expect(json?.filename).toBe('results.json');
    expect(check({ file_type: 'xls' })).toEqual(['/file_type']);
  });

  it.each([
    ['../../x', 'x.csv'],
    ['a.csv\r\nX:', 'a.csv X_.csv'],
    ['a'.repeat(1024), `${'a'.repeat(90)}.csv`],
    ['', 'results.csv'],
    ['..', 'results.csv'],
    ['C:\\x\\report.CSV', 'C__x_report.csv'],
    ['\u202egpj.exe', 'gpj.exe.csv'],
  ])('makes the file name %# safe', (name, expected) => {
    expect(safeFileName(name, 'csv')).toBe(expected);
  });

  it('uses sender, reply address and Message-ID of connection and command', async () => {
    const connection = smtpConnection({
      from: 'Tocsin SOC <tocsin@example.com>',
      reply_to: 'soc@example.com',
      message_id_domain: 'Mail.Example.org',
    });
    const { message } = await send({}, eventCommand(), { connection });
    expect(message).toMatchObject({
      from: '"Tocsin SOC" <tocsin@example.com>',
      envelope: { from: 'tocsin@example.com' },
      replyTo: 'soc@example.com',
      messageId: '<0123456789abcdef0123456789abcdef@mail.example.org>',
      date: contractNow,
    });
    for (const over of [
      { from: 'a@x.example\r\nBcc: y@z.example' },
      { from: 'a, b@x.example' },
      { reply_to: 'x' },
      { message_id_domain: 'a b' },
    ])
      expect((await send({}, eventCommand(), { connection: smtpConnection(over) })).outcome).toMatchObject({
        code: 'invalid_params',
        retry: 'pause',
      });
  });
});

describe('email: merge', () => {
  const rows = [
    { owner: 'ann@x.example', host: 'h1' },
    { owner: 'bob@x.example', host: 'h2' },
    { owner: 'ann@x.example', host: 'h3' },
  ];
  const params = {
    to: '{{owner}}',
    subject: 'Hosts of {{owner}}',
    body: '{{host}}',
    merge: true,
    enable_table: true,
  };

  it('C13: sends each distinct recipient one message with the rows that name them', async () => {
    const { messages, outcome } = await send(params, rowsCommand(rows));
    expect(messages.map(({ to, subject, text }) => [to, subject, text.split('\n\n').slice(0, 2)])).toEqual([
      [['ann@x.example'], 'Hosts of ann@x.example', ['h1', 'h3']],
      [['bob@x.example'], 'Hosts of bob@x.example', ['h2', expect.stringContaining('owner')]],
    ]);
    expect(messages[0]?.text).not.toContain('h2');
    expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(2);
    expect(
      (await send(params, rowsCommand(rows), { now: contractNow + 1 })).messages.map(
        ({ messageId }) => messageId,
      ),
    ).toEqual(messages.map(({ messageId }) => messageId));
    expect(outcome.status).toBe('done');
  });

  it('C13: is one message for recipients that share all rows', async () => {
    const { messages } = await send({ ...params, to: 'a@x.example,b@x.example' }, rowsCommand(rows));
    expect(messages.map(({ to, messageId }) => [to, messageId])).toEqual([
      [['a@x.example', 'b@x.example'], '<0123456789abcdef0123456789abcdef@example.com>'],
    ]);
  });

  it('C13: yields to run once', async () => {
    const { messages } = await send({ ...params, is_once: true }, rowsCommand(rows));
    expect(messages.map(({ to, text }) => [to, text.split('\n')[0]])).toEqual([[['ann@x.example'], 'h1']]);
    const asked = await send(params, { ...rowsCommand(rows), run_once: true });
    expect(asked.messages.map(({ to }) => to)).toEqual([['ann@x.example']]);
    expect(email.modeOf?.({ merge: true })).toBe('all');
    expect(email.modeOf?.({ is_once: true })).toBe('all');
    expect(email.modeOf?.({})).toBeNull();
  });

  it('never repeats what was accepted: later failures are warnings, a first failure is a failure', async () => {
    const ports = fakes();
    ports.mail.reject('bob@x.example', 450);
    const partly = await send(params, rowsCommand(rows), { ports });
    expect(partly.outcome).toMatchObject({
      status: 'done',
      warnings: [expect.stringContaining('not delivered to bob@x.example')],
      output: { undelivered: [{ to: ['bob@x.example'], code: 'smtp_transient' }] },
      undelivered: [{ to: 'bob@x.example', code: 'smtp_transient' }],
    });
    const down = fakes();
    down.mail.fail(new MailFailure('connect', 'refused'));
    expect((await send(params, rowsCommand(rows), { ports: down })).outcome).toMatchObject({
      status: 'failed',
      code: 'connect',
      retry: 'backoff',
    });
    expect(down.mail.sent).toEqual([]);
  });
});

describe('email: answers of the server', () => {
  it.each<[MailFailureClass, number | undefined, string, unknown]>([
    ['denied', undefined, 'denied', 'never'],
    ['dns', undefined, 'dns', 'backoff'],
    ['connect', undefined, 'connect', 'backoff'],
    ['timeout', undefined, 'timeout', 'backoff'],
    ['tls', undefined, 'tls', 'pause'],
    ['auth', 535, 'smtp_auth', 'pause'],
    ['permanent', 530, 'smtp_auth', 'pause'],
    ['transient', 421, 'smtp_transient', 'backoff'],
    ['transient', 450, 'smtp_transient', 'backoff'],
    ['transient', 451, 'smtp_transient', { afterMs: 300_000 }],
    ['transient', 452, 'smtp_transient', 'backoff'],
    ['permanent', 550, 'smtp_permanent', 'never'],
    ['permanent', 552, 'too_large', 'never'],
    ['permanent', 554, 'smtp_permanent', 'never'],
    ['uncertain', undefined, 'uncertain', { afterMs: 900_000 }],
  ])('%s %s', async (failure, code, expected, retry) => {
    const ports = fakes();
    ports.mail.fail(new MailFailure(failure, 'as scripted', code === undefined ? {} : { code }));
    const { outcome } = await send({}, eventCommand(), { ports });
    expect(outcome).toMatchObject({ status: 'failed', code: expected, retry });
    expect('uncertain' in outcome).toBe(failure === 'uncertain');
  });

  it('A13: delivers to those who were accepted and names the others', async () => {
    const ports = fakes();
    ports.mail.reject('b@x.example', 550);
    const { outcome } = await send({ to: 'a@x.example,b@x.example,c@x.example' }, eventCommand(), { ports });
    expect(outcome).toMatchObject({
      status: 'done',
      ref: '<0123456789abcdef0123456789abcdef@example.com>',
      warnings: ['not delivered to b@x.example: the server answered 550 refused'],
      undelivered: [{ to: 'b@x.example', code: 'smtp_permanent' }],
      output: {
        messages: [
          { accepted: ['a@x.example', 'c@x.example'], rejected: [{ address: 'b@x.example', code: 550 }] },
        ],
      },
    });
  });

  it('A55: passes server, port, security and credential of the connection', async () => {
    const ports = fakes();
    const connection = smtpConnection(
      {
        username: 'u',
        security: 'tls',
        port: 465,
        timeout_ms: 7000,
        client_name: 'me',
        ca: 'CA',
        allow_cidrs: ['10.0.0.0/8'],
      },
      { password: 'p' },
    );
    await send({}, eventCommand(), { ports, connection });
    expect(ports.mail.sent[0]?.server).toEqual({
      host: 'mail.example.com',
      port: 465,
      security: 'tls',
      timeoutMs: 7000,
      auth: { user: 'u', password: 'p' },
      ca: 'CA',
      clientName: 'me',
      allowCidrs: ['10.0.0.0/8'],
    });
    expect(
      (await send({}, eventCommand(), { connection: smtpConnection({ username: 'u' }) })).outcome,
    ).toMatchObject({ code: 'secret', retry: 'pause' });
  });
});
