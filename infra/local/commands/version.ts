// ./tocsin version
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../home.ts';

export async function run(): Promise<number> {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    version: string;
  };
  console.log(`tocsin ${version} (node ${process.versions.node})`);
  return 0;
}
