// Whether a script of the catalogue may be run as it lies on disk now; asked when the agent starts and again before each run.
//
// Invariant: what is run lies in an allowed folder after every link was followed, and only its owner can change it.
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, sep } from 'node:path';

export interface FileRules {
  readonly path: string;
  /** Folders as the kernel knows them, links followed. */
  readonly folders: readonly string[];
  /** Digest that was approved. */
  readonly sha256?: string;
}

/** The file itself, links followed, or why it is not run. */
export function checkScriptFile({
  path,
  folders,
  sha256,
}: FileRules): { readonly file: string } | { readonly refused: string } {
  const refuse = (why: string): { readonly refused: string } => ({ refused: `${path} ${why}` });
  let file: string;
  let stats: Stats;
  try {
    file = realpathSync(path);
    stats = statSync(file);
  } catch (error) {
    return refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
  const folder = folders.find((each) => file.startsWith(each.endsWith(sep) ? each : each + sep));
  if (folder === undefined)
    return refuse(file === path ? 'is in no allowed folder' : 'leads to a file in no allowed folder');
  if (!stats.isFile()) return refuse('is no file');
  if ((stats.mode & 0o022) !== 0) return refuse('can be written by its group or by others');
  for (let at = dirname(file); at.length >= folder.length; at = dirname(at)) {
    const { mode } = statSync(at);
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0)
      return refuse(`lies in ${at}, where everybody can replace it`);
    if (at === dirname(at)) break;
  }
  if (sha256 !== undefined && createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256)
    return refuse('is not the file that was approved: its sha256 is another one');
  return { file };
}
