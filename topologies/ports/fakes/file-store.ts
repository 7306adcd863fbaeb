// The store of files in memory.
import { type FileNames, type FileStorePort, patternOf } from '../file-store.ts';

export interface FakeFileStore extends FileStorePort {
  readonly files: ReadonlyMap<string, Buffer>;
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeFileStore(names: FileNames = 'plain'): FakeFileStore {
  const files = new Map<string, Buffer>();
  const errors: Error[] = [];
  return {
    files,
    fail(...next) {
      errors.push(...next);
    },
    async put(name, content) {
      if (!patternOf[names].test(name))
        throw new RangeError(`the name of the file is not of the kind ${names}`);
      const error = errors.shift();
      if (error !== undefined) throw error;
      files.set(name, Buffer.from(content));
    },
  };
}
