// The registry and the folders are the same list.
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ActionManifest } from '../domain/action/define-action.ts';
import { cancellableTypes, wholeRunTypes } from '../domain/action/whole-run.ts';
import { actions } from './registry.ts';

test('every folder is a registered type and the other way round, in alphabetical order', () => {
  const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  expect(Object.keys(actions)).toEqual(folders);
  for (const [name, action] of Object.entries(actions)) expect(action.manifest.id).toBe(name);
});

test('the types that ask for the whole run are those that the state machine knows', () => {
  const manifests: ActionManifest[] = Object.values(actions).map(({ manifest }) => manifest);
  const asking = manifests.filter(({ runContext }) => runContext === 'whole').map(({ id }) => id);
  expect(asking).toEqual([...wholeRunTypes]);
  const stoppable = manifests.filter(({ cancellable }) => cancellable === true).map(({ id }) => id);
  expect(stoppable).toEqual([...cancellableTypes]);
});
