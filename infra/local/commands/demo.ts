// ./tocsin demo: infra/local/demo/main.ts exports `run(args)`, which answers the exit code.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository } from '../home.ts';
import type { Run } from './table.ts';

export async function run(args: string[]): Promise<number> {
  const file = join(repository, 'infra/local/demo/main.ts');
  if (!existsSync(file)) throw new Error('this checkout has no infra/local/demo/main.ts');
  const demo = (await import(pathToFileURL(file).href)) as { run: Run };
  return demo.run(args);
}
