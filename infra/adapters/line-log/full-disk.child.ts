// Fills a file system of 64 KiB through the line log and reports what happened, as one line of JSON on standard output.
//
// Runs in a mount namespace of its own (unshare(1)), so that the mount needs no root and goes away with the process.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLineLog } from './file.ts';

/** What the test looks at. */
export interface FullDiskReport {
  /** Error code of the append that did not fit. */
  readonly code: string | undefined;
  readonly written: number;
  /** Lines in the file when it was full, and after space was made and one more line was appended. */
  readonly full: readonly string[];
  readonly after: readonly string[];
}

const [folder = ''] = process.argv.slice(2);
if (folder !== '') {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  const path = join(folder, 'x.log');
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(32 * 1024));
  const log = createLineLog({ path });
  const lines = (): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
  let written = 0;
  let code: string | undefined;
  while (code === undefined)
    try {
      await log.append(['x'.repeat(999)]);
      written += 1;
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code ?? String(error);
    }
  const full = lines();
  rmSync(ballast);
  await log.append(['after']);
  await log.close();
  const report: FullDiskReport = { code, written, full, after: lines() };
  process.stdout.write(JSON.stringify(report));
}
