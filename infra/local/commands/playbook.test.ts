// `./tocsin playbook test` on the shipped example: the steps of the flow at their times, both ways, and how it is typed wrong.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import { writtenActions } from '@tocsin/topologies/testing/written-actions.ts';
import { expect, test } from 'vitest';
import { runPlaybook } from './playbook.ts';

const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));
const file = (name: string): string => join(docs, 'playbooks', name);

async function play(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runPlaybook(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

const example = (answers: string): string[] => [
  'test',
  file('critical-finding-response.yaml'),
  '--event',
  file('critical-finding.event.yaml'),
  '--answers',
  file(answers),
];

/** `time step status` of steps that end or wait. */
function timeline(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const { at, what, step, status } = JSON.parse(line) as Record<string, string>;
    return what === 'step' && status !== 'running' ? [`${at?.slice(0, 19)} ${step} ${status}`] : [];
  });
}

test('the finding persists: chat, ticket, an hour, rescan, escalation, mail, a day, report', async () => {
  const { code, out } = await play(...example('finding-persists.answers.yaml'), '--json');
  expect(code).toBe(0);
  expect(timeline(out)).toEqual([
    '2026-04-28T12:00:01 notify succeeded',
    '2026-04-28T12:00:02 ticket succeeded',
    '2026-04-28T12:00:02 rescan delayed',
    '2026-04-28T13:00:04 rescan succeeded',
    '2026-04-28T13:00:04 confirm waiting',
    '2026-04-28T13:12:04 confirm succeeded',
    '2026-04-28T13:12:05 escalate succeeded',
    '2026-04-28T13:12:06 mail-ciso succeeded',
    '2026-04-28T13:12:06 still-there succeeded',
    '2026-04-28T13:12:06 report delayed',
    '2026-04-29T13:12:07 report succeeded',
  ]);
  const escalate = out
    .map((line) => JSON.parse(line))
    .find(({ what, step }) => what === 'command' && step === 'escalate');
  expect(escalate.input).toMatchObject({ operation: 'update', ref: 'SEC-42', priority: 'Highest' });
});

test('its actions take their parameters, where the type exists', () => {
  const text = readFileSync(file('critical-finding-response.yaml'), 'utf8');
  const written = writtenActions(readYamlDocuments(text));
  expect(written.filter(({ issues }) => issues.length > 0)).toEqual([]);
  expect(written.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['slack', 'jira', 'rescan', 'email', 'report']),
  );
});

test('the chat is broken and the finding is gone: a ticket, no escalation, the report all the same', async () => {
  const { code, out } = await play(...example('finding-is-gone.answers.yaml'), '--json');
  expect(code).toBe(0);
  expect(timeline(out)).toEqual([
    '2026-04-28T12:00:01 notify failed',
    '2026-04-28T12:00:02 ticket succeeded',
    '2026-04-28T12:00:02 rescan delayed',
    '2026-04-28T13:00:03 rescan succeeded',
    '2026-04-28T13:00:03 confirm waiting',
    '2026-04-28T13:12:03 confirm succeeded',
    '2026-04-28T13:12:03 still-there succeeded',
    '2026-04-28T13:12:03 report delayed',
    '2026-04-29T13:12:04 report succeeded',
  ]);
});

test('the scan never ends: after its deadline the finding counts as persisting', async () => {
  const { code, out } = await play(
    'test',
    file('critical-finding-response.yaml'),
    '--event',
    file('critical-finding.event.yaml'),
    '--json',
  );
  expect(code).toBe(0);
  expect(timeline(out)).toContain('2026-04-28T19:00:03 confirm failed');
  expect(timeline(out)).toContain('2026-04-28T19:00:04 escalate succeeded');
});

test('a run that fails, and files with faults, are 1; a command typed wrong is 2', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'playbook-'));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const event = ['--event', file('critical-finding.event.yaml')];
  const fails = write('a.yaml', 'kind: playbook\nid: a\nsteps: [{id: one, action: mail}]\n');
  const answers = write('answers.yaml', 'steps: {one: {status: failed, code: dns}}\n');
  const failed = await play('test', fails, ...event, '--answers', answers);
  expect([failed.code, failed.err.at(-1)]).toEqual([1, '2 inputs, the run is failed: step one: dns']);
  const wrong = write(
    'b.yaml',
    'kind: playbook\nid: b\nsteps: [{id: one, action: mail, onError: {goto: two}}]\n',
  );
  const refused = await play('test', wrong, ...event);
  expect([refused.code, refused.err]).toEqual([1, [`${wrong}: /steps/0/onError/goto: there is no step two`]]);
  for (const args of [
    ['test'],
    ['test', fails],
    ['tset'],
    ['test', join(folder, 'none.yaml'), ...event],
    ['test', fails, '--evnt', 'x'],
  ])
    expect((await play(...args)).code, args.join(' ')).toBe(2);
});
