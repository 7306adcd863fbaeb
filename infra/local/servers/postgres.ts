// PostgreSQL as a child process: one superuser `tocsin`, SCRAM with a generated password, TCP on 127.0.0.1 only.
// Invariant: a data folder is initialised whole or not at all (initdb fills it aside, then it is renamed).
// Surprise: as root it runs as another user (postgres-user.ts); fast shutdown is SIGINT, SIGTERM would wait for the clients.
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keptPassword, openDataDir } from './data-dir.ts';
import { binaryFiles } from './fetch.ts';
import { type OwnServer, type OwnServerOptions, startOwnServer } from './own-server.ts';
import { postgresUser, reachableBinaries, reachableDataDir, type User } from './postgres-user.ts';
import { ask } from './probe.ts';

export type PostgresOptions = OwnServerOptions & {
  /** Server settings, e.g. `{ fsync: 'off' }` for throw-away data. */
  settings?: Readonly<Record<string, string>>;
};

/** Its url is `postgres://tocsin:<password>@127.0.0.1:<port>/postgres`; the user is a superuser. */
export type Postgres = OwnServer;

/** Initialises the folder when it is new, starts the server and waits until it takes connections. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const user = postgresUser();
  const files = await binaryFiles(options.say);
  const home = reachableBinaries(user, files.postgres);
  const dataDir = reachableDataDir(user, options.dataDir);
  await openDataDir(dataDir);
  const password = keptPassword(join(dataDir, 'password'));
  if (user) chownSync(join(dataDir, 'password'), user.uid, user.gid);
  if (!existsSync(join(dataDir, 'data', 'PG_VERSION'))) initialise(home, dataDir, user);
  // openDataDir made sure that nobody uses the folder; a pid file left by a crash may name a process that is somebody else's by now.
  rmSync(join(dataDir, 'data', 'postmaster.pid'), { force: true });
  return startOwnServer({
    what: 'PostgreSQL',
    dataDir,
    port: options.port,
    timeoutMs: 60_000,
    program: (port) => ({
      command: join(home, 'bin', 'postgres'),
      args: ['-D', 'data', ...settingArgs(port, options.settings)],
      env: environment(),
      user,
      stopSignal: 'SIGINT',
    }),
    serves: takesConnections,
    url: (port) => `postgres://tocsin:${password}@127.0.0.1:${port}/postgres`,
  });
}

function initialise(home: string, dataDir: string, user: User | undefined): void {
  const aside = join(dataDir, 'data.new');
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { mode: 0o700 });
  if (user) chownSync(aside, user.uid, user.gid);
  const args = [
    '-D',
    'data.new',
    '-U',
    'tocsin',
    '-A',
    'scram-sha-256',
    '--pwfile',
    'password',
    '-E',
    'UTF8',
    '--locale',
    'C',
  ];
  const run = spawnSync(join(home, 'bin', 'initdb'), args, {
    cwd: dataDir,
    encoding: 'utf8',
    env: environment(),
    ...(user ?? {}),
  });
  if (run.status !== 0)
    throw new Error(`PostgreSQL could not initialise ${dataDir}: ${run.error?.message ?? run.stderr.trim()}`);
  renameSync(aside, join(dataDir, 'data'));
}

// Only what it needs: PGDATA, PGPORT and the like of the caller would change where it starts.
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

function settingArgs(port: number, own: PostgresOptions['settings'] = {}): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // A socket path has 107 bytes at most; a checkout may lie deeper.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    log_min_messages: 'warning',
    log_line_prefix: '%m [%p] ',
    timezone: 'UTC',
    ...own,
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
}

// A startup message (protocol 3.0): 'R' asks for authentication, 'E' says for example "the database system is starting up".
function takesConnections(port: number): Promise<boolean> {
  const parameters = Buffer.from('user\0tocsin\0database\0postgres\0\0');
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + parameters.length, 0);
  head.writeInt32BE(196_608, 4);
  return ask(port, Buffer.concat([head, parameters]), (answer) =>
    answer.length === 0 ? undefined : answer[0] === 0x52,
  );
}
