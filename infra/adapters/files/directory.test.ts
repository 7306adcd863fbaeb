// The folder of reports on a real file system: whole files, plain names, bounded, and what happens when the disk refuses.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFileStore } from './directory.ts';

const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), 'file-store-'));

test('makes its folder, writes files that only owner and group read, and replaces one of the same name', async () => {
  const folder = join(await scratch(), 'a', 'b');
  const store = createFileStore({ folder });
  await store.put('one.html', Buffer.from('first'));
  await store.put('one.html', Buffer.from('second'));
  await store.put('two.csv', Buffer.alloc(3_000_000, 'x'));
  expect(await readdir(folder)).toEqual(['one.html', 'two.csv']);
  expect(await readFile(join(folder, 'one.html'), 'utf8')).toBe('second');
  expect((await stat(join(folder, 'one.html'))).mode & 0o007).toBe(0);
});

test.each([
  '../x',
  'a/b',
  '/etc/passwd',
  '.x',
  '..',
  '',
  'a\u0000b',
  'a\\b',
  'x'.repeat(201),
  'é',
  'a b',
  'a\n',
])('refuses the name %j and writes nothing', async (name) => {
  const above = await scratch();
  const folder = join(above, 'reports');
  const store = createFileStore({ folder });
  await store.put('ok', Buffer.from('1'));
  await expect(store.put(name, Buffer.from('x'))).rejects.toThrow(RangeError);
  expect([await readdir(above), await readdir(folder)]).toEqual([['reports'], ['ok']]);
});

test('does not write through a symbolic link of the same name', async () => {
  const folder = await scratch();
  const outside = join(await scratch(), 'victim');
  await writeFile(outside, 'mine');
  await symlink(outside, join(folder, 'r.html'));
  await createFileStore({ folder }).put('r.html', Buffer.from('report'));
  expect(await readFile(outside, 'utf8')).toBe('mine');
  expect(await readFile(join(folder, 'r.html'), 'utf8')).toBe('report');
});

test('holds so many bytes and no more, those of earlier processes counted; a smaller replacement makes room', async () => {
  const folder = await scratch();
  await writeFile(join(folder, 'old'), Buffer.alloc(60));
  const store = createFileStore({ folder, maxBytes: 100 });
  await store.put('a', Buffer.alloc(40));
  await expect(store.put('b', Buffer.alloc(1))).rejects.toMatchObject({ code: 'EDQUOT' });
  expect(await readdir(folder)).toEqual(['a', 'old']);
  await store.put('a', Buffer.alloc(30));
  await store.put('b', Buffer.alloc(10));
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      createFileStore({ folder, maxBytes: 120 }).put(`c${n}`, Buffer.alloc(0)),
    ),
  );
  expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
});

test('puts that come at the same time are counted one by one', async () => {
  const folder = await scratch();
  const store = createFileStore({ folder, maxBytes: 100 });
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => store.put(`f${n}`, Buffer.alloc(10))),
  );
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  expect(await readdir(folder)).toHaveLength(10);
});

test('a folder that cannot be used rejects with its code, and works again when it can', async () => {
  const above = await scratch();
  await writeFile(join(above, 'file'), '');
  await expect(
    createFileStore({ folder: join(above, 'file', 'below') }).put('x', Buffer.from('1')),
  ).rejects.toMatchObject({ code: 'ENOTDIR' });
  const full = createFileStore({ folder: '/dev/full' });
  await expect(full.put('x', Buffer.from('1'))).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
});

test('parts that a crash left are removed after an hour, those of others at work are not', async () => {
  const folder = await scratch();
  for (const name of ['.part-0123456789abcdef', '.part-fedcba9876543210'])
    await writeFile(join(folder, name), 'x');
  const long = new Date(Date.now() - 7_200_000);
  await utimes(join(folder, '.part-0123456789abcdef'), long, long);
  await createFileStore({ folder }).put('a', Buffer.from('1'));
  expect(await readdir(folder)).toEqual(['.part-fedcba9876543210', 'a']);
});

