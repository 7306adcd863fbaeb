// Sends records with natural batching: while one send is in flight the next ones collect, then go out together.
//
// Invariant: `send` resolves only after the log acknowledged the records; a failing log is retried until `stop`, so
// a caller that completes an offset afterwards never completes it early.
import type { Clock } from '../ports/clock.ts';
import { LogError, type LogProducer, type OutRecord } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';

interface Waiting {
  readonly records: readonly OutRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface Outbox {
  /** Resolves when all records are acknowledged; rejects when the log refuses them for good, or after `stop`. */
  send(records: readonly OutRecord[]): Promise<void>;
  stop(): void;
}

export interface OutboxOptions {
  readonly producer: LogProducer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Wait between attempts, ms; default 100 to 5,000, doubling. */
  readonly initialRetryMs?: number;
  readonly maxRetryMs?: number;
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { producer, clock, logger, initialRetryMs = 100, maxRetryMs = 5_000 } = options;
  const stopping = new AbortController();
  let waiting: Waiting[] = [];
  let running = false;

  async function deliver(group: readonly Waiting[]): Promise<void> {
    const records = group.flatMap((entry) => entry.records);
    let delay = initialRetryMs;
    for (;;) {
      try {
        await producer.send(records);
        for (const entry of group) entry.resolve();
        return;
      } catch (error) {
        const retriable = !(error instanceof LogError) || error.retriable;
        if (stopping.signal.aborted) {
          for (const entry of group) entry.reject(error);
          return;
        }
        if (!retriable && group.length > 1) {
          // One record the log will never take must not fail its neighbours: find it by sending one by one.
          for (const entry of group) await deliver([entry]);
          return;
        }
        if (!retriable) {
          for (const entry of group) entry.reject(error);
          return;
        }
        logger.warn('log does not take records, retrying', { error: String(error), records: records.length });
        await clock.sleep(delay, stopping.signal).catch(() => undefined);
        delay = Math.min(maxRetryMs, delay * 2);
      }
    }
  }

  async function pump(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await deliver(group);
    }
    running = false;
  }

  return {
    send(records) {
      if (records.length === 0) return Promise.resolve();
      if (stopping.signal.aborted)
        return Promise.reject(new LogError('outbox is stopped', { retriable: true }));
      return new Promise((resolve, reject) => {
        waiting.push({ records, resolve, reject });
        if (!running) void pump();
      });
    },
    stop() {
      stopping.abort();
    },
  };
}
