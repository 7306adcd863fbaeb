// Turns record batches into frames: null values, poison and filtered records get their outcome here, the rest goes into slabs.
//
// Invariant: the offsets of a batch are covered exactly once: by a segment of a slab, by a dead letter, or completed at once.
// Surprise: before every wait the segment at hand is ended, because the open slab may be sent, or filled from another
// partition, in the meantime.
import { redrivenIn } from '../domain/dead-letters/redriven.ts';
import { type BatchLimits, fits } from '../domain/sink/batch.ts';
import type { SinkWire } from '../domain/sink/define-sink.ts';
import type { BytesFilter } from '../domain/sink/filter.ts';
import { type CheckSplice, createMarks, spliceOk, spliceReasons } from '../domain/sink/splice-check.ts';
import type { RecordBatch } from '../ports/log.ts';
import type { Letters, Refusal } from './sink-letters.ts';
import type { TrackedAssignment } from './sink-offsets.ts';
import type { BatchHolds, Segment, Slab } from './sink-slab.ts';

/** Decoded value, or why it cannot be decoded. Rejects when it cannot be told now (registry down): it is asked again. */
export type DecodeValue = (topic: string, bytes: Buffer) => Decoded | Promise<Decoded>;
export type Decoded = Buffer | { readonly reason: string; readonly detail: string };

export interface FillOptions {
  /** `sinks/<id>`, as in dead letters: what was sent again for others is left alone. */
  readonly service: string;
  readonly wire: SinkWire;
  readonly limits: BatchLimits;
  readonly filter: BytesFilter | null;
  readonly decode: DecodeValue;
  readonly letters: Letters;
  readonly holds: BatchHolds;
  readonly check: CheckSplice;
  /** The slab being filled, if any. */
  readonly open: () => Slab | null;
  /** Resolves true when the open slab had room for `bytes` a moment ago, false when `gone`. */
  readonly room: (bytes: number, gone: () => boolean) => Promise<boolean>;
  /** Sends what the open slab holds. */
  readonly flush: () => void;
  readonly wait: (ms: number) => Promise<void>;
  readonly gone: (assignment: TrackedAssignment) => boolean;
  readonly onOutcome: (
    outcome: 'filtered' | 'tombstone' | 'dead_letter' | 'elsewhere',
    count: number,
  ) => void;
}

/** Poison records written together, at most. */
const lettersAtOnce = 200;
const decodeRetryMs = 1_000;

