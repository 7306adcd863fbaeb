// ./tocsin playbook import and export on files: what is written where, what stays, exit codes, and that docs/imports.md shows what comes out.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import type { CacaoPlaybook } from '@tocsin/topologies/domain/playbooks/cacao/document.ts';
import { checkPlaybook } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { expect, test } from 'vitest';
import { runPlaybook } from './playbook.ts';
import { keepMeta } from './playbook-files.ts';

const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runPlaybook(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  });
  return { code, out: out.join('\n'), err };
}

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'cacao-'));

async function fileOf(name: string, text: string): Promise<string> {
  const file = join(await folder(), name);
  await writeFile(file, text);
  return file;
}

test('the shipped example goes out and comes back; its file keeps the identifiers and every byte', async () => {
  const text = await readFile(join(docs, 'playbooks/critical-finding-response.yaml'), 'utf8');
  const file = await fileOf('p.yaml', text);
  const first = await run('export', file, '--to', 'cacao');
  expect([first.code, first.err]).toEqual([
    0,
    [`${file}: note: meta.cacao keeps the identifiers of this export; leave it in the file`],
  ]);
  const kept = await readFile(file, 'utf8');
  expect(kept.startsWith(text.trimEnd())).toBe(true);
  const second = await run('export', file, '--to', 'cacao');
  expect([second.code, second.err, second.out]).toEqual([0, [], first.out]);
  expect(await readFile(file, 'utf8')).toBe(kept);

  const { workflow, workflow_start } = JSON.parse(first.out) as CacaoPlaybook;
  const chain: string[] = [];
  for (let at: string | undefined = workflow_start; at !== undefined; at = workflow[at]?.on_completion)
    chain.push(`${workflow[at]?.type} ${workflow[at]?.delay ?? ''}`.trim());
  // Chat, ticket, rescan after an hour, wait, condition, report after a day.
  expect(chain).toEqual([
    'start',
    'action',
    'action',
    'action 3600000',
    'action',
    'if-condition',
    'action 86400000',
    'end',
  ]);

  const json = join(await folder(), 'p.json');
  expect((await run('export', file, '--to', 'cacao', '--out', json)).code).toBe(0);
  const back = await run('import', json, '--from', 'cacao');
  expect([back.code, back.err]).toEqual([0, []]);
  const [original] = readYamlDocuments(kept) as [object];
  expect(readYamlDocuments(back.out)).toEqual([{ ...original, enabled: false }]);
});

test('comments stay where meta is there already, and a JSON file stays JSON', async () => {
  const text = '# head\nmeta: {} # mine\nkind: playbook\nid: a\nsteps: [{ id: one, action: mail }] # tail\n';
  const yaml = await fileOf('a.yaml', text);
  expect((await run('export', yaml, '--to', 'cacao')).code).toBe(0);
  const kept = await readFile(yaml, 'utf8');
  expect(kept).toContain('# head');
  expect(kept).toContain('# tail');
  expect(checkPlaybook((readYamlDocuments(kept) as unknown[])[0])).toEqual([]);
  const json = await fileOf('a.json', '{"kind":"playbook","id":"a","steps":[{"id":"one","action":"mail"}]}');
  expect((await run('export', json, '--to', 'cacao')).code).toBe(0);
  const document = JSON.parse(await readFile(json, 'utf8')) as { meta: { cacao: { ids: object } } };
  expect(Object.keys(document.meta.cacao.ids)).toEqual(expect.arrayContaining(['start', 'one', '#end']));
});

