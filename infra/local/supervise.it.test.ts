// The supervisor restarts what dies, says so, passes warnings on and leaves nothing running.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, expect, it } from 'vitest';
import { freePort } from './ports.ts';
import { processIdentity } from './process.ts';
import { type Service, supervise } from './supervise.ts';

const scratch = scratchFolder('supervise');
afterAll(() => scratch.remove());

const SERVER = `
  import { createServer } from 'node:http';
  console.log(JSON.stringify({ level: 30, msg: 'hello' }));
  console.log(JSON.stringify({ level: 40, msg: 'careful', pid: process.pid }));
  const server = createServer((_, response) => response.writeHead(200).end('ok')).listen(process.env.PORT, '127.0.0.1');
  process.on('SIGTERM', () => { console.log(process.env.NAME + ' stops'); server.closeAllConnections(); server.close(); });`;

async function service(name: string, script = SERVER): Promise<Service> {
  const port = await freePort();
  return {
    name,
    command: process.execPath,
    args: ['--input-type=module', '-e', script],
    env: { ...process.env, PORT: String(port), NAME: name },
    logFile: join(scratch.path, `${name}.log`),
    health: `http://127.0.0.1:${port}/health`,
  };
}

it('starts again what was killed and stops in reverse order', async () => {
  const said: string[] = [];
  const set = supervise([await service('first'), await service('second')], (line) => said.push(line));
  await set.healthy(20_000);
  const pids = [set.pid('first') ?? 0, set.pid('second') ?? 0];
  await set.kill('first');
  const deadline = performance.now() + 10_000;
  while ((set.pid('first') ?? pids[0]) === pids[0] && performance.now() < deadline) await delay(20);
  await set.healthy(20_000);
  expect(set.pid('first')).not.toBe(pids[0]);
  expect(set.pid('second')).toBe(pids[1]);
  expect(
    said.find((line) => line.startsWith('first ended (SIGKILL); starting it again in 0.5 s')),
  ).toBeDefined();
  expect(said).toContain('[second] WARN careful');
  expect(said.join('\n')).not.toContain('hello');
  const last = [set.pid('first') ?? 0, set.pid('second') ?? 0];
  await set.stop();
  expect(last.map(processIdentity)).toEqual([undefined, undefined]);
  expect(readFileSync(join(scratch.path, 'second.log'), 'utf8')).toContain('second stops');
});

it('says which one is not healthy, with the end of its log', async () => {
  const broken = await service('broken', 'console.error("no such database"); process.exitCode = 3;');
  const set = supervise([broken], () => {});
  await expect(set.healthy(1_500)).rejects.toThrow(
    /broken is not healthy after 1.5 s[\s\S]*no such database/,
  );
  await set.stop();
});

it('gives up waiting for one that cannot start, long before the time is over', async () => {
  const said: string[] = [];
  const set = supervise([await service('hopeless', 'throw new Error("boom");')], (line) => said.push(line));
  await expect(set.healthy(60_000)).rejects.toThrow(/hopeless ended 4 times while starting[\s\S]*boom/);
  expect(said.filter((line) => line.includes('Error: boom'))).toHaveLength(4);
  expect(said.join('\n')).not.toMatch(/^\[hopeless\]\s+at /m);
  await set.stop();
});

it('does not start again what was ended on purpose', async () => {
  const said: string[] = [];
  const set = supervise([await service('ended')], (line) => said.push(line));
  await set.healthy(20_000);
  await set.end('ended');
  await delay(800);
  expect(set.pid('ended')).toBeUndefined();
  expect(said.join('\n')).not.toContain('starting it again');
  await set.stop();
});
