// One partition of a topic from its start to the end that it has now.
import type { LogClient, RecordBatch } from '../../ports/log.ts';

/** Rejects when the partition cannot be read, or when `onBatch` throws. */
export async function readPartition(
  client: Pick<LogClient, 'table'>,
  topic: string,
  partition: number,
  onBatch: (batch: RecordBatch) => void,
): Promise<void> {
  let failed: Error | null = null;
  const reader = client.table({
    topic,
    partitions: [partition],
    onBatch,
    onFailure: (error) => {
      failed = error;
    },
  });
  try {
    await reader.start();
  } finally {
    await reader.stop();
  }
  if (failed !== null) throw failed;
}