test('a failed write leaves no part behind', async () => {
  const folder = await scratch();
  const store = createFileStore({ folder });
  await store.put('a', Buffer.from('1'));
  // A folder stands where the file should: the rename fails after the part was written.
  await mkdir(join(folder, 'taken'));
  await expect(store.put('taken', Buffer.from('x'))).rejects.toMatchObject({
    code: expect.stringMatching(/^E/),
  });
  expect(await readdir(folder)).toEqual(['a', 'taken']);
});

test('a store of paths makes folders that only owner and group enter, and replaces files in them', async () => {
  const folder = join(await scratch(), 'exports');
  const store = createFileStore({ folder, names: 'paths' });
  await store.put('findings/dt=2026-11-28/a.ndjson', Buffer.from('first'));
  await store.put('findings/dt=2026-11-28/a.ndjson', Buffer.from('second'));
  await store.put('findings/dt=2026-11-29/b.parquet', Buffer.from('x'));
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  expect(
    found
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['a.ndjson', 'b.parquet']);
  expect(await readFile(join(folder, 'findings/dt=2026-11-28/a.ndjson'), 'utf8')).toBe('second');
  expect((await stat(join(folder, 'findings/dt=2026-11-28'))).mode & 0o007).toBe(0);
});

test.each([
  '../x',
  'a/../../x',
  'a/..',
  '/etc/passwd',
  'a//b',
  'a/',
  './a',
  'a/./b',
  '.a/b',
  'a/.b',
  'a\\b',
  'a\u0000/b',
  'a/b\n',
  'a/dt=1',
  `${'a/'.repeat(8)}b`,
  '',
])('a store of paths refuses %j and writes nothing', async (name) => {
  const above = await scratch();
  const folder = join(above, 'exports');
  const store = createFileStore({ folder, names: 'paths' });
  await store.put('ok', Buffer.from('1'));
  await expect(store.put(name, Buffer.from('x'))).rejects.toThrow(RangeError);
  expect([await readdir(above), await readdir(folder)]).toEqual([['exports'], ['ok']]);
});

test('links in the folder lead nowhere: neither one to a folder nor one of the name of the file', async () => {
  const folder = await scratch();
  const outside = await scratch();
  await writeFile(join(outside, 'victim'), 'mine');
  const store = createFileStore({ folder, names: 'paths' });
  await store.put('findings/ok', Buffer.from('1'));
  await symlink(outside, join(folder, 'findings/dt=2026-11-28'));
  await symlink(outside, join(folder, 'linked'));
  await symlink(join(outside, 'victim'), join(folder, 'findings/file'));
  for (const name of ['findings/dt=2026-11-28/victim', 'linked/victim', 'linked/new/victim'])
    await expect(store.put(name, Buffer.from('x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await store.put('findings/file', Buffer.from('export'));
  expect([await readdir(outside), await readFile(join(outside, 'victim'), 'utf8')]).toEqual([
    ['victim'],
    'mine',
  ]);
  expect(await readFile(join(folder, 'findings/file'), 'utf8')).toBe('export');
});

test('a root that is itself a link is where it leads, and a file in the way of a folder is an error', async () => {
  const real = await scratch();
  const link = join(await scratch(), 'link');
  await symlink(real, link);
  const store = createFileStore({ folder: link, names: 'paths' });
  await store.put('a/b', Buffer.from('1'));
  expect(await readFile(join(real, 'a/b'), 'utf8')).toBe('1');
  await expect(store.put('a/b/c', Buffer.from('1'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test('files below count, and what others took away makes room', async () => {
  const folder = await scratch();
  await mkdir(join(folder, 'old'));
  await writeFile(join(folder, 'old/a'), Buffer.alloc(60));
  const store = createFileStore({ folder, maxBytes: 100, names: 'paths' });
  await store.put('b/c', Buffer.alloc(40));
  await expect(store.put('b/d', Buffer.alloc(1))).rejects.toMatchObject({ code: 'EDQUOT' });
  await rm(join(folder, 'old/a'));
  await store.put('b/d', Buffer.alloc(60));
  await expect(store.put('b/e', Buffer.alloc(1))).rejects.toMatchObject({ code: 'EDQUOT' });
});
