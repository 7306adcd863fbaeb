// The guarded client against real sockets that misbehave: slow, endless, malformed, redirecting and breaking receivers.
import { gzipSync } from 'node:zlib';
import { onRequestHead, type RawScript } from '@tocsin/testing/receivers/raw.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from './client.ts';
import { answer, closeReceiversAfterEach, failureOf, get, open, post, receiver } from './client-harness.ts';

let client: HttpClient;
closeReceiversAfterEach();
beforeEach(() => {
  client = createHttpClient();
});
afterEach(() => client.close());

describe('a receiver that behaves', () => {
  it('gets headers as several lines, identity encoding and the body as it is', async () => {
    let seen = Buffer.alloc(0);
    const server = await receiver((socket) => {
      socket.on('data', (chunk) => {
        seen = Buffer.concat([seen, chunk]);
        if (seen.includes('é'))
          socket.write(
            'HTTP/1.1 201 Created\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok',
          );
      });
    });
    const response = await client.send(
      post(`${server.url}/p?q=1#frag`, {
        body: Buffer.from('é'),
        headers: [
          ['X-B', '1'],
          ['X-B', '2'],
        ],
      }),
    );
    expect(response).toEqual({
      status: 201,
      headers: { 'x-a': '1, 2', 'set-cookie': 'a=b', 'content-length': '2' },
      body: Buffer.from('ok'),
      truncated: false,
    });
    const lines = seen.toString().split('\r\n');
    expect(lines[0]).toBe('POST /p?q=1 HTTP/1.1');
    expect(lines.filter((line) => line.startsWith('X-B'))).toEqual(['X-B: 1', 'X-B: 2']);
    expect(lines.map((line) => line.toLowerCase())).toContain('accept-encoding: identity');
    expect(lines.map((line) => line.toLowerCase())).toContain('content-length: 2');
  });

  it('is reached over one kept connection, which is replaced when it gets old', async () => {
    const server = await receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    await client.close();
    client = createHttpClient({ connectionTtlMs: 150, connectionsPerPool: 1 });
    for (let i = 0; i < 5; i++) await client.send(post(server.url));
    expect(server.connections()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.send(post(server.url));
    expect(server.connections()).toBe(2);
  });

  it('H28 does not set cookies on later requests', async () => {
    const heads: string[] = [];
    const server = await receiver((socket) =>
      onRequestHead(socket, (head) => {
        heads.push(head);
        socket.write('HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    await client.send(get(server.url));
    await client.send(get(server.url));
    expect(heads).toHaveLength(2);
    expect(heads[1]!.toLowerCase()).not.toContain('cookie');
  });
});

describe('slow receivers', () => {
  it('H01 one that never answers ends at the deadline', async () => {
    const server = await receiver(() => {});
    const started = performance.now();
    const failure = await failureOf(client.send(post(server.url, { timeoutMs: 200 })));
    expect(failure).toMatchObject({ failure: 'timeout', sent: true });
    expect(performance.now() - started).toBeLessThan(600);
  });

  it('H02 one that drips its headers ends at the deadline', async () => {
    const server = await receiver((socket) => {
      const text = `HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(10_000)}`;
      let at = 0;
      const timer = setInterval(() => socket.write(text[at++] ?? 'a'), 20);
      socket.once('close', () => clearInterval(timer));
    });
    expect(await failureOf(client.send(post(server.url, { timeoutMs: 300 })))).toMatchObject({
      failure: 'timeout',
      sent: true,
    });
  });

  it('H03 one that drips its body after a 2xx counts as answered', async () => {
    let closed = false;
    const server = await receiver((socket) => {
      socket.once('close', () => {
        closed = true;
      });
      onRequestHead(socket, () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        const timer = setInterval(() => socket.write('x'), 100);
        socket.once('close', () => clearInterval(timer));
      });
    });
    const started = performance.now();
    const response = await client.send(post(server.url, { timeoutMs: 450 }));
    expect(response).toMatchObject({ status: 200, truncated: true });
    expect(response.body.length).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(900);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(true);
  });

  it('a request still waiting for a connection at its deadline is never written', async () => {
    const heads: string[] = [];
    const server = await receiver((socket) =>
      onRequestHead(socket, (head) => {
        heads.push(head);
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 300);
      }),
    );
    await client.close();
    client = createHttpClient({ connectionsPerPool: 1 });
    const first = client.send(post(`${server.url}/first`));
    const failure = await failureOf(client.send(post(`${server.url}/second`, { timeoutMs: 100 })));
    expect(failure).toMatchObject({ failure: 'timeout', sent: false });
    expect((await first).status).toBe(200);
    await client.send(post(`${server.url}/third`));
    expect(heads.map((head) => head.split(' ')[1])).toEqual(['/first', '/third']);
  });

  it('the caller can stop waiting', async () => {
    const server = await receiver(() => {});
    const stop = new AbortController();
    const sending = failureOf(client.send(post(server.url, { signal: stop.signal })));
    setTimeout(() => stop.abort(), 50);
    expect(await sending).toMatchObject({ failure: 'aborted', sent: true });
    expect(await failureOf(client.send(post(server.url, { signal: AbortSignal.abort() })))).toMatchObject({
      failure: 'aborted',
      sent: false,
    });
  });
});

describe('large and strange answers', () => {
  it('H04 cuts an endless body at the cap', async () => {
    const server = await receiver((socket) =>
      onRequestHead(socket, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const block = Buffer.alloc(65_536, 'x');
        const pump = (): void => {
          while (!socket.destroyed && socket.write(block));
          if (!socket.destroyed) socket.once('drain', pump);
        };
        pump();
      }),
    );
    const response = await client.send(post(server.url));
    expect(response).toMatchObject({ status: 200, truncated: true });
    expect(response.body.length).toBe(65_536);
    expect((await client.send(post(server.url, { maxResponseBytes: 10 }))).body.toString()).toBe(
      'xxxxxxxxxx',
    );
  });

  it('keeps a body of exactly the cap whole', async () => {
    const server = await receiver(answer(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789`));
    expect(await client.send(get(server.url, { maxResponseBytes: 10 }))).toMatchObject({ truncated: false });
    expect(await client.send(get(server.url, { maxResponseBytes: 9 }))).toMatchObject({
      truncated: true,
      body: Buffer.from('012345678'),
    });
  });

  it('H10 does not inflate a gzip bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    const server = await receiver((socket) =>
      onRequestHead(socket, () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
        socket.write(bomb);
      }),
    );
    const response = await client.send(get(server.url));
    expect(response.body.equals(bomb)).toBe(true);
  });

  it('H11 a thousand names of encodings cost nothing: the body comes as it is', async () => {
    const encodings = Array.from({ length: 1_000 }, () => 'gzip').join(', ');
    const server = await receiver(
      answer(`HTTP/1.1 200 OK\r\nContent-Encoding: ${encodings}\r\nContent-Length: 2\r\n\r\nok`),
    );
    const before = process.cpuUsage();
    const response = await client.send(get(server.url));
    const { user, system } = process.cpuUsage(before);
    expect(response.body.toString()).toBe('ok');
    expect(user + system).toBeLessThan(50_000);
  });

  it.each([
    ['H12 a header of 100 KB', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\nContent-Length: 0\r\n\r\n`],
    ['H12 10,000 headers', `HTTP/1.1 200 OK\r\n${'X-Y: z\r\n'.repeat(10_000)}Content-Length: 0\r\n\r\n`],
    ['H13 a malformed status line', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['H13 a five-digit status', 'HTTP/1.1 99999 What\r\nContent-Length: 0\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 777 What\r\nContent-Length: 0\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    [
      'H13 both Content-Length and chunked',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two different Content-Lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
    ],
    ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['an unasked 100', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['H14 a flood of 102', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(5_000)],
  ])('%s is a protocol failure and the connection is not used again', async (_name, text) => {
    const server = await receiver((socket, n) =>
      answer(n === 0 ? text : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')(socket),
    );
    expect(await failureOf(client.send(post(server.url)))).toMatchObject({ failure: 'protocol', sent: true });
    expect((await client.send(post(server.url))).status).toBe(200);
    expect(server.connections()).toBe(2);
  });

  it('H14 a slow trickle of 1xx is bounded by the deadline', async () => {
    const server = await receiver((socket) =>
      onRequestHead(socket, () => {
        const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'), 20);
        socket.once('close', () => clearInterval(timer));
      }),
    );
    expect(await failureOf(client.send(post(server.url, { timeoutMs: 300 })))).toMatchObject({
      failure: 'timeout',
      sent: true,
    });
  });

  it('takes an answer after a few informational ones', async () => {
    const server = await receiver(
      answer(`${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(3)}HTTP/1.1 204 No Content\r\n\r\n`),
    );
    expect(await client.send(post(server.url))).toMatchObject({ status: 204, truncated: false });
  });
});

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('H05 T02 %i is an answer, not an instruction', async (status) => {
    const inside = await receiver(() => {});
    for (const location of [inside.url, `http://169.254.169.254/latest/meta-data/`, 'file:///etc/passwd']) {
      const server = await receiver(
        answer(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`),
      );
      const response = await client.send(post(server.url));
      expect(response.status).toBe(status);
      expect(response.headers.location).toBe(location);
    }
    expect(inside.connections()).toBe(0);
  });
});

describe('broken connections', () => {
  it('nobody listens', async () => {
    const server = await receiver(() => {});
    await server.close();
    open.pop();
    expect(await failureOf(client.send(post(server.url)))).toMatchObject({ failure: 'connect', sent: false });
  });

  it('H15 reset before, during and after the request', async () => {
    const atOnce = await receiver((socket) => socket.resetAndDestroy());
    const before = await failureOf(client.send(post(atOnce.url)));
    // The kernel completes the TCP handshake before the receiver resets, so bytes may have left.
    expect(['reset', 'connect']).toContain(before.failure);

    const during = await receiver((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    expect(await failureOf(client.send(post(during.url, { body, headers: [] })))).toMatchObject({
      failure: 'reset',
      sent: true,
    });

    const after = await receiver((socket) =>
      onRequestHead(socket, () => setTimeout(() => socket.resetAndDestroy(), 30)),
    );
    expect(await failureOf(client.send(post(after.url)))).toMatchObject({ failure: 'reset', sent: true });
    expect(after.connections()).toBe(1);
  });

  it('H16 a POST whose connection closes at reuse fails as sent and is not repeated; a GET is', async () => {
    const script: RawScript = (socket) => {
      let n = 0;
      onRequestHead(socket, () => {
        n += 1;
        if (n === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        else socket.end();
      });
    };
    await client.close();
    client = createHttpClient({ connectionsPerPool: 1 });
    const forPost = await receiver(script);
    await client.send(post(forPost.url));
    expect(await failureOf(client.send(post(forPost.url)))).toMatchObject({ failure: 'reset', sent: true });
    expect(forPost.connections()).toBe(1);

    const forGet = await receiver(script);
    await client.send(get(forGet.url));
    expect((await client.send(get(forGet.url))).status).toBe(200);
    expect(forGet.connections()).toBe(2);
  });

  it('a connection that the receiver closed while idle is not used', async () => {
    const server = await receiver((socket) =>
      onRequestHead(socket, () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        setTimeout(() => socket.end(), 20);
      }),
    );
    for (let i = 0; i < 5; i++) {
      expect((await client.send(post(server.url))).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(server.connections()).toBe(5);
  });

  it('a body that breaks off after a final status still gives the status', async () => {
    const server = await receiver((socket) =>
      onRequestHead(socket, () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        setTimeout(() => socket.resetAndDestroy(), 30);
      }),
    );
    expect(await client.send(post(server.url))).toMatchObject({ status: 200, truncated: true });
  });
});
