// The registry and the folders are the same list.
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { actions } from './registry.ts';

test('every folder is a registered type and the other way round, in alphabetical order', () => {
  const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  expect(Object.keys(actions)).toEqual(folders);
  for (const [name, action] of Object.entries(actions)) expect(action.manifest.id).toBe(name);
});

// The words of the source document for "Run Once": all results collectively, or the first result only. The contract shows the effect.
test.each([
  ['C9', 'email', 'all'],
  ['C27', 'incident', 'all'],
  ['C37', 'index', 'first'],
  ['C42', 'database', 'first'],
  ['C52', 'mitre', 'first'],
  ['C68', 'mitre-risk', 'first'],
  ['C72', 'run-job', 'first'],
  ['C85', 'script', 'all'],
  ['C93', 'webhook', 'first'],
] as const)('%s: run once of %s is %s, without it each', (_, type, mode) => {
  const { runOnce, defaultMode } = actions[type].manifest;
  expect([runOnce, defaultMode]).toEqual([mode, 'each']);
});
