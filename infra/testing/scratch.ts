// Throw-away folders for servers and files of a test.
// Surprise: mkdtemp's mode 0700 would hide PostgreSQL's data from the user it runs as when the tests run as root.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Scratch = { path: string; remove(): void };

/** A new folder under the system's temporary folder, passable for every user, readable for its owner only. */
export function scratchFolder(name = 'test'): Scratch {
  const path = mkdtempSync(join(tmpdir(), `tocsin-${name}-`));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}
