// The mail port against a real SMTP server that is told to misbehave; received messages are parsed by postal-mime.

import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type RawReceiver, startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import { type SmtpOptions, type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import {
  MailFailure,
  type MailMessage,
  type MailReceipt,
  type SmtpServer,
} from '@tocsin/topologies/ports/mail.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { createMailer } from './mailer.ts';

const authority = createAuthority();
const leaf = authority.issue(['IP:127.0.0.1', 'DNS:mail.example']);
const mailer = createMailer({
  egress: createEgressPolicy({ mode: 'open' }),
  lookup: async () => [{ address: '127.0.0.1', family: 4 }],
});
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((receiver) => receiver.close()));
});

async function start(options: SmtpOptions = {}): Promise<SmtpReceiver> {
  const receiver = await startSmtpReceiver({ tls: leaf, ...options });
  open.push(receiver);
  return receiver;
}
async function raw(...[script, options]: Parameters<typeof startRawReceiver>): Promise<RawReceiver> {
  const receiver = await startRawReceiver(script, options);
  open.push(receiver);
  return receiver;
}

function serverAt(receiver: { port: number }, extra: Partial<SmtpServer> = {}): SmtpServer {
  return {
    host: '127.0.0.1',
    port: receiver.port,
    security: 'none',
    timeoutMs: 5_000,
    allowCidrs: ['127.0.0.0/8'],
    ...extra,
  };
}
function mail(extra: Partial<MailMessage> = {}): MailMessage {
  return {
    envelope: { from: 'tocsin@example.org', to: ['a@example.org'] },
    from: 'Tocsin <tocsin@example.org>',
    to: ['a@example.org'],
    subject: 'Finding',
    messageId: '<c0ffee@example.org>',
    date: Date.UTC(2026, 0, 2, 3, 4, 5),
    text: 'plain',
    headers: [],
    attachments: [],
    ...extra,
  };
}
async function failureOf(sending: Promise<MailReceipt>): Promise<MailFailure> {
  const error = await sending.then(
    (receipt) => new Error(`accepted: ${receipt.response}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MailFailure)) throw error;
  return error;
}

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

describe('what would change recipients, headers or read files is refused before connecting', () => {
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

  it('objects that name files, from a caller that bypassed the types', async () => {
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

  it('STARTTLS required but not offered: nothing is sent, not even the credentials', async () => {
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

  it('answers injected in clear text behind STARTTLS are not taken for the server', async () => {
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

  it('wrong credentials are an auth failure that does not name them; a temporary one is transient', async () => {
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

describe('answers', () => {
  it.each([421, 450, 451, 452])('%i at every phase is transient', async (code) => {
    const receiver = await start();
    receiver.script(
      { onConnect: { code } },
      { onMailFrom: { code } },
      { onRecipient: { code } },
      { onData: { code } },
    );
    for (let phase = 0; phase < 4; phase++) {
      expect(await failureOf(mailer.send(serverAt(receiver), mail())), String(phase)).toMatchObject({
        failure: 'transient',
        code,
      });
    }
    expect((await mailer.send(serverAt(receiver), mail())).accepted).toHaveLength(1);
  });

  it.each([550, 551, 553, 554])('%i at every phase is permanent', async (code) => {
    const receiver = await start();
    receiver.script(
      { onConnect: { code } },
      { onMailFrom: { code } },
      { onRecipient: { code } },
      { onData: { code } },
    );
    for (let phase = 0; phase < 4; phase++) {
      expect(await failureOf(mailer.send(serverAt(receiver), mail())), String(phase)).toMatchObject({
        failure: 'permanent',
        code,
      });
    }
    expect(receiver.mails).toEqual([]);
  });

  it('some recipients refused: the others get it, the receipt names the refused', async () => {
    const receiver = await start();
    receiver.script({
      onRecipient: {
        'b@example.org': { code: 550, text: '5.1.1 no such user' },
        'c@example.org': { code: 451 },
      },
    });
    const envelope = {
      from: 'tocsin@example.org',
      to: ['a@example.org', 'b@example.org', 'c@example.org', 'd@example.org'],
    };
    const receipt = await mailer.send(serverAt(receiver), mail({ envelope }));
    expect(receipt.accepted).toEqual(['a@example.org', 'd@example.org']);
    expect(receipt.rejected).toMatchObject([
      { address: 'b@example.org', code: 550 },
      { address: 'c@example.org', code: 451 },
    ]);
    expect(receipt.rejected[0]?.response).toContain('no such user');
    expect(receiver.mails[0]?.to).toEqual(['a@example.org', 'd@example.org']);
  });

  it('all refused: transient when any of them is, else permanent', async () => {
    const receiver = await start();
    const envelope = { from: 'tocsin@example.org', to: ['a@example.org', 'b@example.org'] };
    receiver.script(
      { onRecipient: { 'a@example.org': { code: 450 }, 'b@example.org': { code: 550 } } },
      { onRecipient: { 'a@example.org': { code: 551 }, 'b@example.org': { code: 550 } } },
    );
    expect(await failureOf(mailer.send(serverAt(receiver), mail({ envelope })))).toMatchObject({
      failure: 'transient',
      code: 450,
    });
    expect(await failureOf(mailer.send(serverAt(receiver), mail({ envelope })))).toMatchObject({
      failure: 'permanent',
    });
  });

  it('larger than the announced SIZE is permanent and not transmitted', async () => {
    const receiver = await start({ maxBytes: 1_000 });
    expect(await failureOf(mailer.send(serverAt(receiver), mail({ text: 'x'.repeat(5_000) })))).toMatchObject(
      { failure: 'permanent' },
    );
    expect(receiver.recipients).toEqual([]);
  });
});

describe('uncertain and broken', () => {
  it('closed after the final dot: the server has it, the sender cannot know', async () => {
    const receiver = await start();
    receiver.script({ dropAfterDot: true });
    expect(await failureOf(mailer.send(serverAt(receiver), mail()))).toMatchObject({
      failure: 'uncertain',
      code: null,
    });
    expect(receiver.mails).toMatchObject([{ lost: true }]);
  });

  it('no answer to the final dot before the deadline', async () => {
    const receiver = await start();
    receiver.script({ answerDelayMs: Number.POSITIVE_INFINITY });
    expect(await failureOf(mailer.send(serverAt(receiver, { timeoutMs: 400 }), mail()))).toMatchObject({
      failure: 'uncertain',
    });
  });

  it('closed in the middle of a large message is not uncertain', async () => {
    const receiver = await raw((socket) => {
      let received = 0;
      socket.write('220 mail\r\n');
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        received += chunk.length;
        if (received > 200_000) socket.resetAndDestroy();
        else if (text.startsWith('EHLO')) socket.write('250 mail\r\n');
        else if (/^(MAIL|RCPT)/.test(text))
          socket.write('250 ok\r\n'.repeat((text.match(/\r\n/g) ?? []).length));
        else if (text.startsWith('DATA')) socket.write('354 go\r\n');
      });
    });
    const content = Buffer.alloc(20 * 1024 * 1024, 'x');
    const sending = mailer.send(
      serverAt(receiver),
      mail({ attachments: [{ filename: 'x', contentType: 'application/octet-stream', content }] }),
    );
    expect(await failureOf(sending)).toMatchObject({ failure: 'connect' });
  });

  it('nobody listens; closes before the banner; no banner; banner drip; endless banner', async () => {
    const gone = await raw(() => {});
    await open.pop()!.close();
    expect(await failureOf(mailer.send(serverAt(gone), mail()))).toMatchObject({ failure: 'connect' });
    const closing = await raw((socket) => socket.end());
    expect(await failureOf(mailer.send(serverAt(closing), mail()))).toMatchObject({ failure: 'connect' });
    const silent = await raw(() => {});
    expect(await failureOf(mailer.send(serverAt(silent, { timeoutMs: 300 }), mail()))).toMatchObject({
      failure: 'timeout',
    });
    const drip = await raw((socket) => {
      const timer = setInterval(() => socket.write('2'), 20);
      socket.once('close', () => clearInterval(timer));
    });
    expect(await failureOf(mailer.send(serverAt(drip, { timeoutMs: 300 }), mail()))).toMatchObject({
      failure: 'timeout',
    });
    const endless = await raw((socket) => {
      const block = '220-'.padEnd(60_000, 'x');
      const pump = (): void => {
        while (!socket.destroyed && socket.write(block));
        if (!socket.destroyed) socket.once('drain', pump);
      };
      pump();
    });
    const started = performance.now();
    expect(await failureOf(mailer.send(serverAt(endless), mail()))).toMatchObject({ failure: 'transient' });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('a slow banner within the deadline is waited for', async () => {
    const receiver = await start();
    receiver.script({ bannerDelayMs: 300 });
    expect((await mailer.send(serverAt(receiver), mail())).accepted).toHaveLength(1);
  });
});

describe('egress', () => {
  it('refuses inside addresses and names that point there, without connecting', async () => {
    const receiver = await start();
    for (const host of ['127.0.0.1', 'localhost', 'mail.example', '169.254.169.254', '[::ffff:127.0.0.1]']) {
      expect(
        await failureOf(mailer.send(serverAt(receiver, { host, allowCidrs: [] }), mail())),
        host,
      ).toMatchObject({ failure: 'denied' });
    }
    expect(
      await failureOf(mailer.send(serverAt(receiver, { allowCidrs: ['nonsense'] }), mail())),
    ).toMatchObject({ failure: 'denied' });
    expect(receiver.connections().total).toBe(0);
  });

  it('an unknown name is a dns failure', async () => {
    expect(
      await failureOf(createMailer().send(serverAt({ port: 25 }, { host: 'mail.invalid' }), mail())),
    ).toMatchObject({ failure: 'dns' });
  });
});

it('two hundred mails, eight at a time, all arrive once and no connection stays open', async () => {
  const receiver = await start();
  const ids = Array.from({ length: 200 }, (_, i) => `<m${i}@example.org>`);
  const queue = [...ids];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift())
        await mailer.send(serverAt(receiver), mail({ messageId: id }));
    }),
  );
  expect(receiver.mails.map((received) => received.parsed.messageId).sort()).toEqual([...ids].sort());
  // A session that said QUIT may still be closing when the next one of its lane begins.
  expect(receiver.connections().most).toBeLessThanOrEqual(24);
});
