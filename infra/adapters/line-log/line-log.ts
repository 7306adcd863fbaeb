// The log file of the `log` action: whole lines, on disk before the promise resolves, rotated by size.
//
// Invariant: lines of one append stand together, in order, and are followed by a flush; a disk that refuses rejects
// every append of that write. Surprise: appends that come during a write go out together in the next one.
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { LineLogPort } from '@tocsin/topologies/ports/line-log.ts';

export interface LineLogSettings {
  readonly file: string;
  /** The file is rotated before it grows beyond this, bytes; default 64 MiB. */
  readonly maxBytes?: number;
  /** Rotated files kept as <file>.1 (newest) to <file>.<keep>; default 5. */
  readonly keep?: number;
}

export interface LineLog extends LineLogPort {
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Rejects when the file cannot be opened for appending. */
export async function openLineLog(settings: LineLogSettings): Promise<LineLog> {
  const { file, maxBytes = 64 * 1024 * 1024, keep = 5 } = settings;
  let handle: FileHandle = await open(file, 'a', 0o640);
  let size = (await handle.stat()).size;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;

  async function rotate(): Promise<void> {
    await handle.close();
    await rm(`${file}.${keep}`, { force: true });
    for (let number = keep - 1; number >= 1; number -= 1)
      await rename(`${file}.${number}`, `${file}.${number + 1}`).catch(ignoreMissing);
    await rename(file, `${file}.1`).catch(ignoreMissing);
    handle = await open(file, 'a', 0o640);
    size = 0;
  }

  async function write(group: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.from(group.map(({ text }) => text).join(''));
    try {
      if (size > 0 && size + bytes.length > maxBytes) await rotate();
      await handle.appendFile(bytes);
      size += bytes.length;
      await handle.datasync();
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await write(group);
    }
    writing = null;
  }

  return {
    append(lines) {
      if (lines.some((line) => /[\r\n]/.test(line)))
        return Promise.reject(new TypeError('a line must not hold a line break'));
      if (lines.length === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiting.push({ text: lines.map((line) => `${line}\n`).join(''), resolve, reject });
        writing ??= drain();
      });
    },
    async close() {
      await writing;
      await handle.close();
    },
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
