// The line log on a real file system, a full one (a tmpfs in a namespace of its own, and /dev/full) and a read-only place.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLineLog } from './file.ts';
import type { FullDiskReport } from './full-disk.child.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'line-log-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

describe('appending', () => {
  it('creates folder and file with mode 0640 and adds whole lines to what is there', async () => {
    const path = join(folder, 'a/b/actions.log');
    const log = createLineLog({ path });
    await log.append(['{"n":1}', '{"n":"é"}']);
    await log.append([]);
    expect(readFileSync(path, 'utf8')).toBe('{"n":1}\n{"n":"é"}\n');
    expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
    await log.close();
    const again = createLineLog({ path });
    await again.append(['{"n":3}']);
    await again.close();
    expect(linesOf(path)).toHaveLength(3);
    await expect(again.append(['x'])).rejects.toThrow('closed');
  });

  it('refuses a line with a line feed', async () => {
    const log = createLineLog({ path: join(folder, 'x.log') });
    await expect(log.append(['a\nb'])).rejects.toThrow(RangeError);
    await expect(log.append(['a\r'])).rejects.toThrow(RangeError);
    expect(existsSync(join(folder, 'x.log'))).toBe(false);
    await log.close();
  });

  it('many appends at once keep their order and cost few syncs', async () => {
    const path = join(folder, 'x.log');
    const probe = await open(join(folder, 'probe'), 'w');
    const datasync = vi.spyOn(Object.getPrototypeOf(probe) as { datasync(): Promise<void> }, 'datasync');
    await probe.close();
    const log = createLineLog({ path });
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => log.append([`${i}a`, `${i}b`])));
    expect(linesOf(path)).toEqual(Array.from({ length: 2_000 }, (_, i) => [`${i}a`, `${i}b`]).flat());
    expect(datasync.mock.calls.length).toBeGreaterThan(0);
    expect(datasync.mock.calls.length).toBeLessThan(10);
    await log.close();
  });

  it('close waits for what was appended', async () => {
    const path = join(folder, 'x.log');
    const log = createLineLog({ path });
    const appended = log.append(['last']);
    await log.close();
    expect(linesOf(path)).toEqual(['last']);
    await appended;
  });

  it("repeats the lines elsewhere after they are on disk, and a failure there is not the file's", async () => {
    const path = join(folder, 'x.log');
    const seen: string[] = [];
    const log = createLineLog({
      path,
      echo: { write: (text) => void seen.push(`${text}${linesOf(path).length}`) },
    });
    await log.append(['a']);
    expect(seen).toEqual(['a\n1']);
    await log.close();
    const broken = createLineLog({
      path,
      echo: {
        write: () => {
          throw new Error('EPIPE');
        },
      },
    });
    await broken.append(['b']);
    expect(linesOf(path)).toEqual(['a', 'b']);
    await broken.close();
  });
});

describe('rotation', () => {
  it('keeps every file within the limit and the newest N, losing only older ones', async () => {
    const path = join(folder, 'x.log');
    const log = createLineLog({ path, maxBytes: 40, keep: 3 });
    for (let i = 0; i < 30; i++) await log.append([`line ${String(i).padStart(3, '0')}`]);
    await log.close();
    const files = [`${path}.3`, `${path}.2`, `${path}.1`, path];
    for (const file of files) expect(statSync(file).size).toBeLessThanOrEqual(40);
    expect(existsSync(`${path}.4`)).toBe(false);
    const kept = files.flatMap(linesOf);
    expect(kept).toEqual(
      Array.from({ length: kept.length }, (_, i) => `line ${String(30 - kept.length + i).padStart(3, '0')}`),
    );
    expect(kept.length).toBeGreaterThan(12);
  });

  it('goes on in a file that was already full, and writes one line that is larger than the limit', async () => {
    const path = join(folder, 'x.log');
    writeFileSync(path, `${'x'.repeat(50)}\n`);
    const log = createLineLog({ path, maxBytes: 40, keep: 1 });
    await log.append(['y'.repeat(100)]);
    await log.append(['z']);
    await log.close();
    expect([linesOf(`${path}.1`), linesOf(path)]).toEqual([['y'.repeat(100)], ['z']]);
  });

  it('with nothing to keep starts anew', async () => {
    const path = join(folder, 'x.log');
    const log = createLineLog({ path, maxBytes: 10, keep: 0 });
    for (const line of ['aaaaaaa', 'bbbbbbb', 'ccccccc']) await log.append([line]);
    await log.close();
    expect(linesOf(path)).toEqual(['ccccccc']);
    expect(existsSync(`${path}.1`)).toBe(false);
  });
});

describe('a disk that refuses', () => {
  it('full: the append rejects with ENOSPC, later ones too', async () => {
    const log = createLineLog({ path: '/dev/full' });
    await expect(log.append(['a'])).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(log.append(['b'])).rejects.toMatchObject({ code: 'ENOSPC' });
    await log.close();
  });

  it('a folder that cannot be written, a file that is a folder, a symbolic link', async () => {
    await expect(createLineLog({ path: '/proc/tocsin/x.log' }).append(['a'])).rejects.toThrow();
    mkdirSync(join(folder, 'dir'));
    await expect(createLineLog({ path: join(folder, 'dir') }).append(['a'])).rejects.toMatchObject({
      code: 'EISDIR',
    });
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'link'));
    await expect(createLineLog({ path: join(folder, 'link') }).append(['a'])).rejects.toMatchObject({
      code: 'ELOOP',
    });
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
  });

  it('limits that make no sense', () => {
    expect(() => createLineLog({ path: 'x', maxBytes: 0 })).toThrow(RangeError);
    expect(() => createLineLog({ path: 'x', keep: 1.5 })).toThrow(RangeError);
  });

  it('a short write that fails in the middle leaves no half line, and works again when there is room', async () => {
    const path = join(folder, 'x.log');
    const log = createLineLog({ path });
    await log.append(['first']);
    const probe = await open(join(folder, 'probe'), 'w');
    const methods = Object.getPrototypeOf(probe) as {
      write(bytes: Buffer, at: number): Promise<{ bytesWritten: number }>;
    };
    await probe.close();
    const original = methods.write;
    let calls = 0;
    vi.spyOn(methods, 'write').mockImplementation(function (this: unknown, bytes, at) {
      calls += 1;
      if (calls === 1) return original.call(this, bytes.subarray(0, at + 3), at);
      return Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    });
    await expect(log.append(['second'])).rejects.toMatchObject({ code: 'ENOSPC' });
    vi.restoreAllMocks();
    expect(linesOf(path)).toEqual(['first']);
    await log.append(['third']);
    await log.close();
    expect(readFileSync(path, 'utf8')).toBe('first\nthird\n');
  });
});

it('a small real file system fills up, rejects, keeps whole lines only, and goes on after space is made', () => {
  // A user namespace gives the right to mount where we are not root (Linux 3.8 on, user_namespaces(7)).
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
  const child = fileURLToPath(new URL('./full-disk.child.ts', import.meta.url));
  const output = execFileSync('unshare', [...namespace, process.execPath, child, folder], {
    encoding: 'utf8',
  });
  const { code, written, full, after } = JSON.parse(output) as FullDiskReport;
  expect(code).toBe('ENOSPC');
  expect(written).toBeGreaterThan(10);
  expect(full).toEqual(Array(written).fill('x'.repeat(999)));
  expect(after).toEqual([...full, 'after']);
});
