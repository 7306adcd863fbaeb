// A lock file that says who holds it; the holder's death releases it.
// Invariant: the file is created whole (hard link of a finished file), so that nobody reads half of it.
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processIdentity } from './process.ts';

export type Held = { release(): void };
export type Refused = { heldBy: number };

/** Takes the lock or says which process holds it. Throws only when the folder cannot be written. */
export function tryLock(path: string): Held | Refused {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${process.pid} ${processIdentity(process.pid) ?? ''}\n`;
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(draft, path);
        return { release: () => removeIf(path, mine) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const held = read(path);
      if (held === undefined) continue;
      const [pid = '', identity = ''] = held.trim().split(' ');
      const now = processIdentity(Number(pid));
      if (now !== undefined && now === identity) return { heldBy: Number(pid) };
      removeIf(path, held);
    }
  } finally {
    unlinkSync(draft);
  }
}

/** Waits for the lock; `onWait` is called once with the holder's pid when it has to. */
export async function waitForLock(path: string, onWait: (pid: number) => void = () => {}): Promise<Held> {
  let told = false;
  for (;;) {
    const lock = tryLock(path);
    if ('release' in lock) return lock;
    if (!told) onWait(lock.heldBy);
    told = true;
    await delay(200);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

// Moves it aside before looking, so that a lock which somebody else took meanwhile is put back and not lost.
function removeIf(path: string, content: string): void {
  const aside = `${path}.old.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== content) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one took it in between; it sees its own lock.
    }
  }
  unlinkSync(aside);
}
