// The playbooks of a folder become versions; what cannot be used is left out by name, and changes are published too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { afterEach, expect, test } from 'vitest';
import { publishFiles } from './publish-files.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folderOf(files: Record<string, string>) {
  const path = mkdtempSync(join(tmpdir(), 'publish-'));
  folders.push(path);
  const write = (name: string, text: string) => writeFileSync(join(path, name), text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { path, write };
}

const playbook = (id: string, action: string) =>
  `kind: playbook\nid: ${id}\nsteps:\n  - { id: a, action: ${action} }\n`;
const mail = 'kind: action\nid: mail\ntype: email\nconnection: relay\nparams: { to: soc@example.com }\n';

test('usable playbooks are published with the actions that they name; a change is another version', async () => {
  const folder = folderOf({
    'mail.yaml': mail,
    'good.yaml': playbook('good', 'mail'),
    'missing.yaml': playbook('missing', 'no-such-action'),
    'wrong.yaml': 'kind: playbook\nid: wrong\nsteps: [{ id: a, nothing: true }]\n',
    'rule.yaml': 'kind: rule\nid: r\nwhen: { events: [x] }\nthen: [{ action: mail }]\n',
  });
  const published: PlaybookVersion[][] = [];
  const logger = fakeLogger();
  const stop = await publishFiles({
    directory: folder.path,
    versions: { publishMissing: async (versions) => void published.push([...versions]) },
    logger,
    onFailure: (error) => {
      throw error;
    },
  });
  expect(published).toHaveLength(1);
  expect(published[0]).toMatchObject([
    { v: 1, document: { id: 'good' }, actions: { mail: { document: { type: 'email' } } } },
  ]);
  const problems = logger.entries.map(({ fields }) => String(fields['problem']));
  expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
    'playbook/missing',
    'playbook/wrong',
  ]);
  expect(problems.join()).toContain('no-such-action');

  folder.write('mail.yaml', mail.replace('soc@', 'ciso@'));
  await expect.poll(() => published.length, { timeout: 10_000 }).toBe(2);
  expect(published[1]).toHaveLength(1);
  expect(published[1]?.[0]?.revision).not.toBe(published[0]?.[0]?.revision);
  // What was told is not told again with every change.
  expect(logger.entries).toHaveLength(problems.length);
  stop();
});

test('a folder that is not there ends the start', async () => {
  const versions = { publishMissing: async () => undefined };
  const options = { versions, logger: fakeLogger(), onFailure: () => undefined };
  await expect(publishFiles({ ...options, directory: '/no/such/folder' })).rejects.toThrow('/no/such/folder');
});
