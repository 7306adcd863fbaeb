// What sinks tell of their deliveries becomes the log that people read. A batch that comes twice writes the same rows.
import type { DeliveryStore } from '@tocsin/adapters/postgres/delivery-store.ts';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Delivery } from '@tocsin/schemas/types.ts';
import type { BatchHandler } from '@tocsin/topologies/ports/log.ts';
import { type RecordBatchesOptions, recordBatches } from './record-batches.ts';

export interface DeliveryRecorderOptions extends RecordBatchesOptions {
  readonly deliveries: Pick<DeliveryStore, 'write'>;
}

export function createDeliveryRecorder(options: DeliveryRecorderOptions): BatchHandler {
  return recordBatches<Delivery>(
    {
      rowsPerWrite: 1_000,
      read(value) {
        if (value === null) return null;
        const parsed = parseJson(value);
        if (!parsed.ok) return { refuse: parsed.reason, detail: parsed.detail };
        const issues = checkDocument('delivery.json', parsed.value);
        if (issues.length > 0) return { refuse: 'invalid_delivery', detail: formatIssues(issues) };
        return { row: parsed.value as unknown as Delivery };
      },
      write: (rows) => options.deliveries.write(rows),
    },
    options,
  );
}
