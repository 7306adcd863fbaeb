// The registry names every sink folder, and the schema of a sink document names every entry.
import { readdirSync } from 'node:fs';
import { documentSchema } from '@tocsin/schemas/codecs/validate.ts';
import { expect, it } from 'vitest';
import { findSink, sinks } from './registry.ts';

it('has one entry per folder', () => {
  const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(Object.keys(sinks).sort()).toEqual(folders.sort());
});

it('has what the sink document allows', () => {
  expect(documentSchema('sink.json').properties.type.enum).toEqual(Object.keys(sinks));
});

it('finds nothing by an inherited name', () => {
  expect(findSink('splunk-hec')).toBe(sinks['splunk-hec']);
  expect(findSink('constructor')).toBeUndefined();
});
