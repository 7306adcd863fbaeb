// Where an imported or exported playbook goes: to stdout, or into a file that does not exist yet; and what an export keeps in its source.
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parseArgs } from 'node:util';
import { withMember } from '@tocsin/adapters/config/yaml-documents.ts';
import { type RulesIo, UsageError } from './rules-io.ts';

/** `FILE --<way> cacao [--out FILE]`. Throws UsageError. */
export function fileArgs(
  args: readonly string[],
  way: 'from' | 'to',
): { readonly file: string; readonly out: string | undefined } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { [way]: { type: 'string' }, out: { type: 'string' } },
  });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new UsageError('name one file with a playbook');
  if (values[way] !== 'cacao') throw new UsageError(`--${way} is cacao`);
  return { file, out: values['out'] as string | undefined };
}

/** Exit code: 1 when the file is there already or cannot be written. */
export async function writeResult(text: string, out: string | undefined, io: RulesIo): Promise<number> {
  if (out === undefined) {
    for (const line of text.trimEnd().split('\n')) io.out(line);
    return 0;
  }
  try {
    await writeFile(out, `${text.trimEnd()}\n`, { flag: 'wx' });
    return 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    io.err(code === 'EEXIST' ? `${out} exists and is left as it is` : `${out}: ${code}`);
    return 1;
  }
}

/** Writes `meta` into the playbook file, whose text was read; answers why it could not. */
export async function keepMeta(file: string, text: string, meta: object): Promise<string | null> {
  const json = extname(file) === '.json';
  const changed = json
    ? `${JSON.stringify({ ...(JSON.parse(text) as object), meta }, null, 2)}\n`
    : withMember(text, 'meta', meta);
  try {
    await writeFile(file, changed);
    return null;
  } catch (error) {
    return `cannot keep the identifiers: ${(error as NodeJS.ErrnoException).code}`;
  }
}
