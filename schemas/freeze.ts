// The released schemas in history/<version>: compares them with the current ones, and makes such a copy when a release is made:
// `node schemas/freeze.ts [v1]` prints what changed and what the new copy breaks compared with the one that it replaces.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolutionFault } from './codecs/avro-schema.ts';
import { findBreaks, type Resolve, type Schema } from './compat.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Paths of all schemas below `root`, such as documents/rule.json; empty when there are none. */
export function schemaFiles(root: string): string[] {
  const folders: [string, string][] = [
    ['documents', '.json'],
    ['messages', '.avsc'],
  ];
  return folders.flatMap(([folder, ending]) => {
    const path = join(root, folder);
    if (!existsSync(path)) return [];
    const names = readdirSync(path).filter((name) => name.endsWith(ending));
    return names.sort().map((name) => `${folder}/${name}`);
  });
}

/**
 * What the schemas of `current` no longer accept of those in `released`, one line each; empty when compatible (BACKWARD:
 * today's reader takes everything that was written under the released schemas).
 */
export function breaksSince(released: string, current: string): string[] {
  return schemaFiles(released).flatMap((file) => {
    if (!existsSync(join(current, file))) return [`${file}: is gone`];
    const [before, after] = [read(released, file), read(current, file)];
    if (file.endsWith('.avsc')) {
      const fault = resolutionFault(after, before);
      return fault === null ? [] : [`${file}: ${fault}`];
    }
    const versions = { before: resolverOf(released), after: resolverOf(current) };
    const name = file.slice('documents/'.length);
    return findBreaks(before, after, name, versions).map(
      ({ path, message }) => `${file}: ${path || '/'} ${message}`,
    );
  });
}

function read(root: string, file: string): Schema {
  return JSON.parse(readFileSync(join(root, file), 'utf8')) as Schema;
}

function resolverOf(root: string): Resolve {
  return (ref, base) => {
    const [file = '', pointer = ''] = ref.split('#', 2);
    const name = file || base;
    let node: unknown = read(root, `documents/${name}`);
    for (const token of pointer.split('/').slice(1))
      node = (node as Record<string, unknown>)[token.replaceAll('~1', '/').replaceAll('~0', '~')];
    if (node === undefined) throw new Error(`${base}: nothing at ${ref}`);
    return { schema: node as Schema, base: name };
  };
}

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
