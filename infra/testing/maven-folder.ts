// Test servers that Maven fetches into the cache, once.
//
// Invariant: a folder is complete or absent (filled aside, renamed), and one process fills it at a time.
// Surprise: Maven's dependency plugin is pinned to 2.8: later ones read the artifact's parent POM, which repository mirrors may lack.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tocsinHome } from '@tocsin/local/home.ts';
import { waitForLock } from '@tocsin/local/lock.ts';

/** Goals of Maven's dependency plugin begin with this. */
export const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:2.8';

/** The folder `<cache>/<name>`; when it is not there, what `fill` puts into `<staging>/files`. */
export async function mavenFolder(name: string, fill: (staging: string) => void): Promise<string> {
  const cache = join(tocsinHome(), 'cache');
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const lock = await waitForLock(join(cache, `${name}-lock`));
  // Not `staging-*`: fetch.ts removes those under its own lock.
  const staging = join(cache, `${name}-staging-${process.pid}`);
  try {
    if (existsSync(folder)) return folder;
    mkdirSync(join(staging, 'files'), { recursive: true });
    fill(staging);
    renameSync(join(staging, 'files'), folder);
    return folder;
  } finally {
    rmSync(staging, { recursive: true, force: true });
    lock.release();
  }
}

/** Runs a program to its end; throws the end of its output when it fails. */
export function must(command: string, args: readonly string[]): void {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  if (run.status === 0) return;
  const output = `${run.stdout ?? ''}${run.stderr ?? ''}`.trim().split('\n').slice(-5).join('\n');
  throw new Error(`${command} failed (${run.error?.message ?? run.status}): ${output}`);
}
