// The one reader of the topics for all clients: without a group, from the end of the log on, into the ring.
//
// Invariant: every offset of a partition is in the ring once, in order, or was counted as skipped, or lies in a gap that the ring tells of.
// Surprise: a batch that lies below what was read means that the topic was made anew. Offsets say nothing then: all streams end, and
// clients that come back are told of a reset.
import type { Clock } from '../../ports/clock.ts';
import type { LogAdmin, LogClient, RecordBatch } from '../../ports/log.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Topic } from '../../topics.ts';
import { createEventRing, type EventRing, sizeOf } from './event-ring.ts';
import { entriesOf, firstOffset, gapBefore, gapEntry, skipCounter } from './read-entries.ts';

export interface LiveReader {
  readonly ring: EventRing;
  stop(): Promise<void>;
}

export interface LiveReaderOptions {
  readonly log: Pick<LogClient, 'table'>;
  readonly admin: Pick<LogAdmin, 'endOffsets' | 'startOffsets'>;
  readonly topics: readonly Topic[];
  readonly ringBytes: number;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  /** The ring has more. */
  readonly onEntries: () => void;
  readonly onFailure: (error: Error) => void;
}

/** Records between two looks at the clients, and the part of the ring: nobody who keeps up may find his place gone. */
const sliceRecords = 256;
const slicePart = 1 / 8;
/** Longest time before others get their turn, ms. */
const turnMs = 20;

/** Resolves when it is known where reading begins; rejects with LogError while the log does not answer. */
export async function startLiveReader(options: LiveReaderOptions): Promise<LiveReader> {
  const { log, admin, topics, clock, metrics, onEntries, onFailure } = options;
  const ends = await Promise.all(topics.map((topic) => admin.endOffsets(topic.name)));
  const ring = createEventRing(
    options.ringBytes,
    new Map(topics.map((topic, index) => [topic.id, listOf(ends[index]!)])),
  );
  const skipped = skipCounter(metrics, 'live');
  let turnSince = clock.now();
  let stopped = false;

  async function onBatch(topic: Topic, batch: RecordBatch): Promise<void> {
    const { partition, count, nextOffset } = batch;
    const expected = ring.next(topic.id)[partition] ?? 0;
    if (count > 0 && nextOffset <= expected)
      throw new Error(`${topic.name}/${partition} begins anew at offset ${batch.offset(0)}`);
    const gap = await gapBefore(admin, topic, partition, [expected, firstOffset(batch)]);
    if (gap !== null) ring.append(gapEntry(gap));
    let records = 0;
    let bytes = 0;
    for (const entry of entriesOf(topic, batch, [expected, nextOffset], skipped)) {
      if (stopped) return;
      ring.append(entry);
      records += 1;
      bytes += sizeOf(entry);
      if (records < sliceRecords && bytes < options.ringBytes * slicePart) continue;
      records = 0;
      bytes = 0;
      onEntries();
      await yieldTurn();
    }
    ring.advance(topic.id, partition, nextOffset);
    onEntries();
    metrics.gauge('tocsin_stream_buffer_bytes', ring.bytes);
    await yieldTurn();
  }

  async function yieldTurn(): Promise<void> {
    if (clock.now() - turnSince < turnMs) return;
    await clock.sleep(0);
    turnSince = clock.now();
  }

  const tables = topics.map((topic, index) =>
    log.table({
      topic: topic.name,
      from: ends[index]!,
      onBatch: (batch) => onBatch(topic, batch),
      onFailure: (error) => {
        if (!stopped) onFailure(error);
      },
    }),
  );
  // What goes wrong later comes as a failure too; `start` only says when the end of before was reached.
  for (const table of tables) void table.start().catch(() => undefined);
  return {
    ring,
    async stop() {
      stopped = true;
      await Promise.all(tables.map((table) => table.stop()));
      metrics.gauge('tocsin_stream_buffer_bytes', 0);
    },
  };
}

/** Offsets by partition as a list. */
export function listOf(offsets: ReadonlyMap<number, number>): number[] {
  const list = Array.from({ length: Math.max(-1, ...offsets.keys()) + 1 }, () => 0);
  for (const [partition, offset] of offsets) list[partition] = offset;
  return list;
}
