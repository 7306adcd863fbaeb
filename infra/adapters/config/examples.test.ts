// The documents in docs/examples are read as a service reads them, fit each other, and do what their comments say; the
// rules in docs/rules.md are valid and its table of aliases is complete.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileCheck } from '@tocsin/schemas/codecs/validate.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { type Action, connectionTypes } from '@tocsin/topologies/domain/action/define-action.ts';
import { createConfigFold } from '@tocsin/topologies/domain/config/config-table.ts';
import { decide } from '@tocsin/topologies/domain/evaluate/decide.ts';
import { buildTables } from '@tocsin/topologies/domain/evaluate/tables.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { aliases } from '@tocsin/topologies/domain/rules/aliases.ts';
import { checkRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfigDirectory } from './directory.ts';

const types = new Map<string, Action>(Object.entries(actions));
const manifests = new Map([...types].map(([type, { manifest }]) => [type, manifest]));

async function readExamples() {
  const folder = fileURLToPath(new URL('../../../docs/examples', import.meta.url));
  const { entries, problems } = await readConfigDirectory(folder);
  const { table, apply } = createConfigFold();
  const all = [...problems];
  for (const { key, record } of entries) {
    const { problem } = apply(key, record);
    if (problem !== undefined) all.push(problem);
  }
  return { table, problems: all };
}

const { table, problems } = await readExamples();
const tables = buildTables(table, manifests);

function outline(value: unknown, input = 'findings'): string[] {
  const record = { topic: 'findings.v1', partition: 0, offset: 0, timestamp: 0, now: 0 };
  const decision = decide({ value, input, ...record }, tables);
  expect(decision.refused).toEqual([]);
  return decision.commands.map(({ rule, action, mode, subject }) =>
    [rule?.id, action.id, ...(subject.rows === undefined ? [] : [mode, subject.rows.length])].join(' '),
  );
}

const finding = (data: Record<string, unknown>) => ({ event: 'finding.new', data });

test('every document is read and fits its schema', () => {
  expect(problems).toEqual([]);
  expect(tables.problems).toEqual([]);
  expect([table.rules.size, table.actions.size, table.connections.size, table.sinks.size]).toEqual([
    6, 5, 7, 3,
  ]);
});

test.each([...table.rules.values()])('rule $document.id names actions that exist', ({ document }) => {
  expect(checkRule(document, { actions: table.actions })).toEqual([]);
});

test.each([...table.actions.values()])(
  'action $document.id fits its type and its connection',
  ({ document }) => {
    const action = types.get(document.type) as Action;
    expect(compileCheck(action.manifest.params)(document.params)).toEqual([]);
    expect(action.check(document.params)).toEqual([]);
    const connection = document.connection === undefined ? null : table.connections.get(document.connection);
    if (document.connection === undefined)
      expect(action.needsConnection?.(document.params) ?? action.manifest.connection !== null).toBe(false);
    else expect(connectionTypes(action.manifest.connection)).toContain(connection?.document.type);
    if (connection) expect(action.checkConnection?.(document.params, connection.document) ?? []).toEqual([]);
  },
);

test.each([...table.connections.values()])(
  'the secrets of connection $document.id are references',
  ({ document }) => {
    for (const secret of Object.values(document.secrets ?? {}))
      expect(secret).toEqual({ env: expect.any(String) });
  },
);

test.each([...table.playbooks.values()])('playbook $document.id can run', ({ document }) => {
  expect(
    checkPlaybook(document, {
      actions: table.actions,
      connections: table.connections,
      playbooks: table.playbooks,
      lists: new Map(),
    }),
  ).toEqual([]);
});

test('a critical finding goes to the SOC and to the log', () => {
  expect(outline(finding({ severity: 'critical', asset: { name: 'api.example.com' } }))).toEqual([
    'critical-to-webhook soc-webhook',
    'everything-to-log event-log',
  ]);
});

test('a high finding on production is mailed, unless it is in the lab', () => {
  const asset = { name: 'web.example.com', tags: ['Production'] };
  expect(outline(finding({ severity: 'high', asset }))).toEqual([
    'high-on-production mail-finding',
    'everything-to-log event-log',
  ]);
  expect(outline(finding({ severity: 'high', asset: { ...asset, name: 'web.lab.example.com' } }))).toEqual([
    'everything-to-log event-log',
  ]);
});

test('a known exploited vulnerability goes to the SOC, unless it is informational', () => {
  expect(outline(finding({ severity: 'low', cve: ['cve-2024-3094'] }))).toEqual([
    'known-exploited soc-webhook',
    'everything-to-log event-log',
  ]);
  expect(outline(finding({ severity: 'info', cve: ['CVE-2024-3094'] }))).toEqual([
    'everything-to-log event-log',
  ]);
});

test('failed logins become one mail with the rows that match', () => {
  const rows = [
    { host: 'dc-01', failed_logins: 412 },
    { host: 'dc-02', failed_logins: 49 },
    { host: 'web-07', failed_logins: 55 },
  ];
  const result = { job_id: 'job-failed-logins', run_id: 'run-1', rows };
  expect(outline(result, 'search-results')).toEqual(['failed-logins mail-results all 2']);
  expect(outline({ ...result, job_id: 'other' }, 'search-results')).toEqual([]);
});

const guide = readFileSync(new URL('../../../docs/rules.md', import.meta.url), 'utf8');
const guideRules = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)]
  .map((match) => parse(match[1] as string))
  .filter(({ kind }) => kind === 'rule');

test('the guide shows rules', () => expect(guideRules.length).toBeGreaterThan(1));

test.each(guideRules)('the rule $id of the guide is valid', (document) => {
  expect(checkRule(document, { actions: table.actions })).toEqual([]);
});

test.each(Object.entries(aliases))('the guide lists the paths of the alias %s', (name, { paths }) => {
  const row =
    guide.split('\n').find((line) => line.startsWith('| `') && line.split('|')[1]?.includes(`\`${name}\``)) ??
    '';
  for (const path of [...(paths.events ?? []), ...(paths['search-results'] ?? [])])
    expect(row).toContain(`\`${path}\``);
});
