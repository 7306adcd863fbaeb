// A wanted port is given only when nobody listens on it, whichever address the other one chose.
import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { freePort, portOrFree } from './ports.ts';

const open: Server[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

function listen(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    open.push(server);
    server.once('error', reject).listen(port, host, resolve);
  });
}

it('gives the wanted port when it is free', async () => {
  const port = await freePort();
  expect(await portOrFree(port)).toBe(port);
});

it.each(['127.0.0.1', '0.0.0.0'])('gives another one when somebody listens on %s', async (host) => {
  const port = await freePort();
  await listen(port, host);
  const other = await portOrFree(port);
  expect(other).not.toBe(port);
  await listen(other, '127.0.0.1');
});

it('chooses below the range of outgoing connections', async () => {
  for (let i = 0; i < 20; i += 1) expect(await freePort()).toBeLessThan(32_768);
});
