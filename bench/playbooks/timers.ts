// The timers of the engine, as `bench timers` measures them: the same command, as one line of this one.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PartOptions } from './options.ts';

export async function measureTimers({ say }: PartOptions): Promise<void> {
  const file = fileURLToPath(new URL('../timers.bench.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [file], { maxBuffer: 1 << 26 });
  say({ part: 'timers', ...(JSON.parse(stdout) as object) });
}
