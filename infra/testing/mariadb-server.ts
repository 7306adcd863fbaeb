// A MariaDB server for tests: Debian's mariadbd on a folder that is thrown away, as a child process that dies with this one.
//
// Invariant: it listens on 127.0.0.1 only. A machine without mariadbd gets it by apt-get where this is root; everybody else gets the
// command that installs it, as the failure of the test.
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import { logTail, type Running, startProgram, waitUntilReady } from '@tocsin/local/process.ts';
import { postgresUser } from '@tocsin/local/servers/postgres-user.ts';
import { must } from './cache.ts';
import type { Certificate } from './certificates.ts';
import { scratchFolder } from './scratch.ts';

export interface MariadbServer {
  readonly port: number;
  /** A user with a password and every right. */
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const install =
  'apt-get update && apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core';

/** Starts it and waits until it serves, about 3 s; with `tls` it speaks TLS to who asks for it. */
export async function startMariadb(options: { readonly tls?: Certificate } = {}): Promise<MariadbServer> {
  ensureInstalled();
  const scratch = scratchFolder('mariadb');
  // mariadbd refuses root as PostgreSQL does.
  const user = postgresUser();
  if (user !== undefined) chownSync(scratch.path, user.uid, user.gid);
  const dataDir = join(scratch.path, 'data');
  const logFile = join(scratch.path, 'server.log');
  const { password, database, account } = { password: 'tocsin-test', database: 'soc', account: 'tocsin' };
  const made = spawnSync(
    'mariadb-install-db',
    ['--no-defaults', `--datadir=${dataDir}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...user, cwd: scratch.path, encoding: 'utf8' },
  );
  if (made.status !== 0) {
    scratch.remove();
    const why = made.error?.message ?? made.status;
    throw new Error(`mariadb-install-db failed (${why}): ${made.stdout}${made.stderr}`);
  }
  const port = await freePort();
  const running: Running = await startProgram({
    command: mariadbd() as string,
    args: [
      '--no-defaults',
      `--datadir=${dataDir}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      `--socket=${join(scratch.path, 'socket')}`,
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=32M',
      '--performance-schema=OFF',
      ...tlsArguments(scratch.path, options.tls),
      // Run by the server itself, one statement a line, before it listens.
      `--init-file=${writeInit(scratch.path, { password, database, account })}`,
    ],
    cwd: scratch.path,
    user,
    output: { file: logFile },
  });
  await waitUntilReady({ what: 'MariaDB', running, logFile, timeoutMs: 60_000 }, async () =>
    logTail(logFile, 40).includes('ready for connections'),
  );
  return {
    port,
    user: account,
    password,
    database,
    stop: async () => {
      await running.stop();
      scratch.remove();
    },
  };
}

function tlsArguments(folder: string, certificate: Certificate | undefined): string[] {
  if (certificate === undefined) return [];
  return (['cert', 'key'] as const).map((part) => {
    const file = join(folder, `tls.${part}`);
    writeFileSync(file, certificate[part], { mode: 0o644 });
    return `--ssl-${part}=${file}`;
  });
}

function writeInit(
  folder: string,
  { account, password, database }: Readonly<Record<'account' | 'password' | 'database', string>>,
): string {
  const file = join(folder, 'init.sql');
  writeFileSync(
    file,
    `CREATE DATABASE ${database} CHARACTER SET utf8mb4;
CREATE USER ${account}@'%' IDENTIFIED BY '${password}';
GRANT ALL ON *.* TO ${account}@'%';
`,
    { mode: 0o644 },
  );
  return file;
}

// mariadb-install-db is a script that needs my_print_defaults, of the client package.
function mariadbd(): string | undefined {
  if (!existsSync('/usr/bin/my_print_defaults') && !existsSync('/usr/local/bin/my_print_defaults'))
    return undefined;
  return ['/usr/sbin/mariadbd', '/usr/local/sbin/mariadbd', '/usr/bin/mariadbd'].find(existsSync);
}

function ensureInstalled(): void {
  if (mariadbd() !== undefined) return;
  const isRoot = process.getuid?.() === 0;
  const apt = spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!isRoot || !apt)
    throw new Error(`This test needs mariadbd. Install it with: ${isRoot ? '' : 'sudo '}${install}`);
  must('sh', ['-c', install], { ...process.env, DEBIAN_FRONTEND: 'noninteractive' });
}