test('faults are 1 with the place, and nothing is written', async () => {
  const broken = await fileOf(
    'b.yaml',
    'kind: playbook\nid: b\nsteps: [{ id: one, action: mail, delay: soon }]\n',
  );
  expect(await run('export', broken, '--to', 'cacao')).toEqual({
    code: 1,
    out: '',
    err: [`${broken}: /steps/0/delay: is no ISO 8601 duration such as PT1H or P1DT12H`],
  });
  expect(await readFile(broken, 'utf8')).not.toContain('meta');
  const two = await fileOf('two.yaml', 'a: 1\n---\nb: 1\n');
  expect((await run('export', two, '--to', 'cacao')).err).toEqual([
    `${two}: holds 2 documents; one playbook is exported at a time`,
  ]);
  const list = await fileOf('list.yaml', '- kind: playbook\n');
  expect((await run('export', list, '--to', 'cacao')).code).toBe(1);

  const out = join(await folder(), 'never.yaml');
  const faulty = await fileOf(
    'f.json',
    '{"type":"playbook","spec_version":"cacao-2.0","workflow":{"end--x":{"type":"end"}}}',
  );
  const refused = await run('import', faulty, '--from', 'cacao', '--out', out);
  expect(refused.code).toBe(1);
  expect(refused.err).toEqual(
    expect.arrayContaining([`${faulty}: /id: is required`, `${faulty}: /workflow_start: is required`]),
  );
  await expect(readFile(out)).rejects.toThrow('ENOENT');
  for (const [name, text] of [
    ['not.json', 'not JSON'],
    ['twice.json', '{"type":"playbook","type":"playbook"}'],
    ['proto.json', '{"workflow":{"__proto__":{}}}'],
    ['large.json', `"${'x'.repeat(1_100_000)}"`],
    ['deep.json', `${'['.repeat(100_000)}`],
  ] as const) {
    const { code, err } = await run('import', await fileOf(name, text), '--from', 'cacao');
    expect([code, err.length], name).toEqual([1, 1]);
  }
});

test('a file that exists is left as it is; one that cannot keep its identifiers is not exported', async () => {
  const file = await fileOf('p.yaml', 'kind: playbook\nid: p\nsteps: [{ id: one, action: mail }]\n');
  const out = await fileOf('mine.json', 'mine');
  expect(await run('export', file, '--to', 'cacao', '--out', out)).toMatchObject({
    code: 1,
    err: [expect.anything(), `${out} exists and is left as it is`],
  });
  expect(await readFile(out, 'utf8')).toBe('mine');
  expect(await keepMeta('/no/such/folder/p.yaml', 'kind: playbook\n', {})).toBe(
    'cannot keep the identifiers: ENOENT',
  );
});

test.each([
  [['import'], 'name one file'],
  [['import', 'a', 'b', '--from', 'cacao'], 'name one file'],
  [['import', 'a'], '--from is cacao'],
  [['import', 'a', '--from', 'bpmn'], '--from is cacao'],
  [['import', '/no/such/file', '--from', 'cacao'], 'there is no file /no/such/file'],
  [['export', 'a'], '--to is cacao'],
  [['export', '/no/such/file', '--to', 'cacao'], 'there is no file /no/such/file'],
  [['export', 'a', '--tp', 'cacao'], '--tp'],
  [['convert'], 'there are: test, import, export'],
])('%j is typed wrong', async (args, reason) => {
  const { code, err } = await run(...args);
  expect(code).toBe(2);
  expect(err[0]).toContain(reason);
});

test('the page: its commands run, and its playbook gives the action that it shows', async () => {
  const page = await readFile(join(docs, 'imports.md'), 'utf8');
  const section = page.slice(page.indexOf('\n## CACAO'));
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, kind, text = '']) => ({
    kind,
    text,
  }));
  const of = (kind: string): string => blocks.find((block) => block.kind === kind)?.text ?? '';
  const at = await folder();
  await writeFile(join(at, 'contain.yaml'), of('yaml'));
  const commands = of('sh').trim().split('\n');
  expect(commands).toHaveLength(2);
  for (const command of commands) {
    const [, , ...args] = command
      .split(' ')
      .map((word) => (/\.(ya?ml|json)$/.test(word) ? join(at, word) : word));
    expect((await run(...args)).code, command).toBe(0);
  }
  const { workflow } = JSON.parse(await readFile(join(at, 'contain.cacao.json'), 'utf8')) as CacaoPlaybook;
  const steps = Object.values(workflow);
  expect(steps.find(({ name }) => name === 'isolate')).toMatchObject(JSON.parse(of('json')) as object);
  expect(steps.find(({ name }) => name === 'confirm')).toMatchObject({
    type: 'if-condition',
    delay: 3_600_000,
  });
  const [original] = readYamlDocuments(await readFile(join(at, 'contain.yaml'), 'utf8')) as [object];
  expect(readYamlDocuments(await readFile(join(at, 'contain-imported.yaml'), 'utf8'))).toEqual([
    { ...original, enabled: false },
  ]);
});
