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
