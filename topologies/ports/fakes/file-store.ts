// The store of files in memory.
import { type FileStorePort, fileNamePattern } from '../file-store.ts';

export interface FakeFileStore extends FileStorePort {
  readonly files: ReadonlyMap<string, Buffer>;
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeFileStore(): FakeFileStore {
  const files = new Map<string, Buffer>();
  const errors: Error[] = [];
  return {
    files,
    fail(...next) {
      errors.push(...next);
    },
    async put(name, content) {
      if (!fileNamePattern.test(name)) throw new RangeError('the name of a file is no plain name');
      const error = errors.shift();
      if (error !== undefined) throw error;
      files.set(name, Buffer.from(content));
    },
  };
}
