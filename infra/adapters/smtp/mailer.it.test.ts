// The mail port against a real SMTP server: what arrives, parsed by postal-mime; what is refused; TLS and credentials.
import type { MailMessage } from '@tocsin/topologies/ports/mail.ts';
import { describe, expect, it } from 'vitest';
import {
  authority,
  closeReceiversAfterEach,
  failureOf,
  mail,
  mailer,
  raw,
  serverAt,
  start,
} from './mailer-harness.ts';

closeReceiversAfterEach();

describe('a message', () => {
  it('arrives as it was meant: headers, parts, attachment, id and date', async () => {
    const receiver = await start();
    const content = Buffer.from([0, 1, 2, 255, 13, 10, 46, 13, 10]);
    const receipt = await mailer.send(
      serverAt(receiver, { clientName: 'tocsin.example' }),
      mail({
        envelope: { from: 'bounce@example.org', to: ['a@example.org', 'hidden@example.org'] },
        to: ['Ä Person <a@example.org>'],
        replyTo: 'reply@example.org',
        subject: 'Überraschung 🚨 ‮rtl',
        text: 'line one\n.\n..dots\nend é',
        html: '<p>é &amp; <b>x</b></p>',
        headers: [
          ['X-tocsin-ID', 'one'],
          ['x-MIXED-case', 'zwölf'],
          ['X-Long', 'word '.repeat(60).trim()],
        ],
        attachments: [{ filename: 'naïve "report".csv', contentType: 'text/csv', content }],
      }),
    );
    expect(receipt).toMatchObject({ accepted: ['a@example.org', 'hidden@example.org'], rejected: [] });
    expect(receipt.response).toMatch(/^250/);
    const [got] = receiver.mails;
    expect(got).toMatchObject({
      from: 'bounce@example.org',
      to: ['a@example.org', 'hidden@example.org'],
      secure: false,
      clientName: 'tocsin.example',
    });
    const { parsed } = got!;
    expect(parsed.subject).toBe('Überraschung 🚨 ‮rtl');
    expect(parsed.messageId).toBe('<c0ffee@example.org>');
    expect(new Date(parsed.date ?? '').getTime()).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(parsed.from).toMatchObject({ address: 'tocsin@example.org', name: 'Tocsin' });
    expect(parsed.to).toMatchObject([{ address: 'a@example.org', name: 'Ä Person' }]);
    expect(parsed.replyTo).toMatchObject([{ address: 'reply@example.org' }]);
    expect(parsed.text?.trim().replaceAll('\r\n', '\n')).toBe('line one\n.\n..dots\nend é');
    expect(parsed.html?.trim()).toBe('<p>é &amp; <b>x</b></p>');
    expect(parsed.attachments).toHaveLength(1);
    expect(parsed.attachments[0]).toMatchObject({ filename: 'naïve "report".csv', mimeType: 'text/csv' });
    expect(Buffer.from(parsed.attachments[0]!.content as ArrayBuffer)).toEqual(content);
    const text = got!.raw.toString('latin1');
    expect(text).toMatch(/^X-tocsin-ID: one\r$/m);
    expect(text).toMatch(/^x-MIXED-case: /m);
    expect(text).not.toContain('hidden@example.org');
    expect(Math.max(...text.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998);
    const values = Object.fromEntries(parsed.headers.map(({ key, value }) => [key, value]));
    expect(values['x-long']).toBe('word '.repeat(60).trim());
  });

  it('of several megabytes arrives whole', async () => {
    const receiver = await start();
    const content = Buffer.alloc(3 * 1024 * 1024, 'abcdefgh');
    await mailer.send(
      serverAt(receiver),
      mail({ attachments: [{ filename: 'big.bin', contentType: 'application/octet-stream', content }] }),
    );
    expect(
      Buffer.from(receiver.mails[0]!.parsed.attachments[0]!.content as ArrayBuffer).equals(content),
    ).toBe(true);
  });
});

describe('M01 M02 M03 M04 T11 what would change recipients, headers or read files is refused before connecting', () => {
  const cases: Record<string, Partial<MailMessage>> = {
    'CR LF in a recipient': { envelope: { from: 'a@x.example', to: ['b@x.example\r\nBcc: evil@y.example'] } },
    'two recipients in one': { envelope: { from: 'a@x.example', to: ['b@x.example, evil@y.example'] } },
    'a quoted local part': { envelope: { from: 'a@x.example', to: ['"evil@y.example x"@internal.example'] } },
    'a source route': { envelope: { from: 'a@x.example', to: ['<@a,@b:u@x.example>'] } },
    'a comment': { envelope: { from: 'a@x.example', to: ['b(c)@x.example'] } },
    'a bomb of parentheses': { envelope: { from: 'a@x.example', to: ['('.repeat(100_000)] } },
    'no recipient': { envelope: { from: 'a@x.example', to: [] } },
    'CR LF in the sender': {
      envelope: { from: 'a@x.example>\r\nRCPT TO:<evil@y.example', to: ['b@x.example'] },
    },
    'CR LF in the To header': { to: ['b@x.example\r\nBcc: evil@y.example'] },
    'CR LF in the subject': { subject: 'x\r\nBcc: evil@y.example' },
    'a Bcc header': { headers: [['Bcc', 'evil@y.example']] },
    'a Cc header': { headers: [['cC', 'evil@y.example']] },
    'a From header': { headers: [['From', 'evil@y.example']] },
    'a header name with a colon': { headers: [['X-A: b\r\nBcc', 'evil@y.example']] },
    'CR LF in a header value': { headers: [['X-A', 'b\r\nBcc: evil@y.example']] },
    'a malformed message id': { messageId: '<a@b>\r\nBcc: evil@y.example' },
  };
  it.each(Object.entries(cases))('%s', async (_name, extra) => {
    const receiver = await start();
    const started = performance.now();
    expect(await failureOf(mailer.send(serverAt(receiver), mail(extra)))).toMatchObject({
      failure: 'permanent',
    });
    expect(performance.now() - started).toBeLessThan(100);
    expect([receiver.connections().total, receiver.recipients]).toEqual([0, []]);
  });

  it('T12 objects that name files, from a caller that bypassed the types', async () => {
    const receiver = await start();
    const path = { path: '/etc/passwd' } as unknown as string;
    await mailer.send(serverAt(receiver), mail({ html: path })).catch(() => {});
    await mailer.send(serverAt(receiver), mail({ text: path })).catch(() => {});
    for (const { raw: bytes } of receiver.mails) expect(bytes.toString('latin1')).not.toContain('root:');
  });
});

describe('security', () => {
  it('TLS from the first byte, STARTTLS required and opportunistic, all with a verified certificate', async () => {
    for (const [offered, asked] of [
      ['tls', 'tls'],
      ['starttls', 'starttls'],
      ['starttls', 'opportunistic'],
    ] as const) {
      const receiver = await start({ security: offered });
      await mailer.send(serverAt(receiver, { security: asked, ca: authority.cert }), mail());
      expect(receiver.mails[0]?.secure, asked).toBe(true);
      const byName = serverAt(receiver, { security: asked, ca: authority.cert, host: 'mail.example' });
      await mailer.send(byName, mail());
      expect(await failureOf(mailer.send({ ...byName, host: 'other.example' }, mail()))).toMatchObject({
        failure: 'tls',
      });
      expect(await failureOf(mailer.send(serverAt(receiver, { security: asked }), mail()))).toMatchObject({
        failure: 'tls',
      });
      expect(receiver.mails).toHaveLength(2);
    }
  });

  it('M13 STARTTLS required but not offered: nothing is sent, not even the credentials', async () => {
    const receiver = await start({ auth: { user: 'u', password: 'p' } });
    const server = serverAt(receiver, {
      security: 'starttls',
      auth: { user: 'u', password: 'p' },
      ca: authority.cert,
    });
    const failure = await failureOf(mailer.send(server, mail()));
    expect(failure.failure).toBe('tls');
    expect([receiver.logins, receiver.recipients, receiver.mails]).toEqual([[], [], []]);
    await mailer.send(
      serverAt(receiver, { security: 'opportunistic', auth: { user: 'u', password: 'p' } }),
      mail(),
    );
    expect(receiver.mails).toHaveLength(1);
  });

  it('M13 answers injected in clear text behind STARTTLS are not taken for the server', async () => {
    let after = '';
    const receiver = await raw((socket) => {
      socket.write('220 mail\r\n');
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        if (text.startsWith('EHLO')) socket.write('250-mail\r\n250 STARTTLS\r\n');
        else if (text.startsWith('STARTTLS'))
          socket.write(
            '220 go\r\n250 injected\r\n250 injected\r\n250 injected\r\n354 injected\r\n250 injected\r\n',
          );
        else after += text;
      });
    });
    const server = serverAt(receiver, { security: 'starttls', ca: authority.cert, timeoutMs: 500 });
    const failure = await failureOf(mailer.send(server, mail()));
    expect(['tls', 'timeout']).toContain(failure.failure);
    expect(after).not.toContain('MAIL FROM');
  });

  it('M10 wrong credentials are an auth failure that does not name them; a temporary one is transient', async () => {
    const receiver = await start({
      security: 'starttls',
      auth: { user: 'robot', password: 'right-password' },
    });
    const server = serverAt(receiver, { security: 'starttls', ca: authority.cert });
    const failure = await failureOf(
      mailer.send({ ...server, auth: { user: 'robot', password: 'wrong-password' } }, mail()),
    );
    expect(failure).toMatchObject({ failure: 'auth', code: 535 });
    expect(failure.message).not.toContain('wrong-password');
    expect(failure.message).not.toContain(Buffer.from('\0robot\0wrong-password').toString('base64'));
    await mailer.send({ ...server, auth: { user: 'robot', password: 'right-password' } }, mail());
    expect(receiver.mails[0]?.user).toBe('robot');
    // 530: authentication required but none is configured.
    expect(await failureOf(mailer.send(server, mail()))).toMatchObject({ failure: 'permanent', code: 530 });
  });
});
