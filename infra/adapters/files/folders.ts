// Folders that files are written into durably.
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Makes a folder and those above it, mode 0750. Node's own recursive mkdir never returns where a file system answers ENOENT below an
 * existing folder (/proc does).
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o750 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await ensureFolder(dirname(path));
    await mkdir(path, { mode: 0o750 }).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== 'EEXIST') throw again;
    });
  }
}

/**
 * The real path of the folder `names` below `root`, which exists; what is missing is made durably. Rejects with ENOTDIR where a name is
 * anything but a folder, a link to one included.
 */
export async function ensureBelow(root: string, names: readonly string[]): Promise<string> {
  let path = await realpath(root);
  for (const name of names) {
    const above = path;
    path = join(above, name);
    try {
      await mkdir(path, { mode: 0o750 });
      await syncFolder(above);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (!(await lstat(path)).isDirectory()) throw outside(name);
    }
  }
  return path;
}

/** A name that is no folder of the store. */
export function outside(name: string): Error {
  return Object.assign(new Error(`${name} is not below the folder`), { code: 'ENOTDIR' });
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
