// What the guarded client refuses before anything is sent, how it treats names, and how it keeps its connections apart.
import { onRequestHead } from '@tocsin/testing/receivers/raw.ts';
import type { HttpRequest } from '@tocsin/topologies/ports/http.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from './client.ts';
import { answer, closeReceiversAfterEach, failureOf, get, post, receiver } from './client-harness.ts';
import { createEgressPolicy } from './egress-policy.ts';

let client: HttpClient;
closeReceiversAfterEach();
beforeEach(() => {
  client = createHttpClient();
});
afterEach(() => client.close());

describe('refused before anything is sent', () => {
  const noLists = { allowCidrs: [] };
  it.each([
    'http://0x7f.1',
    'http://2130706433',
    'http://0177.0.0.1',
    'http://127.1',
    'http://localhost.',
    'http://[::ffff:127.0.0.1]',
    'http://[::1]',
    'http://①②⑦.⓪.⓪.①',
  ])('%s on a port where somebody listens', async (base) => {
    const server = await receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    expect(await failureOf(client.send(post(`${base}:${server.port}/`, noLists)))).toMatchObject({
      failure: 'denied',
      sent: false,
    });
    expect(server.connections()).toBe(0);
  });

  it.each([
    'http://169.254.169.254/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
  ])('%s even when every range is listed', async (url) => {
    const failure = await failureOf(client.send(get(url, { allowCidrs: ['0.0.0.0/0', '::/0'] })));
    expect(failure).toMatchObject({ failure: 'denied', sent: false });
  });

  it.each([
    'file:///etc/passwd',
    'ftp://example.org/',
    'not a url',
    'http://user:pw@example.org/',
    'gopher://127.0.0.1:6379/',
  ])('%s', async (url) => {
    expect(await failureOf(client.send(get(url)))).toMatchObject({ failure: 'denied', sent: false });
  });

  it('a malformed allowed range is refused, not ignored', async () => {
    expect(
      await failureOf(client.send(get('http://127.0.0.1:1/', { allowCidrs: ['127.0.0.0/8', '10/8'] }))),
    ).toMatchObject({ failure: 'denied' });
  });

  it('header injection', async () => {
    const server = await receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    const failure = await failureOf(client.send(post(server.url, { headers: [['X-A', 'a\r\nX-Evil: 1']] })));
    expect(failure).toMatchObject({ failure: 'protocol', sent: false });
  });

  it('a connection opened for one list of ranges does not serve a request without it', async () => {
    const server = await receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    expect((await client.send(post(server.url))).status).toBe(200);
    expect(await failureOf(client.send(post(server.url, noLists)))).toMatchObject({ failure: 'denied' });
    expect(server.connections()).toBe(1);
  });
});

describe('names', () => {
  const withLookup = (...answers: string[][]): { client: HttpClient; asked: string[] } => {
    const asked: string[] = [];
    const made = createHttpClient({
      egress: createEgressPolicy({ mode: 'open' }),
      connectionTtlMs: 1,
      lookup: async (name) => {
        asked.push(name);
        const addresses = answers[Math.min(asked.length, answers.length) - 1]!;
        return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      },
    });
    return { client: made, asked };
  };

  it('T03 an answer that moves inside after the first time (rebinding) is refused', async () => {
    const server = await receiver((socket) =>
      onRequestHead(socket, () =>
        socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
      ),
    );
    const { client: rebound, asked } = withLookup(['127.0.0.2'], ['127.0.0.1'], ['169.254.169.254']);
    const request = get(`http://rebind.example:${server.port}/`, { allowCidrs: ['127.0.0.2/32'] });
    // 127.0.0.2 reaches nobody here (the receiver is bound to 127.0.0.1), but it is allowed.
    expect(await failureOf(rebound.send(request))).toMatchObject({ failure: 'connect', sent: false });
    expect(await failureOf(rebound.send(request))).toMatchObject({ failure: 'denied', sent: false });
    expect(await failureOf(rebound.send(request))).toMatchObject({ failure: 'denied', sent: false });
    expect(asked).toEqual(['rebind.example', 'rebind.example', 'rebind.example']);
    expect(server.connections()).toBe(0);
    await rebound.close();
  });

  it('T03 one refused address among good ones refuses the name', async () => {
    const server = await receiver(() => {});
    const { client: mixed } = withLookup(['203.0.113.5', '127.0.0.1']);
    expect(await failureOf(mixed.send(get(`http://mixed.example:${server.port}/`, noList())))).toMatchObject({
      failure: 'denied',
    });
    expect(server.connections()).toBe(0);
    await mixed.close();
  });

  it('T03 the address that the socket really has is checked too', async () => {
    const server = await receiver(() => {});
    // A resolver that says one thing to the policy and another to the socket.
    let reads = 0;
    const liar = createHttpClient({
      lookup: async () => [
        {
          family: 4,
          get address() {
            reads += 1;
            return reads === 1 ? '203.0.113.5' : '127.0.0.1';
          },
        },
      ],
    });
    expect(await failureOf(liar.send(get(`http://liar.example:${server.port}/`, noList())))).toMatchObject({
      failure: 'denied',
      sent: false,
    });
    expect(reads).toBeGreaterThan(1);
    await liar.close();
  });

  it('H26 an unknown name is a dns failure, and a resolver that hangs ends at the deadline', async () => {
    const failing = createHttpClient({
      lookup: async (name) => {
        if (name === 'slow.example') await new Promise((resolve) => setTimeout(resolve, 1_000));
        throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
          code: 'ENOTFOUND',
          syscall: 'getaddrinfo',
        });
      },
    });
    expect(await failureOf(failing.send(get('http://no.example/')))).toMatchObject({
      failure: 'dns',
      sent: false,
    });
    const started = performance.now();
    expect(await failureOf(failing.send(get('http://slow.example/', { timeoutMs: 100 })))).toMatchObject({
      failure: 'timeout',
      sent: false,
    });
    expect(performance.now() - started).toBeLessThan(500);
    expect(await failureOf(createHttpClient().send(get('http://name.invalid/')))).toMatchObject({
      failure: 'dns',
      sent: false,
    });
    await failing.close();
  });

  it('H26 one hundred addresses are all checked and one that answers is found', async () => {
    const server = await receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    const many = Array.from({ length: 100 }, () => '127.0.0.1');
    const { client: wide } = withLookup(many);
    expect((await wide.send(get(`http://many.example:${server.port}/`))).status).toBe(200);
    await wide.close();
  });
});

describe('pools', () => {
  it('are bounded; the least recently used one goes', async () => {
    await client.close();
    client = createHttpClient({ maxPools: 3 });
    const servers = await Promise.all(
      Array.from({ length: 5 }, () => receiver(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))),
    );
    for (const server of servers) await client.send(post(server.url));
    expect(client.pools()).toBe(3);
    await client.send(post(servers[0]!.url));
    expect(servers[0]!.connections()).toBe(2);
    await client.send(post(servers[4]!.url));
    expect(servers[4]!.connections()).toBe(1);
  });

  it('requests in flight fail as aborted when the client closes', async () => {
    const server = await receiver(() => {});
    const sending = failureOf(client.send(post(server.url)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.close();
    expect(await sending).toMatchObject({ failure: 'aborted' });
  });
});

function noList(): Partial<HttpRequest> {
  return { allowCidrs: [] };
}
