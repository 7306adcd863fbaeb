// `rules match` from rule files and bytes of events to the lines it writes; expected matches are from docs/rules.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { repository } from '../home.ts';
import { runRules } from './rules.ts';

const scratch = scratchFolder('rules-match');
afterAll(() => scratch.remove());
let files = 0;

function file(content: string, ending: string): string {
  files += 1;
  const path = join(scratch.path, `${files}${ending}`);
  writeFileSync(path, content);
  return path;
}

async function run(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  return { code: await runRules(args, io), out, err };
}

const rules = `
kind: rule
id: critical
priority: 90
when: { min_severity: critical }
then: [{ action: a }]
---
kind: rule
id: production
when: { asset_tags: [production] }
then: [{ action: a }]
---
- kind: rule
  id: listed
  when: { data.asset.name: { in_list: crown-jewels } }
  then: [{ action: a }]
- kind: list
  id: crown-jewels
  values: [DB-1]
`;

const events = [
  '{"event":"finding.new","data":{"severity":"Critical","asset":{"tags":["production"]}}}',
  '{"event":"finding.new","data":{"severity":"low"}}',
  '',
  '{"event":"finding.new","data":{"severity":"critical","severity":"low"}}',
  'no event',
  // An escape in a name needs the way over the parsed event.
  '{"event":"finding.new","data":{"\\u0073everity":"critical","asset":{"name":"db-1"}}}',
].join('\r\n');

test('writes line and rule id of every match, by priority and then id', async () => {
  const out = join(scratch.path, 'matches.tsv');
  const answer = await run(
    'match',
    '--rules',
    file(rules, '.yaml'),
    '--events',
    file(events, '.jsonl'),
    '--repeat',
    '2',
    '--out',
    out,
  );
  expect(answer.code).toBe(0);
  expect(readFileSync(out, 'utf8')).toBe('1\tcritical\n1\tproduction\n6\tcritical\n6\tlisted\n');
  const [first, ...rounds] = answer.out.map((line) => JSON.parse(line) as Record<string, number>);
  expect(Object.keys(first!)).toEqual(['rules', 'build_ms', 'rss_bytes']);
  expect(first!['rules']).toBe(3);
  expect(rounds).toEqual(
    [1, 2].map((round) => ({ round, events_per_second: expect.any(Number), matches: 4 })),
  );
  expect(rounds.every((round) => round['events_per_second']! > 0)).toBe(true);
});

test('lines that are no events are told with their reason and are not fatal', async () => {
  const answer = await run('match', '--rules', file(rules, '.yaml'), '--events', file(events, '.jsonl'));
  expect(answer.code).toBe(0);
  expect(answer.err).toEqual([
    expect.stringMatching(/^no event: line 4: duplicate_key/),
    expect.stringMatching(/^no event: line 5: json_syntax/),
  ]);
});

test('a rule with a fault is named with the place, the others work, and the exit code is 1', async () => {
  const faulty = `${rules}---\nkind: rule\nid: broken\nwhen: { data.a: { gte: [1] } }\nthen: [{ action: a }]\n`;
  const answer = await run('match', '--rules', file(faulty, '.yaml'), '--events', file(events, '.jsonl'));
  expect(answer.code).toBe(1);
  expect(answer.err[0]).toMatch(/rule\/broken: \/when\/data\.a\/gte/);
  expect(JSON.parse(answer.out[0]!)).toMatchObject({ rules: 3 });
});

test('patterns of event-ruler, by the ids that their file gives them', async () => {
  const patterns = file(
    '{"id":"Rule One","pattern":{"detail":{"state":["running",{"prefix":"term"}]}}}\n{"id":"two","pattern":{"source":["aws.ec2"]}}\n',
    '.jsonl',
  );
  const lines = file(
    '{"source":"aws.ec2","detail":{"state":"running"}}\n{"source":"x","detail":{"state":"Running"}}\n{"detail":{"state":"terminated"}}\n',
    '.jsonl',
  );
  const out = join(scratch.path, 'patterns.tsv');
  const answer = await run(
    'match',
    '--rules',
    patterns,
    '--format',
    'eventbridge',
    '--events',
    lines,
    '--out',
    out,
  );
  expect(answer.code).toBe(0);
  expect(readFileSync(out, 'utf8').split('\n').sort()).toEqual(['', '1\tRule One', '1\ttwo', '3\tRule One']);
});

test('a Sigma rule', async () => {
  const sigma = file(
    'title: Encoded\nid: 11111111-2222-4333-8444-555555555555\nlogsource: { category: process_creation }\ndetection:\n  s: { CommandLine|contains: " -enc " }\n  condition: s\n',
    '.yml',
  );
  const lines = file(
    '{"event":"windows","data":{"CommandLine":"powershell -ENC aGk="}}\n{"data":{"CommandLine":"x"}}\n',
    '.jsonl',
  );
  const out = join(scratch.path, 'sigma.tsv');
  await run('match', '--rules', sigma, '--format', 'sigma', '--events', lines, '--out', out);
  expect(readFileSync(out, 'utf8')).toMatch(/^1\t\S+\n$/);
});

describe('typed wrong', () => {
  test.each([
    [['match'], '--rules and --events'],
    [['match', '--rules', 'x'], '--rules and --events'],
    [['match', '--rules', '/nowhere', '--events', 'x'], 'there is no /nowhere'],
    [['match', '--rules', 'x', '--events', 'x', '--repeat', '0'], '--repeat'],
    [['match', '--rules', 'x', '--events', 'x', '--format', 'xml'], '--format'],
    [['match', '--wrong'], '--wrong'],
    [['nothing'], 'rules nothing'],
  ])('%j', async (args, message) => {
    const answer = await run(...args);
    expect(answer.code).toBe(2);
    expect(answer.err.join('\n')).toContain(message);
    expect(answer.out).toEqual([]);
  });
  test('events that are not there', async () => {
    const answer = await run('match', '--rules', file(rules, '.yaml'), '--events', '/nowhere');
    expect(answer.code).toBe(2);
    expect(answer.err.join('\n')).toContain('/nowhere');
  });
});

test('the command that docs/rules.md shows', async () => {
  const page = readFileSync(join(repository, 'docs/rules.md'), 'utf8');
  const [, line = ''] = /^\.\/tocsin rules (match .*)$/m.exec(page) ?? [];
  const args = line.split(' ').map((word) => (word.startsWith('docs/') ? join(repository, word) : word));
  const answer = await run(...args);
  expect([answer.code, answer.err]).toEqual([0, []]);
  expect(JSON.parse(answer.out[2]!)).toMatchObject({ round: 2, matches: 6 });
});

test('help names every subcommand', async () => {
  const answer = await run('help');
  expect(answer.code).toBe(0);
  for (const name of ['match', 'lint', 'explain', 'test', 'backtest', 'import'])
    expect(answer.out.join('\n')).toContain(`  ${name} `);
  expect((await run('match', '--help')).out.join('\n')).toContain('--events FILE.jsonl');
});
