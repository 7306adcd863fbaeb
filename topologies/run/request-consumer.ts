// The consumer of what people ask for, beside the work of a service.
//
// Invariant: it ends nothing that runs beside it, and does not stay away: one that cannot go on is logged and begins again after a pause.
import type { Clock } from '../ports/clock.ts';
import type { BatchHandler, LogClient, LogConsumer } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';

export interface RequestConsumerOptions {
  readonly client: Pick<LogClient, 'consumer'>;
  readonly group: string;
  readonly topic: string;
  readonly handler: BatchHandler & { stop(): void };
  /** Names the requests in the log. */
  readonly what: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const pauseMs = 5_000;

/** Begins at once; `stop` breaks off what is being served. */
export function startRequestConsumer(options: RequestConsumerOptions): { stop(): Promise<void> } {
  const { client, group, topic, handler, what, clock, logger } = options;
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) =>
    stopping.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  const running = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await consume().catch((error: unknown) =>
        logger.error(`${what}s are not served`, { error: String(error), again_ms: pauseMs }),
      );
      await clock.sleep(pauseMs, stopping.signal).catch(() => undefined);
    }
  }

  /** Until the consumer fails or the service stops. */
  async function consume(): Promise<void> {
    let consumer: LogConsumer | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        consumer = client.consumer({
          group,
          topics: [topic],
          handler,
          onFailure: reject,
          onNotice: (notice) => logger.info(notice.message, { kind: notice.kind }),
        });
        consumer.start().catch(reject);
        void stopped.then(resolve);
      });
    } finally {
      await consumer?.stop();
    }
  }

  return {
    stop() {
      handler.stop();
      stopping.abort();
      return running;
    },
  };
}
