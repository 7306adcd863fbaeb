// A Lua script that is sent once and then named by its digest.
// Invariant: a Redis that does not know it (started anew, failed over, SCRIPT FLUSH) gets it with the next call, which the caller
// does not notice: what is not known was not run.
import { createHash } from 'node:crypto';
import type { Redis } from './connect.ts';

export type Script = (keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** The script with its keys and arguments, as EVAL takes them. Rejects as the commands of `redis` do. */
export function createScript(redis: Pick<Redis, 'evalsha' | 'eval'>, lua: string): Script {
  // EVALSHA names scripts by SHA-1.
  const digest = createHash('sha1').update(lua).digest('hex');
  return async (keys, args) => {
    try {
      return await redis.evalsha(digest, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return redis.eval(lua, keys.length, ...keys, ...args);
    }
  };
}