/** Resolves when the whole batch is in slabs or done, or the partition is gone. */
export async function fill(
  batch: RecordBatch,
  assignment: TrackedAssignment,
  options: FillOptions,
): Promise<void> {
  const { wire, limits, filter, decode, onOutcome, service } = options;
  const { maxEventBytes, overheadBytes } = wire;
  const { buffer, valueStart, valueEnd, count } = batch;
  const maxRetained = Math.max(8 * 1_048_576, 2 * limits.maxBytes);
  const gone = (): boolean => options.gone(assignment);
  const marks = createMarks();
  /** Of records that were read before: whether this one is to be sent again. */
  const isWanted = assignment.read(batch);
  let slab: Slab | null = null;
  let segment: Segment | null = null;
  let covered = count === 0 ? batch.nextOffset : batch.offset(0);
  let refusals: Refusal[] = [];
  let filtered = 0;
  let tombstones = 0;
  let elsewhere = 0;

  function endSegment(upTo: number): void {
    if (segment !== null) segment.nextOffset = upTo;
    else if (upTo > covered) assignment.complete(covered, upTo);
    covered = Math.max(covered, upTo);
    segment = null;
    slab = null;
  }

  async function settleRefusals(): Promise<void> {
    const written = refusals;
    refusals = [];
    if (!(await options.letters.write(written, gone))) return;
    for (const { index } of written) assignment.complete(batch.offset(index), batch.offset(index) + 1);
    onOutcome('dead_letter', written.length);
  }

  function refuse(index: number, reason: string, error: string): void {
    const offset = batch.offset(index);
    endSegment(offset);
    covered = offset + 1;
    refusals.push({ batch, index, stage: 'input', reason, error, attempts: 0 });
  }

  async function decodeValue(index: number, bytes: Buffer): Promise<Decoded | null> {
    for (;;) {
      try {
        const decoded = decode(batch.topic, bytes);
        if (!(decoded instanceof Promise)) return decoded;
        endSegment(batch.offset(index));
        return await decoded;
      } catch {
        endSegment(batch.offset(index));
        await options.wait(decodeRetryMs);
        if (gone()) return null;
      }
    }
  }

  for (let i = 0; i < count; i++) {
    if (isWanted !== null && !isWanted(batch.offset(i))) {
      // Done, or on its way: its completion is not ours.
      endSegment(batch.offset(i));
      covered = batch.offset(i) + 1;
      continue;
    }
    let source = buffer;
    let start = valueStart[i]!;
    let end = valueEnd[i]!;
    if (start < 0) {
      tombstones += 1;
      continue;
    }
    if ((redrivenIn(batch, i)?.for ?? service) !== service) {
      elsewhere += 1;
      continue;
    }
    if (end - start > maxEventBytes) {
      refuse(i, 'too_large', `${end - start} bytes, the limit is ${maxEventBytes}`);
    } else {
      if (end > start && source[start] === 0) {
        const decoded = await decodeValue(i, source.subarray(start, end));
        if (decoded === null) return;
        if (!Buffer.isBuffer(decoded)) {
          refuse(i, decoded.reason, decoded.detail);
          if (refusals.length >= lettersAtOnce) await settleRefusals();
          continue;
        }
        source = decoded;
        start = 0;
        end = decoded.length;
      }
      // A byte order mark is not JSON (RFC 8259 section 8.1) but may be ignored.
      if (
        end - start >= 3 &&
        source[start] === 0xef &&
        source[start + 1] === 0xbb &&
        source[start + 2] === 0xbf
      )
        start += 3;
      const found = options.check(source, start, end, marks);
      if (end - start > maxEventBytes) {
        // Avro that grew when it became JSON: there is no slab that it is sure to fit in.
        refuse(i, 'too_large', `${end - start} bytes decoded, the limit is ${maxEventBytes}`);
      } else if (found !== spliceOk) {
        refuse(i, spliceReasons[found]!, 'the value is not exactly one JSON object');
      } else if (filter !== null && !filter(source, start, end)) {
        filtered += 1;
      } else {
        const bytes = end - start + overheadBytes;
        const open = options.open();
        if (open === null || open !== slab || !fits(limits, open.used, open.events, bytes)) {
          endSegment(batch.offset(i));
          if (open !== null && open.events > 0 && open.retainedBytes + batch.byteLength > maxRetained)
            options.flush();
          slab = options.open();
          // Looked at again after each wait: another partition may have filled, even sent, the slab by then.
          while (slab === null || !fits(limits, slab.used, slab.events, bytes)) {
            if (!(await options.room(bytes, gone))) return;
            slab = options.open();
          }
          segment = begin(slab, batch, assignment, covered);
          options.holds.hold(batch);
          const timestamp = batch.timestamp(i);
          if (timestamp >= 0 && timestamp < slab.oldest) slab.oldest = timestamp;
        }
        slab.records[slab.events] = i;
        slab.used = wire.frame(slab.bytes, slab.used, source, start, end, marks, batch, i);
        slab.ends[slab.events++] = slab.used;
      }
    }
    if (refusals.length >= lettersAtOnce) {
      endSegment(batch.offset(i) + 1);
      await settleRefusals();
      if (gone()) return;
    }
  }
  endSegment(batch.nextOffset);
  if (isWanted !== null) assignment.passed(batch);
  if (filtered > 0) onOutcome('filtered', filtered);
  if (tombstones > 0) onOutcome('tombstone', tombstones);
  if (elsewhere > 0) onOutcome('elsewhere', elsewhere);
  if (refusals.length > 0) await settleRefusals();
}

function begin(slab: Slab, batch: RecordBatch, assignment: TrackedAssignment, firstOffset: number): Segment {
  const segment = { batch, assignment, firstEvent: slab.events, firstOffset, nextOffset: firstOffset };
  if (slab.segments.at(-1)?.batch !== batch) slab.retainedBytes += batch.byteLength;
  slab.segments.push(segment);
  return segment;
}
