// Compares a folder of released schemas (documents/*.json, messages/*.avsc) with the current ones.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolutionFault } from './codecs/avro-schema.ts';
import { findBreaks, type Resolve, type Schema } from './compat.ts';

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
