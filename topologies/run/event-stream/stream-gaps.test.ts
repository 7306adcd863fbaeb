// Offsets that are missing between two batches: what retention took is told, what never was a record is not.
import { describe, expect, it } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import { memoryBatch } from '../../ports/fakes/record-batch.ts';
import type { RecordBatch, TableReaderOptions } from '../../ports/log.ts';
import { topics } from '../../topics.ts';
import { type Catcher, createCatchUp } from './catch-up.ts';
import { createEventRing, isGap, type RingEntry } from './event-ring.ts';
import { startLiveReader } from './live-reader.ts';

const topic = topics.findings;
const batch = (from: number, to: number): RecordBatch =>
  memoryBatch(
    { topic: topic.name, partition: 0 },
    Array.from({ length: to - from }, (_, index) => ({
      topic: topic.name,
      partition: 0,
      offset: from + index,
      timestamp: 0,
      key: null,
      value: Buffer.from('{"event":"a.b"}'),
      headers: [],
    })),
    to,
  );
/** `5`, or `5-8` for the gap [5, 8). */
const shown = ({ offset, content }: RingEntry): string =>
  isGap(content) ? `${content.from}-${content.to}` : String(offset);

describe('the live reader', () => {
  async function read(start: number, ...batches: RecordBatch[]) {
    let options: TableReaderOptions | undefined;
    const failures: string[] = [];
    const reader = await startLiveReader({
      log: {
        table: (given) => {
          options = given;
          return { start: async () => undefined, stop: async () => undefined };
        },
      },
      admin: { endOffsets: async () => new Map([[0, 5]]), startOffsets: async () => new Map([[0, start]]) },
      topics: [topic],
      ringBytes: 1e6,
      clock: fakeClock(),
      metrics: fakeMetrics(),
      onEntries: () => undefined,
      onFailure: ({ message }) => failures.push(message),
    });
    for (const each of batches)
      await Promise.resolve(options?.onBatch(each)).catch((error: Error) => options?.onFailure?.(error));
    const { ring } = reader;
    const entries = Array.from({ length: ring.end - ring.first }, (_, index) =>
      shown(ring.at(ring.first + index)),
    );
    return { entries, failures, next: ring.next(topic.id) };
  }

  it('tells of what retention took before it was read', async () => {
    expect(await read(20, batch(5, 7), batch(30, 32))).toEqual({
      entries: ['5', '6', '7-20', '30', '31'],
      failures: [],
      next: [32],
    });
  });

  it('says nothing of offsets that never were records', async () => {
    expect((await read(0, batch(5, 7), batch(30, 32), batch(32, 32))).entries).toEqual([
      '5',
      '6',
      '30',
      '31',
    ]);
  });

  it('reads no offset twice, and fails when the topic begins anew', async () => {
    const { entries, failures } = await read(0, batch(5, 8), batch(6, 10), batch(0, 3));
    expect(entries).toEqual(['5', '6', '7', '8', '9']);
    expect(failures).toEqual([`${topic.name}/0 begins anew at offset 0`]);
  });
});

describe('a read for one client', () => {
  async function catchUp(starts: readonly number[], batches: readonly RecordBatch[], to: number) {
    const ring = createEventRing(1e6, new Map([[topic.id, [to]]]));
    const offered: string[] = [];
    let next = 5;
    const client: Catcher = {
      gone: new AbortController().signal,
      nextOffset: () => next,
      advance: (_topic, _partition, offset) => {
        next = Math.max(next, offset);
      },
      offer: (entry) => {
        offered.push(shown(entry));
        next = entry.offset + 1;
      },
      hasRoom: true,
      room: async () => undefined,
    };
    const asked = [...starts];
    const reads = createCatchUp({
      log: {
        table: ({ onBatch }) => ({
          async start() {
            for (const each of batches) await onBatch(each);
          },
          stop: async () => undefined,
        }),
      },
      admin: { startOffsets: async () => new Map([[0, asked.shift() ?? starts.at(-1)!]]) },
      bufferBytes: 1e6,
      readers: 1,
      turnMs: 1_000,
      clock: fakeClock(),
      metrics: fakeMetrics(),
    });
    await reads.read(client, [topic], ring);
    return { offered, next };
  }

  it('ends where the live reader had begun', async () => {
    expect(await catchUp([0], [batch(3, 9), batch(9, 20)], 11)).toEqual({
      offered: ['5', '6', '7', '8', '9', '10'],
      next: 11,
    });
  });

  it('tells of what retention takes between two batches', async () => {
    expect(await catchUp([0, 20], [batch(5, 7), batch(25, 27)], 27)).toEqual({
      offered: ['5', '6', '7-20', '25', '26'],
      next: 27,
    });
  });

  it('tells of what retention takes at the end, where no batch follows', async () => {
    expect(await catchUp([0, 30], [batch(5, 7)], 27)).toEqual({ offered: ['5', '6', '7-27'], next: 27 });
  });

  it('tells of what is all gone without reading', async () => {
    expect(await catchUp([100], [batch(100, 101)], 27)).toEqual({ offered: ['5-27'], next: 27 });
  });

  it('says nothing of offsets that never were records, in between or at the end', async () => {
    expect(await catchUp([0], [batch(5, 7), batch(25, 27)], 40)).toEqual({
      offered: ['5', '6', '25', '26'],
      next: 40,
    });
  });

  it('rejects when the log cannot be read', async () => {
    const log = {
      table: ({ onFailure }: TableReaderOptions) => ({
        start: async () => onFailure?.(new Error('unreadable')),
        stop: async () => undefined,
      }),
    };
    const admin = { startOffsets: async () => new Map([[0, 0]]) };
    const clock = fakeClock();
    const reads = createCatchUp({
      log,
      admin,
      bufferBytes: 1,
      readers: 1,
      turnMs: 1,
      clock,
      metrics: fakeMetrics(),
    });
    const client = { gone: new AbortController().signal, nextOffset: () => 0 } as unknown as Catcher;
    const read = () => reads.read(client, [topic], createEventRing(1, new Map([[topic.id, [9]]])));
    await expect(read()).rejects.toThrow('unreadable');
    // Its place is free again.
    await expect(read()).rejects.toThrow('unreadable');
  });
});
