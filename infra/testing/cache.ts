// Folders of servers that tests fetch once for all runs of a machine.
//
// Invariant: a folder in the cache is complete or absent (filled aside, renamed), and one process fills it at a time.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tocsinHome } from '@tocsin/local/home.ts';
import { waitForLock } from '@tocsin/local/lock.ts';

/** The folder `name` of the cache; `fill` puts its files into the empty folder that it is given when there is none yet. */
export async function cachedFolder(name: string, fill: (folder: string) => void): Promise<string> {
  const cache = join(tocsinHome(), 'cache');
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const lock = await waitForLock(join(cache, `${name}-lock`));
  // Not `staging-*`: fetch.ts removes those under its own lock.
  const staging = join(cache, `${name}-staging-${process.pid}`);
  try {
    if (existsSync(folder)) return folder;
    mkdirSync(staging, { recursive: true });
    fill(staging);
    renameSync(staging, folder);
    return folder;
  } finally {
    rmSync(staging, { recursive: true, force: true });
    lock.release();
  }
}

/** Runs a program to its end; throws with the last lines of its output when it fails. */
export function must(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const run = spawnSync(command, args, { encoding: 'utf8', env });
  if (run.status === 0) return;
  const output = `${run.stdout ?? ''}${run.stderr ?? ''}`.trim().split('\n').slice(-5).join('\n');
  throw new Error(`${command} failed (${run.error?.message ?? run.status}): ${output}`);
}
