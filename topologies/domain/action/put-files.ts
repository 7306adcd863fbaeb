// Files of an action into their store, one after the other; what the disk says as a failure.
import type { FileStorePort } from '../../ports/file-store.ts';
import { failed } from './fail.ts';
import type { Failed } from './outcome.ts';

/** Why the files are not in their folder; null: they are. `what` names them for people: the report, the export. */
export async function putFiles(
  store: FileStorePort,
  files: readonly { readonly name: string; readonly content: Buffer }[],
  what: string,
): Promise<Failed | null> {
  for (const { name, content } of files)
    try {
      await store.put(name, content);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const why =
        code === 'EDQUOT' ? `the ${what} folder is full` : `the ${what} could not be written: ${code}`;
      return failed('disk', why, 'backoff');
    }
  return null;
}
