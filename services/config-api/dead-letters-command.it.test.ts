// `./tocsin dead-letters` against the API over HTTP.
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import { runDeadLetters } from '@tocsin/local/commands/dead-letters.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import {
  commandLetter,
  findingLetter,
  letterTime,
  readLetterOf,
} from '@tocsin/topologies/testing/letters.ts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await api.http.listen({ host: '127.0.0.1', port: 0 });
  const { port } = api.http.server.address() as AddressInfo;
  env = { TOCSIN_URL: `http://127.0.0.1:${port}/`, TOCSIN_API_KEY: api.adminKey };
});
afterAll(() => api.close());
beforeEach(() => api.pool.query('truncate dead_letters cascade'));

async function run(line: string, over: NodeJS.ProcessEnv = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
  const code = await runDeadLetters(line.split(' '), io, { ...env, ...over });
  return { code, out, err: err.join('\n') };
}

async function store(count: number): Promise<string[]> {
  const letters = Array.from({ length: count }, (_, offset) =>
    readLetterOf({
      ...findingLetter,
      source: { ...findingLetter.source, offset },
      at: letterTime + offset * 1_000,
    }),
  );
  await createDeadLetterStore(api.db).write([...letters, readLetterOf(commandLetter)]);
  return letters.map(({ id }) => id);
}

const states = async (): Promise<Record<string, number>> => {
  const { items } = (await api.call({ url: '/api/dead-letters/counts?by=state' })).json();
  return Object.fromEntries(items.map(({ name, count }: { name: string; count: number }) => [name, count]));
};

it('lists beyond one page, counts and shows', async () => {
  const ids = await store(230);
  const listed = await run('list --reason json_syntax --limit 220');
  expect([listed.code, listed.out.length, listed.err]).toEqual([
    0,
    220,
    'there are more; --limit shows them',
  ]);
  expect(listed.out[0]).toBe(
    `${ids.at(-1)}  2026-04-28T12:03:49.000Z  open      evaluator  json_syntax  findings.v1/3/229  unexpected end`,
  );
  expect((await run('list --limit 300')).out).toHaveLength(231);
  expect((await run('counts')).out.map((line) => line.trim().split('  ').slice(0, 2))).toEqual([
    ['230', 'json_syntax'],
    ['1', 'http_5xx'],
  ]);
  expect(JSON.parse((await run('list --type webhook --json')).out.join(''))).toMatchObject({
    command: { type: 'webhook' },
  });
  expect(JSON.parse((await run(`show ${ids[0]}`)).out.join(''))).toMatchObject({
    id: ids[0],
    contents: { value: { base64: 'eyL/' } },
  });
});

it('sends one again, and many only with --yes', async () => {
  const [id] = await store(4);
  expect(await run(`redrive ${id} --because mended`)).toMatchObject({ code: 0, out: [`${id} queued`] });
  const many = 'redrive --reason json_syntax --limit 2';
  const shown = await run(many);
  expect(shown).toMatchObject({ code: 0, out: [] });
  expect(shown.err).toBe('3 found, more than the limit; 2 can be done\nnothing was done; --yes does it');
  expect(await states()).toEqual({ open: 4, queued: 1 });
  const done = await run(`${many} --per-second 5 --yes`);
  expect(await states()).toEqual({ open: 2, queued: 3 });
  const [, job] = /^2 queued as job (.*)$/.exec(done.out[0] ?? '') ?? [];
  expect(await run(`cancel ${job}`)).toMatchObject({ code: 0, out: ['2 taken back'] });
});

it('purges one, and many only with --yes', async () => {
  const [id] = await store(3);
  expect(await run(`purge ${id}`)).toMatchObject({ code: 0, out: [`${id} purged`] });
  await run('purge --source findings.v1 --limit 9');
  expect(await states()).toEqual({ open: 3, purged: 1 });
  expect((await run('purge --source findings.v1 --limit 9 --yes')).out).toEqual(['2 purged']);
});

it('says what the API refuses, and that it does not answer, in one line', async () => {
  const [id] = await store(1);
  await run(`purge ${id}`);
  expect(await run(`redrive ${id}`)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^tocsin: letter_state: [^\n]+$/),
  });
  expect(await run('list --after soon')).toMatchObject({ code: 1, err: expect.stringContaining('/after') });
  expect(await run('list', { TOCSIN_API_KEY: 'tocsin_x_y' })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^tocsin: unauthorized: [^\n]+$/),
  });
  expect(await run('list', { TOCSIN_URL: 'http://127.0.0.1:1' })).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^tocsin: the API does not answer: [^\n]+$/),
  });
});

it('takes the first key of this machine, and says where it looks for it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tocsin-home-'));
  const own = { TOCSIN_HOME: home, TOCSIN_API_KEY: '' };
  expect(await run('list', own)).toMatchObject({
    code: 2,
    err: expect.stringContaining(join(home, 'first-api-key')),
  });
  writeFileSync(join(home, 'first-api-key'), `${api.adminKey}\n`);
  expect((await run('list', own)).code).toBe(0);
});

it.each([
  'nonsense',
  'list --surprise 1',
  'list --limit 0',
  'show',
  'show a b',
  'redrive',
  'redrive --reason x',
  'redrive 0123456789abcdef0123456789abcdef --reason x',
  'redrive --limit 5',
])('%s is typed wrong', async (line) => {
  expect((await run(line)).code).toBe(2);
});

it('explains itself', async () => {
  const help = await run('help');
  expect([help.code, help.out[0]]).toEqual([0, expect.stringContaining('usage: ./tocsin dead-letters list')]);
});
