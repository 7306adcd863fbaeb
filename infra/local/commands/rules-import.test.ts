// ./tocsin rules import on files: what is written, what is refused with which line, and that docs/imports.md shows what comes out.
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import { readProfile } from '@tocsin/topologies/domain/rules/import/sigma/profile.ts';
import { checkRule } from '@tocsin/topologies/domain/rules/parse-rule.ts';
import { expect, test } from 'vitest';
import { rulesImport } from './rules-import.ts';

async function run(args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await rulesImport(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  });
  return { code, out: out.join('\n'), err };
}

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rules-import-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const sigma = `title: A
id: a-rule
logsource: { product: linux }
detection: { s: { A|contains: b }, condition: s }
`;

test('each Sigma file is one rule, and a fault in one is one line that takes no other down', async () => {
  const folder = await folderOf({
    'good.yml': sigma,
    'two.yml': `${sigma}---\n${sigma}`,
    'collection.yml': `action: global\ntitle: x\n---\n${sigma}`,
    'same.yaml': sigma,
    'circle.yml': 'title: &a [*a]\n',
    'laughs.yml': [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]',
      'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]',
      'd: [*c,*c,*c,*c,*c,*c]',
    ].join('\n'),
    'twice.yml': 'title: a\ntitle: b\n',
    'broken.yml': 'title: [a\n',
    'empty.yml': '# nothing\n',
    'list.yml': '- title: a\n',
    'modifier.yml': sigma.replace('contains', 'like'),
    'large.yml': `# ${'x'.repeat(4 * 1024 * 1024)}\n${sigma}`,
  });
  const { code, out, err } = await run(['--format', 'sigma', folder]);
  expect(code).toBe(1);
  expect(readYamlDocuments(out)).toMatchObject([
    { id: 'a-rule', when: { 'data.A': { contains: 'b' } }, then: [{ action: 'imported-rules' }] },
  ]);
  const lines = err.map((line) => line.replace(`${folder}/`, '')).sort();
  expect(lines).toEqual([
    '1 imported, 11 not imported',
    expect.stringMatching(/^broken.yml: .*line/),
    'circle.yml: an alias stands within its own anchor',
    'collection.yml: holds 2 documents; a Sigma rule is one document, and collections are not imported',
    'empty.yml: holds no document; a Sigma rule is one document, and collections are not imported',
    'large.yml: larger than 4194304 bytes',
    expect.stringMatching(/^laughs.yml: Excessive alias count/),
    'list.yml: /: a Sigma rule is a map',
    'modifier.yml: /detection/s/A|like: the modifier "like" does not exist',
    `same.yaml: the id a-rule is taken by ${folder}/good.yml`,
    expect.stringMatching(/^twice.yml: Map keys must be unique/),
    'two.yml: holds 2 documents; a Sigma rule is one document, and collections are not imported',
  ]);
});

test('with --out every rule is a file, and none is overwritten', async () => {
  const from = await folderOf({
    'p.jsonl': '{"id":"One","pattern":{"a":["x"]}}\n\n{"id":"two","pattern":{"a":1}}\nno\n',
  });
  const to = join(from, 'out');
  const args = [
    '--format',
    'eventbridge',
    from,
    '--out',
    to,
    '--action',
    'x',
    '--action',
    'y',
    '--root',
    'data',
  ];
  const first = await run(args);
  expect([first.code, first.out, await readdir(to)]).toEqual([1, '', ['one.yaml']]);
  expect(first.err.map((line) => line.replace(`${from}/`, ''))).toEqual([
    'p.jsonl:4: not JSON',
    'p.jsonl:1: note: the id is now one',
    'p.jsonl:3: /pattern/a: must be a list of values or an object',
    '1 imported, 2 not imported',
  ]);
  const [rule] = readYamlDocuments(await readFile(join(to, 'one.yaml'), 'utf8')) as readonly unknown[];
  expect(rule).toMatchObject({
    when: { 'data.a': { cased: 'x' } },
    then: [{ action: 'x' }, { action: 'y' }],
  });
  expect((await run(args)).err.join('\n')).toContain('one.yaml exists and is left as it is');
});

test('a profile is read from a file, and its faults are shown', async () => {
  const folder = await folderOf({ 'a.yml': sigma, 'p.txt': 'prefix: envelope.\n', 'q.txt': 'prefx: x\n' });
  const { out } = await run(['--format', 'sigma', join(folder, 'a.yml'), '--profile', join(folder, 'p.txt')]);
  expect(out).toContain('envelope.A:');
  await expect(run(['--format', 'sigma', folder, '--profile', join(folder, 'q.txt')])).rejects.toThrow(
    '/prefx: is unknown',
  );
});

test.each([
  [['x'], '--format is sigma or eventbridge'],
  [['--format', 'sigma'], 'name a file or a folder'],
  [['--format', 'sigma', '/no/such/file'], 'there is no /no/such/file'],
  [['--format', 'sigma', 'x', '--root', 'data'], 'are for eventbridge'],
  [['--format', 'eventbridge', 'x', '--profile', 'p'], 'is for sigma'],
])('%j is typed wrong', async (args, reason) => {
  await expect(run(args)).rejects.toThrow(reason);
});

const page = await readFile(fileURLToPath(new URL('../../../docs/imports.md', import.meta.url)), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, kind, text = '']) => ({ kind, text }));
const yaml = blocks.filter(({ kind }) => kind === 'yaml').map(({ text }) => text);

test('the page shows what the command makes of its examples', async () => {
  const [rule = '', written = '', profile = '', fromPattern = ''] = yaml;
  const folder = await folderOf({
    'a.yml': rule,
    'p.jsonl': blocks.find(({ kind }) => kind === 'json')?.text ?? '',
  });
  const one = await run(['--format', 'sigma', folder]);
  expect(readYamlDocuments(one.out)).toEqual(readYamlDocuments(written));
  const other = await run(['--format', 'eventbridge', folder]);
  expect(readYamlDocuments(other.out)).toEqual(readYamlDocuments(fromPattern));
  for (const text of [written, fromPattern])
    expect(checkRule((readYamlDocuments(text) as unknown[])[0])).toEqual([]);
  expect(readProfile((readYamlDocuments(profile) as unknown[])[0]).issues).toEqual([]);
});
