// Configuration as files: every *.yaml, *.yml and *.json below a folder is one document or a list of documents.
//
// A file that cannot be read is left out and reported, and so is a rule whose own tests fail. The revision of a document is derived from its content, so the
// same files give the same revisions everywhere.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import { everyGrant } from '@tocsin/topologies/domain/action/grants.ts';
import { configKey } from '@tocsin/topologies/domain/config/config-table.ts';
import { parseAllDocuments } from 'yaml';
import type { ConfigEntry } from './config-source.ts';
import { createRuleTestGate, type RuleTestGate } from './rule-tests.ts';

export interface DirectoryContent {
  readonly entries: readonly ConfigEntry[];
  readonly problems: readonly string[];
}

const extensions = new Set(['.yaml', '.yml', '.json']);
/** Largest file read, bytes. */
const maxFileBytes = 4 * 1024 * 1024;

/** Reads the folder and its subfolders in the order of their names. Rejects only when the folder itself is unreadable. */
export async function readConfigDirectory(
  directory: string,
  testRules: RuleTestGate = createRuleTestGate(Date.now),
): Promise<DirectoryContent> {
  const { files, problems: unread } = await readDocumentDirectory(directory);
  const entries: ConfigEntry[] = [];
  const problems = [...unread];
  const seen = new Map<string, string>();
  for (const { name, documents } of files) {
    for (const document of documents) {
      const entry = entryOf(document);
      if (typeof entry === 'string') problems.push(`${name}: ${entry}`);
      else if (seen.has(entry.key))
        problems.push(`${name}: ${entry.key} is also defined in ${seen.get(entry.key)}`);
      else {
        seen.set(entry.key, name);
        entries.push(entry);
      }
    }
  }
  const failing = testRules(entries);
  for (const [key, issues] of failing)
    problems.push(`${seen.get(key)}: ${key} is left out, its tests fail: ${formatIssues(issues)}`);
  return { entries: entries.filter(({ key }) => !failing.has(key)), problems };
}

export interface DocumentFiles {
  readonly files: readonly { readonly name: string; readonly documents: readonly unknown[] }[];
  readonly problems: readonly string[];
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && extensions.has(extname(entry.name)) && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Changes when anything does that `readConfigDirectory` would see. Not from times of change, which two edits can share. */
async function fingerprintOf(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of await namesIn(directory)) {
    const content = await readFile(name).catch((error: unknown) => Buffer.from(String(error)));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('base64');
}

/** The documents of every YAML and JSON file below a folder, whatever they are. Rejects when the folder is unreadable. */
export async function readDocumentDirectory(directory: string): Promise<DocumentFiles> {
  const names = await namesIn(directory);
  const files: { name: string; documents: unknown[] }[] = [];
  const problems: string[] = [];
  for (const name of names) {
    const documents = await readDocuments(name);
    if (typeof documents === 'string') problems.push(`${name}: ${documents}`);
    else files.push({ name, documents });
  }
  return { files, problems };
}

/** The documents of one YAML or JSON file (a list counts as its elements), or why it cannot be read. */
export async function readDocuments(name: string): Promise<unknown[] | string> {
  try {
    const text = await readFile(name, 'utf8');
    if (text.length > maxFileBytes) return `larger than ${maxFileBytes} bytes`;
    const parsed = parseAllDocuments(text, { uniqueKeys: true, version: '1.2' });
    const documents: unknown[] = [];
    for (const document of parsed) {
      const error = document.errors[0];
      if (error !== undefined) return error.message;
      // Aliases are expanded at most 100 times: a small file must not grow without bound.
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      if (Array.isArray(value)) documents.push(...value);
      else if (value !== null && value !== undefined) documents.push(value);
    }
    return documents;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function entryOf(document: unknown): ConfigEntry | string {
  if (typeof document !== 'object' || document === null) return 'a document must be an object';
  const { kind, id } = document as { kind?: unknown; id?: unknown };
  if (typeof kind !== 'string' || typeof id !== 'string') return 'a document needs kind and id';
  const digest = createHash('sha256').update(JSON.stringify(document)).digest();
  return {
    key: configKey(kind, id),
    record: {
      v: 1,
      revision: (digest.readUInt32BE(0) >>> 1) + 1,
      updated_at: 0,
      // Whoever may write the files owns the configuration.
      grants: [everyGrant],
      document: document as { kind: string; id: string },
    },
  };
}

/**
 * Looks at the folder every `intervalMs` and reports what changed, deletions and new problems included. A changed document is reported
 * as deleted and then as new, because revisions made from content have no order. Files are parsed again only when one of them
 * changed: with thousands of documents that takes a second.
 */
export function watchConfigDirectory(
  directory: string,
  initial: DirectoryContent,
  onChange: (entries: readonly ConfigEntry[], problems: readonly string[]) => void,
  intervalMs = 1_000,
): () => void {
  const stopping = new AbortController();
  const testRules = createRuleTestGate(Date.now);
  let held = revisionsOf(initial.entries);
  let known = new Set(initial.problems);
  let seen: string | null = null;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await sleep(intervalMs, undefined, { signal: stopping.signal, ref: false });
      const fingerprint = await fingerprintOf(directory).catch(() => null);
      if (fingerprint === null || fingerprint === seen) continue;
      const content = await readConfigDirectory(directory, testRules).catch(() => null);
      if (content === null) continue;
      seen = fingerprint;
      const now = revisionsOf(content.entries);
      const changed: ConfigEntry[] = [];
      for (const key of held.keys()) if (now.get(key) !== held.get(key)) changed.push({ key, record: null });
      for (const entry of content.entries)
        if (held.get(entry.key) !== now.get(entry.key)) changed.push(entry);
      held = now;
      const fresh = content.problems.filter((problem) => !known.has(problem));
      known = new Set(content.problems);
      if (changed.length > 0 || fresh.length > 0) onChange(changed, fresh);
    }
  };
  run().catch(() => undefined);
  return () => stopping.abort();
}

function revisionsOf(entries: readonly ConfigEntry[]): Map<string, number> {
  return new Map(entries.map((entry) => [entry.key, entry.record?.revision ?? 0]));
}
