// Batches of the log as entries of the stream; the live reader and those for single clients read alike.
import type { Gap } from '../../domain/stream/frame.ts';
import { readStreamEvent } from '../../domain/stream/stream-event.ts';
import type { LogAdmin, RecordBatch } from '../../ports/log.ts';
import type { MetricsPort } from '../../ports/metrics.ts';
import type { Topic } from '../../topics.ts';
import type { RingEntry } from './event-ring.ts';

/** The events of a batch from `from` to before `to`; what is no event is counted. */
export function* entriesOf(
  topic: Topic,
  batch: RecordBatch,
  [from, to]: readonly [from: number, to: number],
  skipped: (reason: string) => void,
): Generator<RingEntry> {
  for (let index = 0; index < batch.count; index += 1) {
    const offset = batch.offset(index);
    if (offset < from) continue;
    if (offset >= to) return;
    const content = readStreamEvent(batch, index);
    if (typeof content === 'string') skipped(content);
    else yield { topic: topic.id, partition: batch.partition, offset, content };
  }
}

export function skipCounter(metrics: MetricsPort, reader: 'live' | 'catch-up'): (reason: string) => void {
  return (reason) => metrics.count('tocsin_stream_skipped_total', { reader, reason });
}

/** First offset that a batch stands for. */
export const firstOffset = (batch: RecordBatch): number =>
  batch.count > 0 ? batch.offset(0) : batch.nextOffset;

/**
 * What retention took between the offset that was expected and the one that came; null when the offsets between never were
 * records (transaction markers).
 */
export async function gapBefore(
  admin: Pick<LogAdmin, 'startOffsets'>,
  topic: Topic,
  partition: number,
  [expected, came]: readonly [expected: number, came: number],
): Promise<Gap | null> {
  if (came <= expected) return null;
  const start = (await admin.startOffsets(topic.name)).get(partition) ?? 0;
  if (start <= expected) return null;
  return { topic: topic.id, partition, from: expected, to: Math.min(start, came), reason: 'retention' };
}

export const gapEntry = (gap: Gap): RingEntry => ({
  topic: gap.topic,
  partition: gap.partition,
  offset: gap.to - 1,
  content: gap,
});
