// The shared start of our servers, with a shell in their place: another port when one is taken, and never in silence.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type OwnServerProgram, startOwnServer } from './own-server.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'own-server-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const taken = 'echo "bind: Address already in use"; exit 1';

/** The n-th start runs the n-th script. */
function rig(scripts: readonly string[], port?: number) {
  const ports: number[] = [];
  const server: OwnServerProgram = {
    what: 'Server',
    dataDir,
    port,
    timeoutMs: 5_000,
    program: (at) => {
      ports.push(at);
      return { command: '/bin/sh', args: ['-c', scripts[ports.length - 1] ?? 'exit 9'] };
    },
    serves: async () => existsSync(join(dataDir, 'up')),
    url: (at) => `test://127.0.0.1:${at}`,
  };
  return { server, ports };
}

it('tries another port when the one it found was taken meanwhile', async () => {
  const { server, ports } = rig([taken, 'touch up; exec sleep 60']);
  const started = await startOwnServer(server);
  expect(new Set(ports).size).toBe(2);
  expect(started.url).toBe(`test://127.0.0.1:${ports[1]}`);
  expect(existsSync(join(dataDir, 'server.pid'))).toBe(true);
  await started.stop();
  expect(existsSync(join(dataDir, 'server.pid'))).toBe(false);
});

it('gives up after three ports, and at once on a port that was asked for', async () => {
  const free = rig([taken, taken, taken, taken]);
  await expect(startOwnServer(free.server)).rejects.toThrow(/Server ended while starting \(code 1\)/);
  expect(free.ports).toHaveLength(3);
  const fixed = rig([taken], 5432);
  await expect(startOwnServer(fixed.server)).rejects.toThrow('Address already in use');
  expect(fixed.ports).toEqual([5432]);
});

it('fails with the end of the log when it is something else', async () => {
  const { server, ports } = rig(['echo "no space left"; exit 3']);
  await expect(startOwnServer(server)).rejects.toThrow(/code 3.*\n.*no space left/s);
  expect(ports).toHaveLength(1);
});

it('ends the process on kill and leaves the claim to the next start', async () => {
  const { server } = rig(['touch up; exec sleep 60']);
  const started = await startOwnServer(server);
  await started.kill();
  await started.exited;
  expect(existsSync(join(dataDir, 'server.pid'))).toBe(true);
});
