// LISTEN on one channel over its own connection, which comes back after every failure.
//
// Surprise: notifications sent while it was away are lost, so `onWake` is also called after every (re)connect, and
// callers poll besides.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { Client } from 'pg';

export interface ListenOptions {
  readonly connectionString: string;
  readonly channel: 'tocsin_outbox' | 'tocsin_api_keys';
  readonly onWake: () => void;
  readonly logger: Logger;
  /** Wait between attempts to connect, ms; default 1,000. */
  readonly retryMs?: number;
}

export interface Listener {
  stop(): Promise<void>;
}

export function listen(options: ListenOptions): Listener {
  const stopping = new AbortController();
  let client: Client | null = null;

  async function once(): Promise<void> {
    const current = new Client({
      connectionString: options.connectionString,
      application_name: 'tocsin-listen',
      keepAlive: true,
    });
    client = current;
    const closed = new Promise<void>((resolve) => {
      current.on('error', () => resolve());
      current.on('end', () => resolve());
    });
    try {
      await current.connect();
      current.on('notification', options.onWake);
      await current.query(`listen ${options.channel}`);
      options.onWake();
      await closed;
    } finally {
      client = null;
      await current.end().catch(() => undefined);
    }
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await once().catch((error: unknown) =>
        options.logger.debug('listen connection failed', { channel: options.channel, error: String(error) }),
      );
      await sleep(options.retryMs ?? 1_000, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  return {
    async stop() {
      stopping.abort();
      await client?.end().catch(() => undefined);
      await running;
    },
  };
}
