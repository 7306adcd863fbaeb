// The log file of the `log` action: lines appended to one file that is rotated by size.
// Invariant: an append resolves after its lines are on disk (fdatasync), and rejects when they may not be; lines of one append stay
// together and in order.
// Surprise: appends that arrive while a write is under way are written together with one sync, so a thousand concurrent appends
// cost a handful of syncs. After a failed write the file is reopened and cut back, so no half line stays in front of the next one.
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LineLogPort } from '@tocsin/topologies/ports/line-log.ts';
import { ensureFolder, syncFolder } from '../files/folders.ts';

export interface LineLogSettings {
  readonly path: string;
  /** A file that would grow beyond this is rotated first. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Rotated files kept as path.1 (newest) to path.N. Default 5. */
  readonly keep?: number;
  /** Takes the same lines afterwards, for example standard output; its failures are not the file's. */
  readonly echo?: { write(text: string): unknown };
}

export interface FileLineLog extends LineLogPort {
  /** Waits for what was appended, then closes. Later appends reject. */
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const MODE = 0o640;
// One write system call; more waits for the next round.
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** Opens lazily: a wrong path shows at the first append. Throws RangeError for limits that make no sense. */
export function createLineLog(settings: LineLogSettings): FileLineLog {
  const maxBytes = settings.maxBytes ?? 64 * 1024 * 1024;
  const keep = settings.keep ?? 5;
  if (!(maxBytes > 0) || !Number.isInteger(keep) || keep < 0)
    throw new RangeError('maxBytes must be positive, keep a whole number');
  const file = new RotatedFile(settings.path, maxBytes, keep);
  let queue: Waiting[] = [];
  let working: Promise<void> | null = null;
  let closed = false;

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = takeBatch(queue);
      queue = queue.slice(batch.length);
      const text = batch.map((entry) => entry.text).join('');
      try {
        await file.append(Buffer.from(text, 'utf8'));
      } catch (error) {
        for (const entry of batch) entry.reject(error as Error);
        continue;
      }
      echo(settings.echo, text);
      for (const entry of batch) entry.resolve();
    }
    working = null;
  };

  return {
    append(lines) {
      if (closed) return Promise.reject(new Error('the line log is closed'));
      if (lines.length === 0) return Promise.resolve();
      if (lines.some((line) => /[\r\n]/.test(line)))
        return Promise.reject(new RangeError('a line holds a line feed'));
      return new Promise((resolve, reject) => {
        queue.push({ text: `${lines.join('\n')}\n`, resolve, reject });
        working ??= work();
      });
    },
    async close() {
      closed = true;
      while (working !== null) await working;
      await file.close();
    },
  };
}

class RotatedFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  #handle: FileHandle | null = null;
  #size = 0;
  #regular = true;

  constructor(path: string, maxBytes: number, keep: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
  }

  async append(bytes: Buffer): Promise<void> {
    let handle = this.#handle ?? (await this.#open());
    if (this.#regular && this.#size > 0 && this.#size + bytes.length > this.#maxBytes) {
      await this.#rotate();
      handle = await this.#open();
    }
    try {
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
      if (this.#regular) await handle.datasync();
      this.#size += bytes.length;
    } catch (error) {
      // What of it reached the disk is unknown; the callers will append it again.
      await handle.truncate(this.#size).catch(() => {});
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => {});
  }

  async #open(): Promise<FileHandle> {
    await ensureFolder(dirname(this.#path));
    // A symbolic link in a shared folder must not lead the writer elsewhere.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const handle = await open(this.#path, flags, MODE);
    const stat = await handle.stat();
    this.#size = stat.size;
    this.#regular = stat.isFile();
    this.#handle = handle;
    // A new file is durable only when its folder is.
    if (this.#regular && stat.size === 0) await syncFolder(dirname(this.#path));
    return handle;
  }

  async #rotate(): Promise<void> {
    await this.close();
    if (this.#keep === 0) await rm(this.#path, { force: true });
    for (let n = this.#keep; n > 0; n--) {
      const from = n === 1 ? this.#path : `${this.#path}.${n - 1}`;
      await rename(from, `${this.#path}.${n}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }
}

function takeBatch(queue: readonly Waiting[]): readonly Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && (count === 0 || bytes + queue[count]!.text.length <= MAX_BATCH_BYTES)) {
    bytes += queue[count]!.text.length;
    count += 1;
  }
  return queue.slice(0, count);
}

function echo(target: LineLogSettings['echo'], text: string): void {
  try {
    target?.write(text);
  } catch {
    // The lines are on disk; a closed pipe does not change that.
  }
}
