// Buffers of answers come back to the next answer, and to nobody while a batch still reads them.
import { describe, expect, it } from 'vitest';
import { ColumnBatch } from '../core/record-batch.ts';
import { lend } from './loan.ts';
import { ResponseBuffers } from './response-buffers.ts';

function batchOver(buffer: Buffer, count = 1): ColumnBatch {
  const column = new Int32Array(count);
  return new ColumnBatch({
    topic: 't',
    partition: 0,
    count,
    nextOffset: count,
    byteLength: buffer.length,
    buffer,
    valueStart: column,
    valueEnd: new Int32Array(count).fill(buffer.length),
    keyStart: column,
    keyEnd: column,
    headersStart: column,
    timestamps: new Float64Array(count),
    firstOffset: 0,
    offsets: null,
  });
}

describe('response buffers', () => {
  it('are exact while nobody gives any back, and used again afterwards', () => {
    const buffers = new ResponseBuffers();
    const first = buffers.take(1_000_000);
    expect(first.buffer.byteLength).toBe(1_000_000);
    buffers.give(first);
    const second = buffers.take(1_000_000);
    buffers.give(second);
    const third = buffers.take(900_000);
    expect(third.length).toBe(900_000);
    expect(third.buffer).toBe(second.buffer);
    expect(buffers.take(900_000).buffer).not.toBe(third.buffer);
  });

  it('of two million bytes and their frame fit into two megabytes', () => {
    const buffers = new ResponseBuffers();
    buffers.give(buffers.take(10));
    expect(buffers.take(2 * 1024 * 1024 + 300).buffer.byteLength).toBeLessThan(2.1 * 1024 * 1024);
  });

  it('are kept up to a bound', () => {
    const buffers = new ResponseBuffers();
    buffers.give(buffers.take(10));
    const taken = Array.from({ length: 40 }, () => buffers.take(2_000_000));
    const before = new Set(taken.map(({ buffer }) => buffer));
    for (const buffer of taken) buffers.give(buffer);
    const again = Array.from({ length: 40 }, () => buffers.take(2_000_000));
    expect(again.filter(({ buffer }) => before.has(buffer)).length).toBe(7);
  });
});

describe('a frame lent to batches', () => {
  it('comes back once, when the loan has ended and every batch over it was released', () => {
    const frame = Buffer.alloc(100);
    let given = 0;
    const loan = lend(frame, () => given++);
    const one = batchOver(frame.subarray(0, 40));
    const two = batchOver(frame.subarray(40));
    const inflated = batchOver(Buffer.alloc(100));
    for (const batch of [one, two, inflated]) loan.add(batch);
    one.release();
    one.release();
    inflated.release();
    loan.end();
    expect(given).toBe(0);
    two.release();
    expect(given).toBe(1);
  });

  it('comes back at the end of the loan when no batch reads it', () => {
    let given = 0;
    lend(Buffer.alloc(10), () => given++).end();
    expect(given).toBe(1);
  });

  it('cannot be read through a released batch', () => {
    const batch = batchOver(Buffer.from('value'));
    expect(batch.value(0)?.toString()).toBe('value');
    batch.release();
    expect(() => batch.value(0)).toThrow('released');
    expect(() => batch.key(0)).toThrow('released');
    expect(() => batch.headers(0)).toThrow('released');
    expect(() => batch.buffer).toThrow('released');
    expect(batch.offset(0)).toBe(0);
  });
});
