// Files that an action leaves behind for people: whole or not at all, under one plain name each.

/** Longest file name, and what it is made of; it starts with a letter or a digit. */
export const fileNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export interface FileStorePort {
  /**
   * Puts a file under `name` (fileNamePattern; RangeError otherwise), in place of one of that name. Resolves when it is on disk. Rejects
   * when the disk refuses, and with `code: 'EDQUOT'` when the store would hold more than it may.
   */
  put(name: string, content: Buffer): Promise<void>;
}
