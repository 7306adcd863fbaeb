// The commands around rules: those that docs/rules.md shows are executed, and every way to fail has its exit code and message.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { repository } from '../home.ts';
import { runRules } from './rules.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rules-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runRules(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  });
  return { code, out, err };
}

async function put(name: string, document: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof document === 'string' ? document : JSON.stringify(document));
  return path;
}

const rule = (more: object = {}) => ({
  kind: 'rule',
  id: 'r',
  when: { events: ['finding.new'], min_severity: 'high' },
  then: [{ action: 'a' }],
  ...more,
});
const event = (severity: string) => ({ event: 'finding.new', data: { severity } });

describe('the page', async () => {
  const page = await readFile(join(repository, 'docs/rules.md'), 'utf8');
  const shown = [...page.matchAll(/^```sh\n(.*?)^```$/gms)]
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line.startsWith('./tocsin rules '))
    .map((line) =>
      line
        .split(/\s+/)
        .slice(2)
        .map((word) => (word.startsWith('docs/') ? join(repository, word) : word)),
    );

  test('shows every command', () => {
    const names = shown.map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(['lint', 'explain', 'test', 'backtest']));
  });

  // A backtest needs Kafka: rules-backtest.it.test.ts runs that line.
  test.each(shown.filter(([name]) => ['lint', 'explain', 'test'].includes(name ?? '')))(
    '%s %s',
    async (...args) => {
      const { code, out, err } = await run(...args);
      expect([code, err.filter((line) => line.startsWith('tocsin:'))]).toEqual([0, []]);
      if (args[0] !== 'lint') expect(out.length).toBeGreaterThan(3);
    },
  );
});

describe('lint', () => {
  test('a file: place, severity, message; exit code 1', async () => {
    const file = await put(
      'odd.json',
      rule({ when: { any: [{ 'data.a': { in: [1], gt: 5 } }, { 'data.b': 1 }] } }),
    );
    expect(await run('lint', file)).toEqual({
      code: 1,
      out: [`${file}: rule/r/when/any/0: warning: this can never hold`],
      err: ['1 rules: 0 errors, 1 warnings, 0 hints'],
    });
  });

  test('hints alone are no failure', async () => {
    const file = await put('all.json', rule({ when: { not: { 'data.a': 1 } } }));
    const { code, err } = await run('lint', file);
    expect([code, err]).toEqual([0, ['1 rules: 0 errors, 0 warnings, 1 hints']]);
  });

  test('a folder: errors of rules, files, lists and names, each with its file', async () => {
    const sub = await mkdtemp(join(folder, 'lint-'));
    const write = (name: string, text: string) => writeFile(join(sub, name), text);
    await write('broken.yaml', 'kind: [');
    await write('actions.yaml', 'kind: action\nid: log\ntype: log\nparams: {}\n');
    await write('list.yaml', 'kind: list\nid: l\nvalues: [x]\ninclude: [gone]\n');
    await write('a.json', JSON.stringify(rule({ when: { min_severty: 'high' } })));
    await write('b.json', JSON.stringify(rule({ then: [{ action: 'log' }, { action: 'gone' }] })));
    const { code, out } = await run('lint', sub);
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(/^[^\n]*broken\.yaml: error: Flow sequence[^\n]*$/),
      expect.stringMatching(/list\.yaml: \/include\/0: error: .*gone/),
      `${join(sub, 'a.json')}: rule/r/then/0/action: error: the action a does not exist`,
      expect.stringMatching(
        /a\.json: rule\/r\/when\/min_severty: error: unknown field.*; did you mean min_severity\?$/,
      ),
      `${join(sub, 'b.json')}: rule/r/then/1/action: error: the action gone does not exist`,
      `${join(sub, 'b.json')}: rule/r/id: error: is also in ${join(sub, 'a.json')}`,
    ]);
  });

  test('nothing to look at', async () => {
    expect(await run('lint')).toMatchObject({
      code: 2,
      err: [expect.stringContaining('name a file or a folder')],
    });
    expect(await run('lint', '/nowhere')).toMatchObject({
      code: 2,
      err: [expect.stringContaining('there is no /nowhere')],
    });
  });
});

