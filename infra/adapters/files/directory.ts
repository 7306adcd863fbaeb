// The files of the `report` and `export` actions: one folder, each file whole or not at all.
//
// Invariant: nothing is written outside the folder, whatever the name and whatever links lie in it; a reader sees the old file, the new one
// or none, never a part.
// Surprise: the size of the folder is counted once and again before a file is refused, and kept in between, so several processes on one
// folder may together go a little beyond its limit. Parts that a crash left begin with a dot, and are removed an hour later by whoever counts.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileNames, type FileStorePort, patternOf } from '@tocsin/topologies/ports/file-store.ts';
import { ensureBelow, ensureFolder, outside, syncFolder } from './folders.ts';

export interface FileStoreSettings {
  readonly folder: string;
  /** Bytes of all files in the folder. Default 1 GiB. */
  readonly maxBytes?: number;
  /** What names are. Default plain: no folders. */
  readonly names?: FileNames;
}

const mode = 0o640;
/** A part this old belongs to no process that is still writing it. */
const forgottenMs = 3_600_000;
const partName = /^\.part-[0-9a-f]{16}$/;

/** Opens lazily: a wrong path shows at the first file. */
export function createFileStore(settings: FileStoreSettings): FileStorePort {
  const { folder, maxBytes = 1024 ** 3, names = 'plain' } = settings;
  let held: Promise<number> | null = null;
  // One at a time, so that the size is that of the folder.
  let turn: Promise<unknown> = Promise.resolve();

  /** Counted anew when it was never counted, or when it could not be. */
  async function heldBytes(): Promise<number> {
    held ??= openFolder(folder);
    return held.catch((error: unknown) => {
      held = null;
      throw error;
    });
  }

  async function put(name: string, content: Buffer): Promise<void> {
    let before = await heldBytes();
    const parent = await ensureBelow(folder, name.split('/').slice(0, -1));
    const path = join(folder, name);
    const replaced = (await lstat(path).catch(ignoreAbsent))?.size ?? 0;
    if (before - replaced + content.length > maxBytes) {
      // Somebody else may have taken files away.
      held = null;
      before = await heldBytes();
    }
    const after = before - replaced + content.length;
    if (after > maxBytes)
      throw Object.assign(new Error(`the folder would hold more than ${maxBytes} bytes`), { code: 'EDQUOT' });
    const part = join(parent, `.part-${randomBytes(8).toString('hex')}`);
    try {
      await writeWhole(part, content);
      // A link put in the way in the meantime would have led the part elsewhere.
      if ((await realpath(part)) !== part) throw outside(name);
      await rename(part, join(parent, name.slice(name.lastIndexOf('/') + 1)));
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      throw error;
    }
    held = Promise.resolve(after);
    await syncFolder(parent);
  }

  return {
    put(name, content) {
      if (!patternOf[names].test(name))
        return Promise.reject(new RangeError('the name is none that a file of this store can have'));
      const mine = turn.then(() => put(name, content));
      turn = mine.catch(() => {});
      return mine;
    },
  };
}

/** Bytes of the files in the folder, which is made, and below it; parts of files that a crash left are removed. Links are not followed. */
async function openFolder(folder: string): Promise<number> {
  await ensureFolder(folder);
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const found = await lstat(path).catch(ignoreAbsent);
    const forgotten = partName.test(entry.name) && Date.now() - (found?.mtimeMs ?? 0) > forgottenMs;
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
