// Serves what people ask for, record by record: each apart from the others, and each offset when its request is over.
//
// Invariant: a request that fails is logged and takes no other down; one that does not answer holds back nobody but its own offset. What a
// stop breaks off is served by whoever takes the partition next.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Clock } from '../ports/clock.ts';
import type { Assignment, BatchHandler } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';

export interface Requests<Request> {
  /** Names the requests in the log. */
  readonly what: string;
  /** Schema of one, in schemas/documents. */
  readonly document: Parameters<typeof checkDocument>[0];
  /** Above this age nobody waits for the answer any more, ms. */
  readonly tooOldMs: number;
  /** Carries one out. `signal` aborts when the service stops. */
  serve(request: Request, signal: AbortSignal): Promise<void>;
}

export function serveRequests<Request extends { readonly id: string; readonly at: number }>(
  { what, document, tooOldMs, serve }: Requests<Request>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): BatchHandler & { stop(): void } {
  const stopping = new AbortController();
  const open = new Map<Assignment, Set<Promise<void>>>();

  /** The request, or null when there is nothing to do. */
  function read(value: Buffer): Request | null {
    const parsed = parseJson(value);
    if (!parsed.ok || checkDocument(document, parsed.value).length > 0) {
      logger.warn(`a ${what} cannot be read`);
      return null;
    }
    const request = parsed.value as unknown as Request;
    if (clock.now() - request.at <= tooOldMs) return request;
    logger.warn(`a ${what} is too old`, { request: request.id });
    return null;
  }

  async function carryOut(request: Request, done: () => void): Promise<void> {
    try {
      await serve(request, stopping.signal);
    } catch (error) {
      if (stopping.signal.aborted) return;
      logger.error(`a ${what} failed`, { request: request.id, error: String(error) });
    }
    done();
  }

  function begin(assignment: Assignment, request: Promise<void>): void {
    const requests = open.get(assignment) ?? new Set();
    open.set(assignment, requests.add(request));
    void request.finally(() => requests.delete(request));
  }

  return {
    async onBatch(batch, assignment) {
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        const offset = batch.offset(index);
        const done = (): void => assignment.complete(offset, offset + 1);
        const request = value === null ? null : read(value);
        if (request === null) done();
        // Apart from each other: one receiver that does not answer must not hold the others back.
        else begin(assignment, carryOut(request, done));
      }
      const last = batch.count === 0 ? null : batch.offset(batch.count - 1) + 1;
      if (last === null || last < batch.nextOffset)
        assignment.complete(last ?? batch.nextOffset, batch.nextOffset);
    },
    // What a stop broke off never completes: the consumer must not wait for it.
    async onRevoked(assignment) {
      await Promise.all(open.get(assignment) ?? []);
      open.delete(assignment);
    },
    stop: () => stopping.abort(),
  };
}
