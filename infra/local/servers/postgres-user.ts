// PostgreSQL refuses to run as root; this decides which user it runs as and where that user can reach its files.
// Surprise: root's home is closed to other users (0700), so below it the binaries and the data live in /var/lib/tocsin
// and the data folder asked for becomes a symbolic link; no permission of a folder that is not ours is ever changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export type User = { uid: number; gid: number };

const SHARED = '/var/lib/tocsin';

/** Undefined for an ordinary user. For root the first that the machine has of `postgres`, `_postgres`, `nobody`. */
export function postgresUser(uid = process.getuid?.() ?? -1, passwd = readPasswd()): User | undefined {
  if (uid !== 0) return undefined;
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const line = passwd.split('\n').find((each) => each.startsWith(`${name}:`));
    const [, , user, group] = line?.split(':') ?? [];
    if (Number(user) > 0 && Number(group) > 0) return { uid: Number(user), gid: Number(group) };
  }
  throw new Error(
    'PostgreSQL does not run as root and there is no user postgres or nobody: run as an ordinary user, or set DATABASE_URL.',
  );
}

function readPasswd(): string {
  return existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
}

/** Whether the user can enter `folder`; asked of the kernel, as that user. */
export function canEnter(user: User, folder: string): boolean {
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1" && ls . >/dev/null', 'sh', folder], {
      ...user,
      cwd: '/',
      stdio: 'ignore',
    }).status === 0
  );
}

/** PostgreSQL's folder itself, or a copy of it that the user can read. */
export function reachableBinaries(user: User | undefined, folder: string): string {
  if (user === undefined || canEnter(user, folder)) return folder;
  const copy = join(SHARED, dirname(folder).split('/').at(-1) ?? 'postgres');
  if (existsSync(copy)) return copy;
  makeShared();
  const aside = `${copy}.${process.pid}`;
  cpSync(folder, aside, { recursive: true, verbatimSymlinks: true });
  const opened = spawnSync('chmod', ['-R', 'a+rX', aside], { encoding: 'utf8' });
  if (opened.status !== 0) throw new Error(`chmod failed: ${opened.error?.message ?? opened.stderr}`);
  try {
    renameSync(aside, copy);
  } catch (error) {
    // Another process was faster.
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/** Makes `dataDir` (0700, the user's) and answers the path to use for it. */
export function reachableDataDir(user: User | undefined, dataDir: string): string {
  if (user === undefined) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return dataDir;
  }
  mkdirSync(dirname(dataDir), { recursive: true });
  const elsewhere = join(
    SHARED,
    `data-${createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 16)}`,
  );
  const link = lstatSync(dataDir, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() && readlinkSync(dataDir) === elsewhere && existsSync(elsewhere))
    return elsewhere;
  if (link?.isSymbolicLink()) rmSync(dataDir);
  if (!link?.isDirectory()) mkdirSync(dataDir, { mode: 0o700 });
  own(dataDir, user);
  if (canEnter(user, dataDir)) return dataDir;
  // Whatever is still there belonged to a data folder of this path that was deleted.
  rmSync(elsewhere, { recursive: true, force: true });
  makeShared();
  cpSync(dataDir, elsewhere, { recursive: true, verbatimSymlinks: true });
  own(elsewhere, user);
  rmSync(dataDir, { recursive: true });
  symlinkSync(elsewhere, dataDir);
  return elsewhere;
}

// The mode is set apart because a strict umask would narrow it.
function makeShared(): void {
  mkdirSync(SHARED, { recursive: true });
  chmodSync(SHARED, 0o755);
}

// Also what an ordinary user or another root session left there: the same checkout may be run as both.
function own(folder: string, user: User): void {
  if (lstatSync(folder).uid === user.uid) return;
  lchownSync(folder, user.uid, user.gid);
  for (const name of readdirSync(folder, { recursive: true }) as string[])
    lchownSync(join(folder, name), user.uid, user.gid);
}
