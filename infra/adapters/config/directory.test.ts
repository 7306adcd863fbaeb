// Configuration from files: documents of every form, bad files left out by name, changes seen.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ConfigEntry } from './config-source.ts';
import { readConfigDirectory, watchConfigDirectory } from './directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'config with space-'));
});
afterEach(() => rm(directory, { recursive: true }));

const put = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text);
const keysOf = (entries: readonly ConfigEntry[]): string[] => entries.map(({ key }) => key);

test('YAML with several documents, JSON, lists, subfolders', async () => {
  await put('a.yaml', 'kind: rule\nid: one\n---\nkind: rule\nid: two\n');
  await put('b.json', '[{"kind":"action","id":"three"},{"kind":"action","id":"four"}]');
  await mkdir(join(directory, 'sub'));
  await put('sub/c.yml', 'kind: sink\nid: five\n');
  await put('notes.txt', 'not configuration');
  await put('.hidden.yaml', 'kind: rule\nid: hidden\n');
  const { entries, problems } = await readConfigDirectory(directory);
  expect(keysOf(entries)).toEqual(['rule/one', 'rule/two', 'action/three', 'action/four', 'sink/five']);
  expect(problems).toEqual([]);
});

test.each([
  ['broken YAML', 'kind: [', 'Flow sequence'],
  ['a key twice', 'kind: rule\nid: x\nid: y\n', 'unique'],
  ['no object', '- just\n- words\n', 'a document must be an object'],
  ['no id', 'kind: rule\n', 'a document needs kind and id'],
  [
    'an alias bomb',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${Array(10).fill('*a')}]\nc: &c [${Array(10).fill('*b')}]\nd: [${Array(10).fill('*c')}]\n`,
    'alias',
  ],
])('%s is left out by name and takes nothing down', async (_name, text, message) => {
  await put('bad.yaml', text);
  await put('good.yaml', 'kind: rule\nid: good\n');
  const { entries, problems } = await readConfigDirectory(directory);
  expect(keysOf(entries)).toEqual(['rule/good']);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems[0]).toContain('bad.yaml');
  expect(problems[0]).toContain(message);
});

test('the same document in two files: the first counts, the second is named', async () => {
  await put('a.yaml', 'kind: rule\nid: x\n');
  await put('b.yaml', 'kind: rule\nid: x\nname: other\n');
  const { entries, problems } = await readConfigDirectory(directory);
  expect(entries.length).toBe(1);
  expect(problems[0]).toMatch(/b\.yaml: rule\/x is also defined in .*a\.yaml/);
});

test('revisions follow the content', async () => {
  await put('a.yaml', 'kind: rule\nid: x\n');
  const first = (await readConfigDirectory(directory)).entries[0]?.record?.revision;
  expect((await readConfigDirectory(directory)).entries[0]?.record?.revision).toBe(first);
  await put('a.yaml', 'kind: rule\nid: x\nname: changed\n');
  expect((await readConfigDirectory(directory)).entries[0]?.record?.revision).not.toBe(first);
  expect(Number.isInteger(first) && (first ?? 0) >= 1).toBe(true);
});

test('changes, additions and deletions are seen; a folder that vanishes for a moment deletes nothing', async () => {
  await put('a.yaml', 'kind: rule\nid: a\n');
  await put('b.yaml', 'kind: rule\nid: b\n');
  const changes: string[] = [];
  const stop = watchConfigDirectory(
    directory,
    await readConfigDirectory(directory),
    (entries) => changes.push(...entries.map(({ key, record }) => `${record === null ? '-' : '+'}${key}`)),
    20,
  );
  try {
    await put('a.yaml', 'kind: rule\nid: a\nname: new\n');
    await rm(join(directory, 'b.yaml'));
    await put('c.yaml', 'kind: rule\nid: c\n');
    await vi.waitFor(
      () => expect(new Set(changes)).toEqual(new Set(['-rule/a', '+rule/a', '-rule/b', '+rule/c'])),
      5_000,
    );
    expect(changes.indexOf('-rule/a')).toBeLessThan(changes.indexOf('+rule/a'));
  } finally {
    stop();
  }
});
