// Serves what people ask for, record by record: each apart from the others, and each offset when its request is over.
//
// Invariant: a request that fails is logged and takes no other down; one that does not answer holds back nobody but its own offset.
import type { BatchHandler } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';

/** `what` names the requests in the log. */
export function serveRequests(
  serve: (value: Buffer) => Promise<void>,
  { logger, what }: { readonly logger: Logger; readonly what: string },
): BatchHandler {
  return {
    async onBatch(batch, assignment) {
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        const offset = batch.offset(index);
        const done = (): void => assignment.complete(offset, offset + 1);
        if (value === null) done();
        // Apart from each other: one receiver that does not answer must not hold the others back.
        else
          void serve(Buffer.from(value))
            .catch((error: unknown) => logger.error(`a ${what} failed`, { error: String(error) }))
            .then(done);
      }
      const last = batch.count === 0 ? null : batch.offset(batch.count - 1) + 1;
      if (last === null || last < batch.nextOffset)
        assignment.complete(last ?? batch.nextOffset, batch.nextOffset);
    },
  };
}
