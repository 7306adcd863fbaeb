// Every released schema stays readable, and the generated types are those of the documents.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { breaksSince, freeze, schemaFiles } from './freeze.ts';
import { generateTypes } from './generate.ts';

const here = dirname(fileURLToPath(import.meta.url));
const history = join(here, 'history');

test('there is a release, with documents and messages', () => {
  const files = schemaFiles(join(history, 'v1'));
  expect(files).toEqual(
    expect.arrayContaining([
      'documents/envelope.json',
      'documents/rule.json',
      'messages/finding.avsc',
      'messages/search-result.avsc',
    ]),
  );
});

test.each(readdirSync(history))('what was valid in %s is valid now', (version) => {
  expect(breaksSince(join(history, version), here)).toEqual([]);
});

test('types.ts is what generate.ts writes', async () => {
  expect(readFileSync(join(here, 'types.ts'), 'utf8')).toBe(await generateTypes());
}, 30_000);

describe('a break is seen', () => {
  let root: string;
  const edit = (file: string, from: string | RegExp, to: string): void => {
    const path = join(root, file);
    const text = readFileSync(path, 'utf8');
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    writeFileSync(path, changed);
  };
  const found = (): string[] => breaksSince(join(root, 'history', 'v1'), root);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'schemas-'));
    for (const folder of ['documents', 'messages'])
      cpSync(join(here, folder), join(root, folder), { recursive: true });
    freeze('v1', root);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('none without a change', () => {
    expect(found()).toEqual([]);
  });

  test.each([
    [
      'documents/envelope.json',
      '"required": ["event"]',
      '"required": ["event", "id"]',
      'documents/envelope.json: /id is required now',
    ],
    [
      'documents/rule.json',
      '"events", "search-results"',
      '"events"',
      'documents/rule.json: /source no longer takes "search-results"',
    ],
    [
      'documents/rule.json',
      '"maxItems": 50',
      '"maxItems": 49',
      'documents/rule.json: /then maxItems is 49 now',
    ],
    [
      'documents/envelope.json',
      '"additionalProperties": true',
      '"additionalProperties": false',
      'documents/envelope.json: / refuses unknown members now',
    ],
    [
      'messages/finding.avsc',
      /"name": "cvss", "type": \["null", "double"\]/,
      '"name": "cvss", "type": ["null", "string"]',
      'messages/finding.avsc: ',
    ],
    [
      'messages/finding.avsc',
      '{ "name": "event", "type": "string",',
      '{ "name": "kind", "type": "string" }, { "name": "event", "type": "string",',
      'messages/finding.avsc: ',
    ],
  ])('%s: %s', (file, from, to, line) => {
    edit(file, from, to);
    expect(found().filter((one) => one.startsWith(line))).toHaveLength(1);
  });

  test('in a definition that another document refers to', () => {
    const command = JSON.parse(readFileSync(join(root, 'documents/command.json'), 'utf8')) as {
      definitions: { retry: { required?: string[]; properties: object } };
    };
    const [member] = Object.keys(command.definitions.retry.properties);
    command.definitions.retry.required = [member!];
    writeFileSync(join(root, 'documents/command.json'), JSON.stringify(command));
    expect(found()).toContain(`documents/action.json: /retry/${member} is required now`);
  });

  test('when a schema is gone', () => {
    rmSync(join(root, 'messages/finding.avsc'));
    expect(found()).toEqual(['messages/finding.avsc: is gone']);
  });

  test('harmless additions are none, and freezing again takes them over', () => {
    edit('documents/envelope.json', '"tenant":', '"note": { "type": "string" }, "tenant":');
    edit(
      'messages/finding.avsc',
      '{ "name": "tenant"',
      '{ "name": "note", "type": ["null", "string"], "default": null }, { "name": "tenant"',
    );
    // Members of an open object were free before; giving one a type narrows it.
    expect(found()).toEqual([
      'documents/envelope.json: /note no longer takes null',
      ...['boolean', 'number', 'array', 'object'].map(
        (type) => `documents/envelope.json: /note no longer takes ${type}`,
      ),
    ]);
    edit('documents/envelope.json', '"note": { "type": "string" }', '"note": {}');
    expect(found()).toEqual([]);
    expect(freeze('v1', root)).toEqual(['changed documents/envelope.json', 'changed messages/finding.avsc']);
    expect(freeze('v1', root)).toEqual([]);
    expect(existsSync(join(root, 'history/v1/messages/finding.avsc'))).toBe(true);
  });
});
