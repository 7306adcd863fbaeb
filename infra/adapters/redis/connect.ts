// The one place that creates Redis connections.
// Invariant: no command waits without a limit, and a command that may have been executed is reported as failed, never sent twice
// behind the caller's back.
// Surprise: commands given before the first connection are queued (start-up order does not matter), but while Redis is gone each
// fails after `commandTimeoutMs`, so a caller never blocks on a dead server for long.
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import { Redis } from 'ioredis';

export type { Redis };

export interface RedisOptions {
  /** redis://, rediss:// with optional user, password and database. */
  readonly url: string;
  /** Shown in CLIENT LIST. */
  readonly name: string;
  readonly logger: Logger;
  /** Default 5,000 ms. */
  readonly commandTimeoutMs?: number;
  /**
   * Commands of one turn go out in one write, and those that come while it is answered in the next: for callers that send many side by
   * side. A command may wait for the one write before it, so that its limit is twice `commandTimeoutMs`.
   */
  readonly together?: boolean;
}

/** Connects in the background and reconnects for ever; the caller ends it with `quit()` or `disconnect()`. */
export function connectRedis(options: RedisOptions): Redis {
  const redis = new Redis(options.url, {
    connectionName: options.name,
    connectTimeout: 3_000,
    commandTimeout: options.commandTimeoutMs ?? 5_000,
    maxRetriesPerRequest: 3,
    enableAutoPipelining: options.together ?? false,
    // A command whose answer was lost may have run; only its caller knows whether it may run again.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: true,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
    // After a failover the old primary answers READONLY until we connect to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  let down = false;
  // Without a listener ioredis prints to stderr itself, once per attempt.
  redis.on('error', (error: Error) => {
    if (!down) options.logger.warn('redis connection failed', { error: error.message });
    down = true;
  });
  redis.on('ready', () => {
    if (down) options.logger.info('redis connection is back');
    down = false;
  });
  return redis;
}
