import { afterEach, expect, it } from 'vitest';
import { type HealthServer, type HealthSettings, startHealthServer } from './server.ts';

let server: HealthServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});
async function start(settings: Partial<HealthSettings>): Promise<HealthServer> {
  server = await startHealthServer({
    port: 0,
    checks: () => ({}),
    metrics: async () => 'a_total 1\n',
    ...settings,
  });
  return server;
}

it('is ok while every check is, and names the failing ones otherwise', async () => {
  let kafka: true | string = true;
  const { url } = await start({ checks: () => ({ kafka, redis: true }) });
  const good = await fetch(`${url}/health`);
  expect([good.status, await good.json()]).toEqual([200, { status: 'ok' }]);
  kafka = 'no assignment';
  const bad = await fetch(`${url}/health`);
  expect([bad.status, await bad.json()]).toEqual([
    503,
    { status: 'failing', failing: { kafka: 'no assignment' } },
  ]);
});

it('a check that throws fails without showing its message', async () => {
  const { url } = await start({
    checks: () => {
      throw new Error('postgres://user:pw@host');
    },
  });
  const response = await fetch(`${url}/health`);
  expect(response.status).toBe(503);
  expect(await response.text()).not.toContain('pw');
});

it('serves metrics as Prometheus text and nothing else', async () => {
  const { url } = await start({});
  const response = await fetch(`${url}/metrics`);
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    'a_total 1\n',
  ]);
  for (const path of ['/', '/debug', '/health/x', '//health', '/metrics/../health%00']) {
    expect((await fetch(url + path)).status, path).toBe(404);
  }
  expect((await fetch(`${url}/health`, { method: 'POST', body: 'x' })).status).toBe(405);
  expect((await fetch(`${url}/metrics`, { method: 'DELETE' })).status).toBe(405);
});

it('listens on the loopback address, answers 500 when metrics fail, and says when its port is taken', async () => {
  const { url, port } = await start({ metrics: async () => Promise.reject(new Error('x')) });
  expect(url).toBe(`http://127.0.0.1:${port}`);
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  await expect(startHealthServer({ port, checks: () => ({}), metrics: async () => '' })).rejects.toThrow(
    'EADDRINUSE',
  );
});
