// Records for systems outside in memory.
import type { KeyedRecord, RecordsPort } from '../records.ts';

export interface FakeRecords extends RecordsPort {
  /** What each call appended. */
  readonly appends: readonly (readonly KeyedRecord[])[];
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeRecords(): FakeRecords {
  const appends: (readonly KeyedRecord[])[] = [];
  const errors: Error[] = [];
  return {
    appends,
    fail(...next) {
      errors.push(...next);
    },
    async append(records) {
      const error = errors.shift();
      if (error !== undefined) throw error;
      appends.push(structuredClone(records));
    },
  };
}
