// Files that an action leaves behind for people and other systems: whole or not at all, each under one name.

/** Longest file name, and what it is made of; it starts with a letter or a digit. */
export const fileNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** A file below folders of the store: at most eight names; a folder may be a partition, `dt=2026-11-28`. */
export const filePathPattern =
  /^(?:[A-Za-z0-9][A-Za-z0-9._=-]{0,199}\/){0,7}[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** What the names of a store are: `plain` fileNamePattern, `paths` filePathPattern. */
export type FileNames = 'plain' | 'paths';

export const patternOf: Readonly<Record<FileNames, RegExp>> = {
  plain: fileNamePattern,
  paths: filePathPattern,
};

export interface FileStorePort {
  /**
   * Puts a file under `name` (the pattern of the store; RangeError otherwise), in place of one of that name. Resolves when it is on disk.
   * Rejects when the disk refuses, and with `code: 'EDQUOT'` when the store would hold more than it may.
   */
  put(name: string, content: Buffer): Promise<void>;
}
