// Runs another file of this checkout with this Node, on this terminal.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repository } from '../home.ts';

/** Exit code of the script; 1 when a signal ended it. Throws when there is no such file. */
export async function runScript(
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const file = join(repository, path);
  if (!existsSync(file)) throw new Error(`this checkout has no ${relative(repository, file)}`);
  const child = spawn(process.execPath, [file, ...args], { stdio: 'inherit', env });
  // The terminal sends Ctrl-C to both; the script decides how it ends, and we report its code.
  const wait = () => {};
  process.on('SIGINT', wait).on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
