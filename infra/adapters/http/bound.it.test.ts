// The bound on all connections of the client against real sockets: receivers that hang, and a process with few open files.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from './client.ts';
import { answer, closeReceiversAfterEach, failureOf, post, receiver } from './client-harness.ts';

const ok = answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
let client: HttpClient;
closeReceiversAfterEach();
afterEach(() => client.close());

it('receivers that hang hold up nobody else, and all of them together stay within the bound', async () => {
  client = createHttpClient({ maxConnections: 24 });
  const hanging = await Promise.all([1, 2, 3].map(() => receiver(() => {})));
  const good = await Promise.all([1, 2, 3].map(() => receiver(ok)));
  const hung = hanging.flatMap(({ url }) =>
    Array.from({ length: 50 }, () => failureOf(client.send(post(url, { timeoutMs: 1_500 })))),
  );
  const began = performance.now();
  for (let round = 0; round < 20; round += 1)
    for (const { url } of good) expect((await client.send(post(url))).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(client.connections()).toBeLessThanOrEqual(24);
  expect(hanging.reduce((sum, each) => sum + each.connections(), 0)).toBeLessThan(24);
  const failures = await Promise.all(hung);
  expect(performance.now() - began).toBeLessThan(2_500);
  // Those that had a connection were sent; those that had none say so and were not. One that got its connection in the last moment
  // has timed out before anything was written.
  const kinds = failures.map(({ failure, sent }) => `${failure} ${sent}`);
  expect(kinds).toEqual(expect.arrayContaining(['busy false', 'timeout true']));
  expect(kinds.filter((kind) => !['busy false', 'timeout true', 'timeout false'].includes(kind))).toEqual([]);
});

it('a request that gets no connection fails at its deadline as busy, unsent, and the next one after that goes through', async () => {
  client = createHttpClient({ maxConnections: 1 });
  const hangs = await receiver(() => {});
  const good = await receiver(ok);
  const hung = failureOf(client.send(post(hangs.url, { timeoutMs: 600 })));
  expect(await failureOf(client.send(post(good.url, { timeoutMs: 200 })))).toMatchObject({
    failure: 'busy',
    sent: false,
    message: 'no connection was free within 200 ms',
  });
  expect(good.connections()).toBe(0);
  expect((await client.send(post(good.url))).status).toBe(200);
  expect(await hung).toMatchObject({ failure: 'timeout', sent: true });
});

it('an attempt to connect that is given up frees its place at once', async () => {
  client = createHttpClient({
    maxConnections: 1,
    lookup: () => new Promise(() => {}),
  });
  const good = await receiver(ok);
  expect(await failureOf(client.send(post('http://never.example:1/', { timeoutMs: 100 })))).toMatchObject({
    failure: 'timeout',
    sent: false,
  });
  expect(client.connections()).toBe(0);
  expect((await client.send(post(good.url))).status).toBe(200);
});

it('a process that may open few files sends to many receivers without running out of them', async () => {
  client = createHttpClient();
  const slow = await Promise.all(
    Array.from({ length: 40 }, () => receiver((socket) => void setTimeout(() => ok(socket), 50))),
  );
  const script = `
    import { createHttpClient } from ${JSON.stringify(fileURLToPath(new URL('./client.ts', import.meta.url)))};
    const client = createHttpClient();
    const urls = ${JSON.stringify(slow.map(({ url }) => url))};
    const request = { method: 'POST', headers: [], body: 'x', timeoutMs: 20000, allowCidrs: ['127.0.0.0/8'] };
    const sent = Array.from({ length: 600 }, (_, n) => client.send({ ...request, url: urls[n % urls.length] }));
    const kinds = (await Promise.allSettled(sent)).map((each) => each.value?.status ?? each.reason.message);
    console.log(JSON.stringify([...new Set(kinds)]));
    await client.close();`;
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'ulimit -n 128; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    script,
  ]);
  expect(JSON.parse(stdout)).toEqual([200]);
}, 30_000);
