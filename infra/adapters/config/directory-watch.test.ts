// A folder is looked at every second for as long as a service runs: what did not change must cost next to nothing.
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readConfigDirectory, watchConfigDirectory } from './directory.ts';

vi.mock('yaml', async (original) => {
  const yaml = await original<typeof import('yaml')>();
  return { ...yaml, parseAllDocuments: vi.fn(yaml.parseAllDocuments) };
});
const parses = vi.mocked(parseAllDocuments).mock.calls;

test('files are parsed again when one changed, were it in the same moment and by one letter, and not otherwise', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'watched-'));
  const file = join(directory, 'a.yaml');
  const put = async (text: string): Promise<void> => {
    await writeFile(file, text);
    await utimes(file, 1, 1);
  };
  await put('kind: rule\nid: a\n');
  const changes: string[] = [];
  const stop = watchConfigDirectory(
    directory,
    await readConfigDirectory(directory),
    (entries) => changes.push(...entries.map(({ key, record }) => `${record === null ? '-' : '+'}${key}`)),
    5,
  );
  try {
    await sleep(150);
    const before = parses.length;
    await sleep(150);
    expect(parses.length).toBe(before);
    await put('kind: rule\nid: b\n');
    await vi.waitFor(() => expect(changes).toEqual(['-rule/a', '+rule/b']), 5_000);
    expect(parses.length).toBeGreaterThan(before);
  } finally {
    stop();
    await rm(directory, { recursive: true });
  }
});
