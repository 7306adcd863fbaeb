// Redis as a child process: append-only file synced every second, never evicts, a password of its own.
// Surprise: its configuration goes through a 0600 file and not the command line, where every user of the machine could read the password.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { logTail, type Running, startProgram, waitUntilReady } from '../process.ts';
import { claim, openDataDir, unclaim } from './data-dir.ts';
import { binaryFiles, type Say } from './fetch.ts';
import { ask } from './probe.ts';

export type RedisOptions = {
  dataDir: string;
  /** 0 (default) takes a free one. */
  port?: number;
  say?: Say;
};

export type Redis = {
  /** `redis://:<password>@127.0.0.1:<port>`. */
  url: string;
  pid: number;
  logFile: string;
  stop(): Promise<void>;
  /** SIGKILL (crash tests). */
  kill(): Promise<void>;
  exited: Promise<unknown>;
};

/** Starts it and waits until it has loaded its data. */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const { redis } = await binaryFiles(options.say);
  await openDataDir(options.dataDir);
  const attempts = options.port ? 1 : 3;
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    try {
      return await startOn(port, redis, options.dataDir);
    } catch (error) {
      if (
        attempt === attempts ||
        !/Address already in use/.test(logTail(join(options.dataDir, 'server.log')))
      )
        throw error;
    }
  }
}

async function startOn(port: number, binary: string, dataDir: string): Promise<Redis> {
  const password = keptPassword(join(dataDir, 'password'));
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `requirepass ${password}`,
    'dir .',
    'appendonly yes',
    'appendfsync everysec',
    'maxmemory-policy noeviction',
    'save ""',
    'daemonize no',
  ];
  writeFileSync(join(dataDir, 'redis.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  const logFile = join(dataDir, 'server.log');
  const running: Running = await startProgram({
    command: binary,
    args: ['redis.conf'],
    cwd: dataDir,
    output: { file: logFile },
  });
  claim(dataDir, running.pid);
  const request = Buffer.from(`AUTH ${password}\r\nPING\r\n`);
  await waitUntilReady({ what: 'Redis', running, logFile, timeoutMs: 30_000 }, () =>
    ask(port, request, (answer) => {
      const text = answer.toString('latin1');
      if (text.startsWith('+OK\r\n+PONG')) return true;
      return text.includes('-') ? false : undefined;
    }),
  );
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    pid: running.pid,
    logFile,
    exited: running.exited,
    async stop() {
      await running.stop();
      unclaim(dataDir);
    },
    async kill() {
      await running.kill();
    },
  };
}

/** The password in `file`; made when there is none. */
export function keptPassword(file: string): string {
  if (existsSync(file)) {
    const kept = readFileSync(file, 'utf8').trim();
    if (kept !== '') return kept;
  }
  const password = randomBytes(24).toString('hex');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}
