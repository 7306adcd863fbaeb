// A rule in a folder whose own tests fail is left out, by file and place; the others go on, and a repair brings it back.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readConfigDirectory, watchConfigDirectory } from './directory.ts';
import { createRuleTestGate } from './rule-tests.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rules-'));
});
afterEach(() => rm(directory, { recursive: true }));

const put = (name: string, document: object): Promise<void> =>
  writeFile(join(directory, name), JSON.stringify(document));
const rule = (id: string, when: object, expected: string) => ({
  kind: 'rule',
  id,
  when,
  then: [{ action: 'log' }],
  tests: [{ event: { event: 'finding.new', data: { severity: 'low', cve: 'CVE-1-1' } }, expect: expected }],
});
const keys = async (): Promise<string[]> =>
  (await readConfigDirectory(directory)).entries.map(({ key }) => key);

test('the failing rule alone is left out', async () => {
  await put('bad.json', rule('bad', { min_severity: 'high' }, 'match'));
  await put('good.json', rule('good', { min_severity: 'low' }, 'match'));
  const { entries, problems } = await readConfigDirectory(directory);
  expect(entries.map(({ key }) => key)).toEqual(['rule/good']);
  expect(problems).toEqual([
    `${join(directory, 'bad.json')}: rule/bad is left out, its tests fail: /tests/0: expected a match, but it does not match; /when/min_severity does not hold: "high", found "low"`,
  ]);
});

test('lists of the folder are asked, and a changed list is asked again', async () => {
  await put('list.json', { kind: 'list', id: 'kev', comparison: 'identifier', values: ['CVE-1-1'] });
  await put('rule.json', rule('listed', { vulnerabilities: { in_list: 'kev' } }, 'match'));
  const testRules = createRuleTestGate(() => 0);
  expect((await readConfigDirectory(directory, testRules)).problems).toEqual([]);
  await put('list.json', { kind: 'list', id: 'kev', comparison: 'identifier', values: ['CVE-2-2'] });
  expect((await readConfigDirectory(directory, testRules)).entries.map(({ key }) => key)).toEqual([
    'list/kev',
  ]);
});

test('verdicts are kept while nothing changes: now is looked at when a rule is read', async () => {
  let now = Date.UTC(2026, 0, 2);
  const testRules = createRuleTestGate(() => now);
  const document = rule('r', { 'data.seen': { after: 'now-7d' } }, 'match');
  const [test] = document.tests;
  const seen = { ...test, event: { event: 'e', data: { seen: '2026-01-01' } } };
  await put('rule.json', { ...document, tests: [seen] });
  const problems = async () => (await readConfigDirectory(directory, testRules)).problems.length;
  expect(await problems()).toBe(0);
  now = Date.UTC(2027, 0, 1);
  expect(await problems()).toBe(0);
  await put('rule.json', { ...document, name: 'edited', tests: [seen] });
  expect(await problems()).toBe(1);
});

test('a rule that cannot be used at all is reported elsewhere, once', async () => {
  await put('broken.json', rule('broken', { nonsense: 1 }, 'match'));
  expect(await keys()).toEqual(['rule/broken']);
});

test('while running: a change that fails its tests takes the rule out and says so; its repair brings it back', async () => {
  await put('a.json', rule('a', { min_severity: 'low' }, 'match'));
  const changes: string[] = [];
  const said: string[] = [];
  const stop = watchConfigDirectory(
    directory,
    await readConfigDirectory(directory),
    (entries, problems) => {
      changes.push(...entries.map(({ key, record }) => `${record === null ? '-' : '+'}${key}`));
      said.push(...problems);
    },
    20,
  );
  try {
    await put('a.json', rule('a', { min_severity: 'high' }, 'match'));
    await vi.waitFor(() => expect(changes).toEqual(['-rule/a']), 5_000);
    await vi.waitFor(() => expect(said).toHaveLength(1), 5_000);
    await put('b.json', rule('b', { min_severity: 'critical' }, 'match'));
    await vi.waitFor(() => expect(said).toHaveLength(2), 5_000);
    await put('a.json', rule('a', { min_severity: 'info' }, 'match'));
    await vi.waitFor(() => expect(changes).toEqual(['-rule/a', '+rule/a']), 5_000);
    expect(said).toHaveLength(2);
  } finally {
    stop();
  }
});
