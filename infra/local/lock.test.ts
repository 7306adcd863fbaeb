// One holder at a time; a dead holder, or one whose pid somebody else has by now, holds nothing.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, expect, it } from 'vitest';
import { tryLock, waitForLock } from './lock.ts';

const scratch = scratchFolder('lock');
afterAll(() => scratch.remove());

it('is refused while it is held, with the pid of the holder, and free again afterwards', () => {
  const path = join(scratch.path, 'a/lock');
  const first = tryLock(path);
  expect(tryLock(path)).toEqual({ heldBy: process.pid });
  if ('release' in first) first.release();
  const second = tryLock(path);
  expect(second).toHaveProperty('release');
  if ('release' in second) second.release();
  expect(readdirSync(join(scratch.path, 'a'))).toEqual([]);
});

it('is taken over from a dead process', () => {
  const path = join(scratch.path, 'dead');
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  writeFileSync(path, `${pid} 12345\n`);
  expect(tryLock(path)).toHaveProperty('release');
});

it.runIf(process.platform === 'linux')('is taken over when the pid belongs to a younger process', () => {
  const path = join(scratch.path, 'reused');
  writeFileSync(path, `${process.pid} 1\n`);
  expect(tryLock(path)).toHaveProperty('release');
  expect(readFileSync(path, 'utf8')).not.toBe(`${process.pid} 1\n`);
});

it('releases only its own', () => {
  const path = join(scratch.path, 'own');
  const lock = tryLock(path);
  writeFileSync(path, 'somebody else\n');
  if ('release' in lock) lock.release();
  expect(readFileSync(path, 'utf8')).toBe('somebody else\n');
});

it('lets those who wait in one after the other', async () => {
  const path = join(scratch.path, 'queue');
  let inside = 0;
  let most = 0;
  const worker = async () => {
    const lock = await waitForLock(path);
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
    lock.release();
  };
  await Promise.all([worker(), worker(), worker()]);
  expect(most).toBe(1);
});
