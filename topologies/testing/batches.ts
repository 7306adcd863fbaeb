// Record batches and assignments made by hand, for tests that drive a BatchHandler directly.
import type { Assignment, Header, RecordBatch } from '../ports/log.ts';

export interface BatchParts {
  readonly topic?: string;
  readonly partition?: number;
  /** Offset of the first record; default 0. */
  readonly offset?: number;
  /** Offsets of all records, where there are gaps. */
  readonly offsets?: readonly number[];
  /** Default: offset after the last record. */
  readonly nextOffset?: number;
  /** Epoch ms of every record; default 2026-04-28T12:00:00Z. */
  readonly timestamp?: number;
  readonly key?: Buffer | null;
  readonly headers?: readonly Header[];
}

export interface HandMadeBatch extends RecordBatch {
  /** How often `release` was called. */
  readonly releases: number;
}

/**
 * A batch of `values`; null is a tombstone. The values lie in one buffer with other bytes between them, as in Kafka. Releasing
 * it overwrites the bytes, and reading throws afterwards.
 */
export function batchOf(values: readonly (Buffer | string | null)[], parts: BatchParts = {}): HandMadeBatch {
  const {
    topic = 'findings.v1',
    partition = 0,
    offset = 0,
    timestamp = Date.UTC(2026, 3, 28, 12),
    key = null,
    headers = [],
  } = parts;
  const chunks: Buffer[] = [];
  const valueStart = new Int32Array(values.length);
  const valueEnd = new Int32Array(values.length);
  let at = 0;
  values.forEach((value, index) => {
    const gap = Buffer.from('"\\\x00{');
    chunks.push(gap);
    at += gap.length;
    valueStart[index] = value === null ? -1 : at;
    if (value !== null) {
      const bytes = Buffer.from(value as string);
      chunks.push(bytes);
      at += bytes.length;
    }
    valueEnd[index] = value === null ? -1 : at;
  });
  const buffer = Buffer.concat(chunks);
  const offsetOf = (index: number): number => parts.offsets?.[index] ?? offset + index;
  let releases = 0;
  const held = <T>(what: T): T => {
    if (releases > 0) throw new Error('the record batch was released');
    return what;
  };
  return {
    topic,
    partition,
    count: values.length,
    nextOffset: parts.nextOffset ?? (values.length === 0 ? offset : offsetOf(values.length - 1) + 1),
    byteLength: buffer.length,
    get buffer() {
      return held(buffer);
    },
    valueStart,
    valueEnd,
    offset: offsetOf,
    timestamp: () => timestamp,
    key: () => held(key),
    value: (index) =>
      held(valueStart[index]! < 0 ? null : buffer.subarray(valueStart[index], valueEnd[index])),
    headers: () => held(headers),
    headerSize: () => ({
      count: held(headers).length,
      bytes: headers.reduce((sum, [name, content]) => sum + Buffer.byteLength(name) + content.length, 0),
    }),
    release() {
      releases += 1;
      buffer.fill(0xdd);
    },
    get releases() {
      return releases;
    },
  };
}

export interface HandMadeAssignment extends Assignment {
  /** Completed ranges in the order of their completion. */
  readonly completed: readonly (readonly [from: number, next: number])[];
  /** The offset that a commit would write when the log began at `start` (default 0). Throws when ranges overlap. */
  watermark(start?: number): number;
  revoke(): void;
}

export function assignmentOf(
  parts: { topic?: string; partition?: number; epoch?: number } = {},
): HandMadeAssignment {
  const revoked = new AbortController();
  const completed: [number, number][] = [];
  return {
    topic: parts.topic ?? 'findings.v1',
    partition: parts.partition ?? 0,
    epoch: parts.epoch ?? 1,
    signal: revoked.signal,
    complete: (from, next) => void completed.push([from, next]),
    completed,
    watermark(start = 0) {
      let at = start;
      for (const [from, next] of [...completed].sort((a, b) => a[0] - b[0])) {
        if (from < at) throw new Error(`offset ${from} completed twice`);
        if (from > at) break;
        at = next;
      }
      return at;
    },
    revoke: () => revoked.abort(new Error('revoked')),
  };
}
