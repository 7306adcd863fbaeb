// Copies the current schemas into history/<version>: `node schemas/freeze.ts [v1]`. Run it when a release is made.
// Prints what changed and what the new copy breaks compared with the one that it replaces.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { breaksSince, schemaFiles } from './released.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Replaces history/<version> by copies of the current files; one line per added, changed or removed file and per break. */
export function freeze(version: string, root: string = here): string[] {
  const target = join(root, 'history', version);
  const lines = existsSync(target) ? breaksSince(target, root).map((found) => `breaks ${found}`) : [];
  const current = schemaFiles(root);
  const frozen = schemaFiles(target);
  for (const file of frozen)
    if (!current.includes(file)) {
      lines.push(`removed ${file}`);
      rmSync(join(target, file));
    }
  for (const file of current) {
    const [from, to] = [join(root, file), join(target, file)];
    if (!existsSync(to)) lines.push(`added ${file}`);
    else if (readFileSync(from, 'utf8') !== readFileSync(to, 'utf8')) lines.push(`changed ${file}`);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
  }
  return lines;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const version = process.argv[2] ?? 'v1';
  if (!/^v[1-9]\d*$/.test(version)) throw new Error(`a version is v1, v2 and so on, not ${version}`);
  const lines = freeze(version);
  process.stdout.write(`${[...lines, `schemas/history/${version} is the current state`].join('\n')}\n`);
}
