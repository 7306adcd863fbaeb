// The effects ledger in Redis: for actions whose receivers tolerate the rare repeat after Redis lost a second of writes.
// Invariant: of all callers that begin one command exactly one hears 'fresh'; the first stored outcome stays.
// Surprise: an entry is one string, `b<begun>` or `f<begun> <outcome JSON>`; SET with NX and GET together would need Redis 7, so
// begin is a script as well.
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import type { EffectState, EffectsPort } from '@tocsin/topologies/ports/effects.ts';
import type { Redis } from '../redis/connect.ts';

// A redelivery comes within the retention of the command topics; after that the mark has done its work.
// Command topics keep a week; two days more for segments that are deleted late.
const TTL_SECONDS = 9 * 24 * 3600;
const PREFIX = 'tocsin:effect:';

// ARGV: now, TTL. Answers what was held, or nil when the mark is new.
const BEGIN = `
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], 'b' .. ARGV[1], 'EX', ARGV[2])
return nil`;

// Keeps a stored outcome; keeps the time of begin. ARGV: outcome JSON, now, TTL.
const FINISH = `
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 1) == 'f' then return 0 end
local begun = held and string.sub(held, 2) or ARGV[2]
redis.call('SET', KEYS[1], 'f' .. begun .. ' ' .. ARGV[1], 'EX', ARGV[3])
return 1`;

// Takes back only a mark: a finished command stays finished.
const RELEASE = `
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 1) == 'b' then return redis.call('DEL', KEYS[1]) end
return 0`;

/** Rejects when Redis does not answer in time; then the mark may or may not have been set, and the next begin says which. */
export function createRedisEffects(redis: Redis, prefix = PREFIX): EffectsPort {
  return {
    async begin(commandId, now) {
      const held = await redis.eval(BEGIN, 1, prefix + commandId, String(now), String(TTL_SECONDS));
      return typeof held === 'string' ? parseEntry(held) : { state: 'fresh' };
    },
    async finish(commandId, outcome, now) {
      await redis.eval(
        FINISH,
        1,
        prefix + commandId,
        JSON.stringify(outcome),
        String(now),
        String(TTL_SECONDS),
      );
    },
    async release(commandId) {
      await redis.eval(RELEASE, 1, prefix + commandId);
    },
  };
}

function parseEntry(entry: string): EffectState {
  if (entry.startsWith('b')) return { state: 'uncertain', begunAt: Number(entry.slice(1)) };
  return { state: 'finished', outcome: JSON.parse(entry.slice(entry.indexOf(' ') + 1)) as Outcome };
}
