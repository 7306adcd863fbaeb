// Assignments and batches made by hand, to drive a handler without a log.
import type { Assignment, Header, RecordBatch } from '../ports/log.ts';

export interface FakeAssignment extends Assignment {
  /** Completed ranges [first, next) in the order of completion. */
  readonly completed: readonly (readonly [number, number])[];
  revoke(): void;
}

export function fakeAssignment(topic: string, partition = 0, epoch = 1): FakeAssignment {
  const abort = new AbortController();
  const completed: [number, number][] = [];
  return {
    topic,
    partition,
    epoch,
    signal: abort.signal,
    completed,
    complete: (first, next) => void completed.push([first, next]),
    revoke: () => abort.abort(new Error('revoked')),
  };
}

export interface FakeRecord {
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly headers?: readonly Header[];
  readonly timestamp?: number;
}

/** Consecutive records from `baseOffset` on. */
export function fakeBatch(
  topic: string,
  records: readonly FakeRecord[],
  baseOffset = 0,
  partition = 0,
): RecordBatch {
  const values = records.map(({ value }) => (value === null ? null : Buffer.from(value as string)));
  const buffer = Buffer.concat(values.filter((value) => value !== null));
  const valueStart = new Int32Array(records.length);
  const valueEnd = new Int32Array(records.length);
  let position = 0;
  for (const [index, value] of values.entries()) {
    valueStart[index] = value === null ? -1 : position;
    position += value?.length ?? 0;
    valueEnd[index] = value === null ? -1 : position;
  }
  return {
    topic,
    partition,
    count: records.length,
    nextOffset: baseOffset + records.length,
    byteLength: buffer.length,
    buffer,
    valueStart,
    valueEnd,
    offset: (index) => baseOffset + index,
    timestamp: (index) => records[index]?.timestamp ?? 0,
    key: (index) => {
      const key = records[index]?.key;
      return key === undefined || key === null ? null : Buffer.from(key);
    },
    value: (index) => values[index] ?? null,
    headers: (index) => records[index]?.headers ?? [],
  };
}
