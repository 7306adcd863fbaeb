// Reads one record by its place, for redeliveries.
import type { Clock } from '../ports/clock.ts';
import type { LogClient, RecordBatch } from '../ports/log.ts';

export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** The batch that holds the record, and where in it; null when the log no longer has it or does not give it in time. */
export async function readRecord(
  client: LogClient,
  place: RecordPlace,
  clock: Clock,
  timeoutMs = 10_000,
): Promise<{ readonly batch: RecordBatch; readonly index: number } | null> {
  const { topic, partition, offset } = place;
  const over = new AbortController();
  return new Promise((resolve) => {
    const reader = client.table({
      topic,
      partitions: [partition],
      from: new Map([[partition, offset]]),
      onBatch(batch) {
        if (over.signal.aborted) return;
        for (let index = 0; index < batch.count; index += 1)
          if (batch.offset(index) === offset) return finish({ batch, index });
        if (batch.nextOffset > offset) finish(null);
      },
      onFailure: () => finish(null),
    });
    function finish(found: { readonly batch: RecordBatch; readonly index: number } | null): void {
      if (over.signal.aborted) return;
      over.abort();
      resolve(found);
      void reader.stop().catch(() => undefined);
    }
    clock.sleep(timeoutMs, over.signal).then(
      () => finish(null),
      () => undefined,
    );
    reader.start().then(
      () => finish(null),
      () => finish(null),
    );
  });
}
