// Assignments and batches made by hand, to drive a handler without a log.
import { memoryBatch } from '../ports/fakes/record-batch.ts';
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
  const placed = records.map(({ key, value, headers, timestamp }, index) => ({
    topic,
    partition,
    offset: baseOffset + index,
    timestamp: timestamp ?? 0,
    key: key === undefined || key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value as string),
    headers: headers ?? [],
  }));
  return memoryBatch({ topic, partition }, placed, baseOffset + records.length);
}
