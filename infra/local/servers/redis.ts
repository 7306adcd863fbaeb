// Redis as a child process: append-only file synced every second, never evicts, a password of its own.
// Surprise: its configuration goes through a 0600 file and not the command line, where every user of the machine could read the password.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keptPassword, openDataDir } from './data-dir.ts';
import { binaryFiles } from './fetch.ts';
import { type OwnServer, type OwnServerOptions, startOwnServer } from './own-server.ts';
import { ask } from './probe.ts';

/** Its url is `redis://:<password>@127.0.0.1:<port>`. */
export type Redis = OwnServer;

/** Starts it and waits until it has loaded its data. */
export async function startRedis(options: OwnServerOptions): Promise<Redis> {
  const { redis } = await binaryFiles(options.say);
  const { dataDir } = options;
  await openDataDir(dataDir);
  const password = keptPassword(join(dataDir, 'password'));
  return startOwnServer({
    what: 'Redis',
    dataDir,
    port: options.port,
    timeoutMs: 30_000,
    program: (port) => {
      configure(dataDir, port, password);
      return { command: redis, args: ['redis.conf'] };
    },
    serves: (port) => answersPing(port, password),
    url: (port) => `redis://:${password}@127.0.0.1:${port}`,
  });
}

function configure(dataDir: string, port: number, password: string): void {
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
}

function answersPing(port: number, password: string): Promise<boolean> {
  return ask(port, Buffer.from(`AUTH ${password}\r\nPING\r\n`), (answer) => {
    const text = answer.toString('latin1');
    if (text.startsWith('+OK\r\n+PONG')) return true;
    return text.includes('-') ? false : undefined;
  });
}
