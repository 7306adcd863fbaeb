// Who gets a mail and which headers it may have: nothing that a value or a configuration says adds a recipient.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { fakes } from '../../testing/action-fakes.ts';
import { eventCommand, smtpConnection } from '../../testing/fixtures.ts';
import { email } from './execute.ts';
import { check, data, send } from './fixtures/send.ts';

describe('email: recipients', () => {
  it('C5: takes a list or a text with commas, drops duplicates, and makes domains ASCII', async () => {
    const { message } = await send({ to: 'a@example.com, b@Bücher.Example ,A@EXAMPLE.com,' });
    expect(message.envelope).toEqual({
      from: 'tocsin@example.com',
      to: ['a@example.com', 'b@xn--bcher-kva.example'],
    });
    expect(
      (await send({ to: ['{{data.m}}', 'c@x.example'] }, data({ m: "o'neil+x@x.example" }))).message.to,
    ).toEqual(["o'neil+x@x.example", 'c@x.example']);
  });

  it.each([
    'b@x.example\r\nBcc: evil@y.example',
    'b@x.example, evil@y.example',
    'b@x.example;evil@y.example',
    '"evil@y.example x"@internal.example',
    '<@a.example,@b.example:u@x.example>',
    'friends: a@x.example;',
    'a(comment)@x.example',
    'Bob <b@x.example>',
    'b@[127.0.0.1]',
    'b@127.0.0.1',
    'b@x_y.example',
    'b@-x.example',
    'b@x..example',
    '.b@x.example',
    'b@x@y.example',
    'ü@x.example',
    'b@x.example\u0000',
    `${'('.repeat(100_000)}@x.example`,
    `${'a'.repeat(65)}@x.example`,
    `a@${'b.'.repeat(160)}example`,
    'b',
    '@x.example',
  ])('C5: M01 M03 M04 T11 T13 refuses the address %#', async (address) => {
    const ports = fakes();
    const started = performance.now();
    const { outcome } = await send({ to: ['ok@x.example', '{{data.m}}'] }, data({ m: address }), { ports });
    expect(performance.now() - started).toBeLessThan(500);
    expect(outcome).toMatchObject({ status: 'failed', code: 'invalid_recipient', retry: 'never' });
    expect(ports.mail.sent).toEqual([]);
    expect(check({ to: [address.slice(0, 1024)] })).toEqual(['/to/0']);
  });

  it('C5: refuses nobody, too many, and people outside the allowed domains', async () => {
    expect(check({ to: ' , ' })).toEqual(['/to']);
    expect(check({ to: Array.from({ length: 101 }, (_, i) => `u${i}@x.example`).join(',') })).toEqual([
      '/to',
    ]);
    expect((await send({ to: '{{data.none}}' })).outcome).toMatchObject({ code: 'invalid_recipient' });
    const connection = smtpConnection({ allowed_domains: ['Example.com', 'bücher.example'] });
    expect(
      (await send({ to: 'a@example.com,b@xn--bcher-kva.example' }, eventCommand(), { connection })).outcome
        .status,
    ).toBe('done');
    for (const to of ['a@sub.example.com', 'a@example.com.evil.example', 'a@evilexample.com'])
      expect((await send({ to }, eventCommand(), { connection })).outcome, to).toMatchObject({
        code: 'invalid_recipient',
      });
  });

  it('C5: leaves out an entry that renders empty, and says so', async () => {
    const { message, outcome } = await send({ to: ['{{data.none}}', 'a@x.example'] });
    expect(message.to).toEqual(['a@x.example']);
    expect(outcome).toMatchObject({ warnings: ['to: {{data.none}} has no value and was left empty'] });
  });
});

describe('email: reserved headers', () => {
  const reserved = [
    'Return-Path',
    'Received',
    'Resent-Date',
    'Resent-From',
    'Resent-Sender',
    'Resent-To',
    'Resent-Cc',
    'Resent-Bcc',
    'Resent-Message-Id',
    'Resent-Message-ID',
    'Date',
    'From',
    'Sender',
    'Reply-To',
    'To',
    'Message-Id',
    'In-Reply-T',
    'In-Reply-To',
    'References',
    'Subject',
    'Errors-To',
    'MIME-Version',
    'Content-Type',
    'Content-Transfer-Encoding',
    'Content-MD5',
    'Content-Length',
    'Received-SPF',
    'Cc',
    'Bcc',
    'Content-Disposition',
    'Content-Id',
    'DKIM-Signature',
    'ARC-Seal',
    'Authentication-Results',
    'Disposition-Notification-To',
    'List-Unsubscribe',
    'Return-Receipt-To',
    'Auto-Submitted',
  ];
  it.each(reserved.flatMap((name) => [name, name.toUpperCase(), name.toLowerCase()]))(
    'T11 M02 refuses %s',
    async (name) => {
      expect(check({ headers: [{ name, values: ['x'] }] })).toEqual(['/headers/0/name']);
      expect((await send({ headers: [{ name, values: ['x'] }] })).outcome).toMatchObject({
        code: 'invalid_params',
        retry: 'never',
      });
      const viaToken = await send({ headers: [{ name: '{{data.n}}', values: ['x'] }] }, data({ n: name }));
      expect(viaToken.outcome).toMatchObject({ code: 'reserved_header', retry: 'never' });
      expect(viaToken.messages).toEqual([]);
    },
  );

  it.each([
    'Sub ject',
    'Bcc:',
    'Bcc: x',
    ' To',
    'X-A: 1\r\nY',
    'B\u0000cc',
    'X Y',
    'Ünder',
    'X-A\t',
    '{{#a}}',
  ])('C14: T11 refuses the name %j', (name) => {
    expect(check({ headers: [{ name, values: ['x'] }] })).toEqual(['/headers/0/name']);
  });

  it('C14: says that a stripped name is the reserved one', () => {
    expect(
      checkParams(email, { to: 'a@x.example', subject: 'x', headers: [{ name: 'Sub ject', values: ['x'] }] }),
    ).toEqual([{ path: '/headers/0/name', message: 'the header "Sub ject" is reserved' }]);
  });

  it('C15: sends one line for every value, keeps each on its line, and leaves out empty ones', async () => {
    const headers = [{ name: 'X-Tag', values: ['a', '{{data.t}}', ''] }];
    const { message, outcome } = await send({ headers }, data({ t: 'b\r\nBcc: evil@y.example' }));
    expect(message.headers).toEqual([
      ['Auto-Submitted', 'auto-generated'],
      ['X-Tag', 'a'],
      ['X-Tag', 'b Bcc: evil@y.example'],
    ]);
    expect(outcome).toMatchObject({ warnings: ['header X-Tag: an empty value was left out'] });
    expect(check({ headers: [{ name: 'X-Tag', values: ['a\r\nb'] }] })).toEqual(['/headers/0/values/0']);
    expect(check({ headers: [{ name: 'X-Tag', values: Array.from({ length: 100 }, () => 'v') }] })).toEqual(
      [],
    );
  });
});