describe('test', () => {
  const tested = (expected: string) =>
    rule({ tests: [{ name: 'low', event: event('low'), expect: expected }] });

  test('a failing test: what happened, and exit code 1', async () => {
    const good = await put('good.json', { ...tested('no_match'), id: 'longer-id' });
    const bad = await put('bad.json', tested('match'));
    expect(await run('test', good, bad)).toEqual({
      code: 1,
      out: [
        'ok    longer-id  low',
        `FAIL  r          low  ${bad}: /tests/0: expected a match, but it does not match; /when/min_severity does not hold: "high", found "low"`,
      ],
      err: ['1 passed, 1 failed, 0 of 2 rules have no tests'],
    });
  });

  test('a rule that cannot be used fails; one without tests is counted', async () => {
    const broken = await put('broken.json', rule({ when: { x: 1 } }));
    const plain = await put('plain.json', rule());
    const { code, out, err } = await run('test', broken, plain);
    expect([code, err]).toEqual([1, ['0 passed, 1 failed, 1 of 2 rules have no tests']]);
    expect(out[0]).toContain('/when/x: unknown field');
  });

  test('now is what the command line says', async () => {
    const recent = rule({
      when: { 'data.seen': { after: 'now-1d' } },
      tests: [{ event: { event: 'e', data: { seen: '2026-01-01' } }, expect: 'match' }],
    });
    const file = await put('recent.json', recent);
    expect((await run('test', file, '--now', '2026-01-01T12:00:00Z')).code).toBe(0);
    expect((await run('test', file, '--now', '2026-01-09')).code).toBe(1);
    expect((await run('test', file, '--now', 'soon')).code).toBe(2);
  });

  test('nothing to run', async () => {
    expect((await run('test')).code).toBe(2);
    expect((await run('test', '/nowhere')).code).toBe(2);
  });
});

describe('explain', () => {
  test('the tree as data, with lists of another folder', async () => {
    const list = await put('kev.json', {
      kind: 'list',
      id: 'kev',
      comparison: 'identifier',
      values: ['CVE-1-1'],
    });
    const file = await put('kev-rule.json', rule({ when: { vulnerabilities: { in_list: 'kev' } } }));
    const found = await put('cve.json', { event: 'e', data: { cve: 'cve-1-1' } });
    const explain = async (...more: string[]) =>
      JSON.parse((await run('explain', '--rule', file, '--event', found, '--json', ...more)).out[0] ?? '');
    expect(await explain('--config', list)).toMatchObject({ path: '/when', holds: true });
    expect(await explain()).toMatchObject({ holds: false });
  });

  test('one of several rules', async () => {
    const file = await put('two.json', [rule(), { ...rule(), id: 'other' }]);
    const found = await put('high.json', event('high'));
    expect((await run('explain', '--rule', file, '--event', found, '--id', 'other')).out[0]).toBe(
      'rule other matches',
    );
    expect(await run('explain', '--rule', file, '--event', found)).toMatchObject({
      code: 2,
      err: [expect.stringContaining('has several rules; choose one with --id: r, other')],
    });
  });

  test.each<[string, unknown, unknown, string[], number, string]>([
    ['a rule with a fault', rule({ when: { x: 1 } }), event('low'), [], 1, '/when/x: unknown field'],
    ['a rule file that is no YAML', 'kind: [', event('low'), [], 1, 'given-rule.json'],
    ['a file without a rule', [], event('low'), [], 2, 'has no rule'],
    ['no envelope', rule(), { data: {} }, [], 1, '/event: is required'],
    ['an event file that is no YAML', rule(), '{', [], 1, 'given-event.json'],
    ['an empty event file', rule(), '', [], 1, 'must be object'],
    [
      'no search result',
      rule({ source: 'search-results', when: { n: 1 } }),
      event('low'),
      [],
      1,
      'is required',
    ],
    [
      'a row that is not there',
      rule({ source: 'search-results', when: { n: 1 } }),
      { job_id: 'j', run_id: 'r', rows: [] },
      ['--row', '3'],
      1,
      'there is no row 3, only 0',
    ],
    [
      'a row that is no number',
      rule({ source: 'search-results', when: { n: 1 } }),
      { job_id: 'j', run_id: 'r', rows: [] },
      ['--row', 'x'],
      2,
      '--row is a number',
    ],
    ['a moment that is none', rule(), event('low'), ['--now', 'x'], 2, '--now is a date'],
  ])('%s', async (_what, document, given, more, code, message) => {
    const file = await put('given-rule.json', document);
    const found = await put('given-event.json', given);
    const result = await run('explain', '--rule', file, '--event', found, ...more);
    expect([result.code, result.err.join('\n')]).toEqual([code, expect.stringContaining(message)]);
  });

  test('files that are not there, options that are missing', async () => {
    const file = await put('fine.json', rule());
    expect((await run('explain', '--rule', file, '--event', '/nowhere.json')).code).toBe(2);
    expect((await run('explain', '--rule', '/nowhere.json', '--event', file)).code).toBe(2);
    expect((await run('explain', '--rule', file)).code).toBe(2);
  });
});
