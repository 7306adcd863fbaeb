// The files of the `report` action: one folder, each file whole or not at all.
//
// Invariant: nothing is written outside the folder, whatever the name; a reader sees the old file, the new one or none, never a part.
// Surprise: the size of the folder is counted once and then kept, so several processes on one folder may together go a little
// beyond its limit. Parts that a crash left begin with a dot, and are removed an hour later by whoever starts.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileStorePort, fileNamePattern } from '@tocsin/topologies/ports/file-store.ts';
import { ensureFolder, syncFolder } from './folders.ts';

export interface FileStoreSettings {
  readonly folder: string;
  /** Bytes of all files in the folder. Default 1 GiB. */
  readonly maxBytes?: number;
}

const mode = 0o640;
/** A part this old belongs to no process that is still writing it. */
const forgottenMs = 3_600_000;
const partName = /^\.part-[0-9a-f]{16}$/;

/** Opens lazily: a wrong path shows at the first file. */
export function createFileStore({ folder, maxBytes = 1024 ** 3 }: FileStoreSettings): FileStorePort {
  let held: Promise<number> | null = null;
  // One at a time, so that the size is that of the folder.
  let turn: Promise<unknown> = Promise.resolve();

  async function put(name: string, content: Buffer): Promise<void> {
    held ??= openFolder(folder);
    const before = await held.catch((error: unknown) => {
      held = null;
      throw error;
    });
    const path = join(folder, name);
    const replaced = (await lstat(path).catch(ignoreAbsent))?.size ?? 0;
    const after = before - replaced + content.length;
    if (after > maxBytes)
      throw Object.assign(new Error(`the folder would hold more than ${maxBytes} bytes`), { code: 'EDQUOT' });
    const part = join(folder, `.part-${randomBytes(8).toString('hex')}`);
    try {
      await writeWhole(part, content);
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      throw error;
    }
    held = Promise.resolve(after);
    await syncFolder(folder);
  }

  return {
    put(name, content) {
      if (!fileNamePattern.test(name))
        return Promise.reject(new RangeError('the name is no plain file name'));
      const mine = turn.then(() => put(name, content));
      turn = mine.catch(() => {});
      return mine;
    },
  };
}

/** Bytes of the files in the folder, which is made; parts of files that a crash left are removed. */
async function openFolder(folder: string): Promise<number> {
  await ensureFolder(folder);
  let bytes = 0;
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    const found = await lstat(path).catch(ignoreAbsent);
    const forgotten = partName.test(entry) && Date.now() - (found?.mtimeMs ?? 0) > forgottenMs;
    if (forgotten) await rm(path, { force: true });
    else bytes += found?.size ?? 0;
  }
  return bytes;
}

async function writeWhole(path: string, content: Buffer): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(path, flags, mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
