// The mail port against servers that refuse, break off and stall: which failure each of it is.
import { describe, expect, it } from 'vitest';
import { createMailer } from './mailer.ts';
import {
  closeReceiversAfterEach,
  failureOf,
  mail,
  mailer,
  open,
  raw,
  serverAt,
  start,
} from './mailer-harness.ts';

closeReceiversAfterEach();

describe('answers', () => {
  it.each([421, 450, 451, 452])('M08 %i at every phase is transient', async (code) => {
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

  it('M09 some recipients refused: the others get it, the receipt names the refused', async () => {
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

  it('M15 larger than the announced SIZE is permanent and not transmitted', async () => {
    const receiver = await start({ maxBytes: 1_000 });
    expect(await failureOf(mailer.send(serverAt(receiver), mail({ text: 'x'.repeat(5_000) })))).toMatchObject(
      { failure: 'permanent' },
    );
    expect(receiver.recipients).toEqual([]);
  });
});

describe('uncertain and broken', () => {
  it('M11 closed after the final dot: the server has it, the sender cannot know', async () => {
    const receiver = await start();
    receiver.script({ dropAfterDot: true });
    expect(await failureOf(mailer.send(serverAt(receiver), mail()))).toMatchObject({
      failure: 'uncertain',
      code: null,
    });
    expect(receiver.mails).toMatchObject([{ lost: true }]);
  });

  it('M12 no answer to the final dot before the deadline', async () => {
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

  it('M14 nobody listens; closes before the banner; no banner; banner drip; endless banner', async () => {
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

/** Takes every mail; connections above `allowed` are answered with 421. `ends`: closes its side after QUIT. */
async function plainServer({ allowed = 100, ends = true }) {
  const seen = { ids: [] as string[], refused: 0 };
  let open = 0;
  const server = await raw((socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    if (open > allowed) {
      seen.refused += 1;
      socket.end('421 too many connections\r\n');
      return;
    }
    socket.write('220 x ESMTP\r\n');
    let mail: string | null = null;
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (mail !== null) {
        mail += text;
        if (!mail.endsWith('\r\n.\r\n')) return;
        seen.ids.push(/^Message-ID: (.*)\r$/im.exec(mail)?.[1] ?? '');
        mail = null;
        socket.write('250 taken\r\n');
      } else if (text.startsWith('DATA')) {
        mail = '';
        socket.write('354 go on\r\n');
      } else if (!text.startsWith('QUIT')) socket.write('250 ok\r\n');
      else if (ends) socket.end('221 bye\r\n');
    });
  });
  return { server, seen };
}

it('M16 a thousand mails, two at a time, to a server that allows two connections: all arrive once, no 421', async () => {
  const { server, seen } = await plainServer({ allowed: 2 });
  const ids = Array.from({ length: 1_000 }, (_, i) => `<m${i}@example.org>`);
  const queue = [...ids];
  await Promise.all(
    Array.from({ length: 2 }, async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift())
        await mailer.send(serverAt(server), mail({ messageId: id }));
    }),
  );
  expect(seen.ids.sort()).toEqual([...ids].sort());
  expect([seen.refused, server.connections()]).toEqual([0, 1_000]);
});

it('a server that never ends its side after QUIT holds nobody up for long', async () => {
  const { server, seen } = await plainServer({ ends: false });
  expect(await mailer.send(serverAt(server), mail())).toMatchObject({ response: '250 taken' });
  expect(seen.ids).toHaveLength(1);
});
