// What every server's data folder needs: one user at a time, a pid file that tells a stale one from a live one, a password.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processIdentity } from '../process.ts';

/** Notes which process uses the folder. */
export function claim(dataDir: string, pid: number): void {
  writeFileSync(join(dataDir, 'server.pid'), `${pid} ${processIdentity(pid) ?? ''}\n`);
}

export function unclaim(dataDir: string): void {
  rmSync(join(dataDir, 'server.pid'), { force: true });
}

/**
 * Creates the folder, or waits until the server that used it last is gone: after `kill -9` of its parent it has some seconds
 * to shut down. Throws when it is still there after that, because two servers on one folder destroy it.
 */
export async function openDataDir(dataDir: string, waitMs = 20_000): Promise<void> {
  mkdirSync(dataDir, { recursive: true });
  const deadline = performance.now() + waitMs;
  for (;;) {
    const pid = userOf(dataDir);
    if (pid === undefined) return;
    if (performance.now() > deadline) throw new Error(`${dataDir} is in use by process ${pid}`);
    await delay(100);
  }
}

function userOf(dataDir: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(join(dataDir, 'server.pid'), 'utf8');
  } catch {
    return undefined;
  }
  const [pid = '', identity = ''] = text.trim().split(' ');
  return identity !== '' && processIdentity(Number(pid)) === identity ? Number(pid) : undefined;
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
